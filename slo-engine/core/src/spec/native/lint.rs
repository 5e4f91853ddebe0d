//! What is allowed in an SLO but cannot be meant, as far as it can be seen without data.

use crate::burn::Factor;
use crate::calendar::longest;
use crate::slo::{AlertPair, Budgeting, Slo, Unmeasured};
use crate::spec::Warning;
use crate::time::Span;

use super::reader::Reader;
use super::shape::SloDocument;
use super::{Declared, SloSpots};

impl Reader<'_> {
    pub(super) fn lint(&mut self, slo: &Slo, shape: &SloDocument) {
        self.lint_alerts(slo, shape);
        let slices = slo.budgeting != Budgeting::Occurrences;
        let unmeasured = shape.unmeasured.as_ref().filter(|_| !slices);
        if let Some(word) = unmeasured.filter(|_| slo.unmeasured != Unmeasured::Ignore) {
            let said = "without time slices there is nothing that `unmeasured` could fill";
            let remedy = "remove it, or add `budgeting: {timeslices: ...}`";
            self.warn("unmeasured-without-slices", word.spot, said, remedy);
        }
        if let (Some(spot), true) = (shape.max_groups.as_ref(), slo.group_by.is_empty()) {
            let said = "without `groupBy` there are no groups to limit";
            self.warn("groups-without-group-by", spot.spot, said, "add `groupBy`, or remove it");
        }
    }

    fn lint_alerts(&mut self, slo: &Slo, shape: &SloDocument) {
        let spot = shape.alerts.as_ref().map_or(shape.name.spot, |a| a.spot);
        let Some(window) = slo.windows.first() else {
            return;
        };
        // A calendar period at its longest: what is dropped there is dropped in every other.
        let factor = |pair: &AlertPair| Factor::of(pair, longest(*window));
        let dropped = names(slo, |pair| factor(pair).is_dropped());
        if !dropped.is_empty() {
            let said = format!(
                "over {window} these alerts would fire at a sustainable burn, so they are dropped: \
                 {dropped}"
            );
            let remedy = "list alerts with windows that are shorter or with a larger `budget`, or \
                write `alerts: none`";
            self.warn("alert-dropped", spot, &said, remedy);
        }
        let never = names(slo, |pair| !factor(pair).can_fire(slo.objective));
        if !never.is_empty() {
            let said = format!(
                "not even a full outage makes these alerts fire at this objective: {never}"
            );
            let remedy = "give them a smaller `budget` or a longer `long`, or raise the objective";
            self.warn("alert-unreachable", spot, &said, remedy);
        }
    }
}

fn names(slo: &Slo, of: impl Fn(&AlertPair) -> bool) -> String {
    let names = slo.alerts.iter().filter(|pair| of(pair)).map(|pair| &*pair.name);
    names.collect::<Vec<_>>().join(", ")
}

/// The warning about slices too short for two scrapes.
pub(in crate::spec) fn short_slice(
    declared: &Declared,
    slo: &Slo,
    spots: &SloSpots,
    scrape: Span,
) -> Option<Warning> {
    let (Budgeting::Timeslices { size, .. } | Budgeting::RatioTimeslices { size }) = slo.budgeting
    else {
        return None;
    };
    let least = Span::millis(scrape.as_millis().saturating_mul(2));
    let spot = spots.slice.filter(|_| size < least)?;
    let said = format!("a slice of {size} holds fewer than 2 scrapes, one every {scrape}");
    let finding = declared.document.error(spot, said);
    let remedy = format!("write {least} or more, in whole minutes");
    Some(Warning { code: "slice-too-short", finding: finding.with_remedy(remedy) })
}
