//! The burn-rate alerts of an SLO.

use std::sync::Arc;

use crate::slo::{AlertPair, BILLION, Severity, default_alerts};
use crate::spec::nearest;
use crate::spec::yaml::{Spanned, Spot};

use super::reader::Reader;
use super::shape::{AlertDocument, AlertsEntry, SeverityWord};

/// Fewer bad events than this never wake anyone.
const MIN_BAD: i64 = 10;

impl Reader<'_> {
    pub(super) fn alerts(
        &mut self,
        shape: Option<&Spanned<AlertsEntry>>,
    ) -> Option<Arc<[AlertPair]>> {
        let Some(shape) = shape else {
            return Some(default_alerts());
        };
        match &shape.value {
            AlertsEntry::Word(word) if word == "default" => Some(default_alerts()),
            AlertsEntry::Word(word) if word == "none" => Some(Arc::default()),
            AlertsEntry::Word(word) => self.unknown_alerts(shape.spot, word),
            AlertsEntry::List(list) => self.alert_list(list),
        }
    }

    fn unknown_alerts(&mut self, spot: Spot, word: &str) -> Option<Arc<[AlertPair]>> {
        let remedy = nearest(word, ["default", "none"]).map_or_else(
            || "write default, none or a list of alerts".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        self.refuse(spot, &format!("`{word}` names no alerts"), &remedy)
    }

    fn alert_list(&mut self, list: &[Spanned<AlertDocument>]) -> Option<Arc<[AlertPair]>> {
        let mut read: Vec<Option<AlertPair>> = Vec::new();
        for Spanned { value: shape, .. } in list {
            let pair = self.alert(shape);
            let name = &shape.name.value.0;
            if read.iter().flatten().any(|other| *other.name == **name) {
                let said = format!("the alert `{name}` stands here twice");
                self.fault(shape.name.spot, &said, "give one of the two another name");
            }
            read.push(pair);
        }
        read.into_iter().collect()
    }

    fn alert(&mut self, shape: &AlertDocument) -> Option<AlertPair> {
        let name = self.name(&shape.name);
        let (long, short) = (self.minutes(&shape.long), self.minutes(&shape.short));
        let budget = self.share(&shape.budget, BILLION);
        let min_budget =
            shape.min_budget.as_ref().map_or(Some(None), |m| self.share(m, BILLION).map(Some));
        let min_bad = self.min_bad(shape.min_bad.as_ref());
        let (long, short) = (long?, short?);
        if long <= short {
            let said = format!("the long window {long} is no longer than the short one {short}");
            let remedy = "the short window ends the alert soon; a twelfth of the long one is usual";
            return self.refuse(shape.long.spot, &said, remedy);
        }
        Some(AlertPair {
            name: name?.as_str().into(),
            long,
            short,
            budget_ppb: budget?,
            severity: match shape.severity {
                SeverityWord::Page => Severity::Page,
                SeverityWord::Ticket => Severity::Ticket,
            },
            min_bad: min_bad?,
            min_budget_ppb: min_budget?,
        })
    }

    fn min_bad(&mut self, number: Option<&Spanned<i64>>) -> Option<i64> {
        match number {
            None => Some(MIN_BAD),
            Some(number) if number.value >= 0 => Some(number.value),
            Some(number) => {
                let said = "fewer than no bad events cannot happen";
                self.refuse(number.spot, said, "write 0 or more; 10 is the default")
            }
        }
    }
}
