//! The sides of a ratio: which events are the total, which the good or bad ones among them.

use crate::selector::{Matcher, Op, Selector};
use crate::sli::{Events, LogFilter, LogQuery, Part, Ratio, Side};
use crate::spec::yaml::{Spanned, Spot};
use crate::time::Span;

use super::reader::Reader;
use super::shape::{Dsl, RatioDocument, SideDocument, Sides, TextOr};

/// What a side is for; only a part may refine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Total,
    Part,
}

impl Reader<'_> {
    pub(super) fn ratio(&mut self, spot: Spot, shape: &RatioDocument) -> Option<Ratio> {
        let total = self.sides(shape, &shape.total, Role::Total);
        let (part, part_is) = match (&shape.good, &shape.bad) {
            (Some(good), None) => (good, Part::Good),
            (None, Some(bad)) => (bad, Part::Bad),
            (Some(_), Some(bad)) => {
                let said = "good and bad together could contradict each other";
                return self.refuse(bad.spot, said, "keep one; the other is the rest of the total");
            }
            (None, None) => {
                let said = "this ratio says neither what is good nor what is bad";
                return self.refuse(spot, said, "add `bad: '{code=~\"5..\"}'` or `good: ...`");
            }
        };
        let sides = self.sides(shape, part, Role::Part);
        let (total, sides) = (total?, sides?);
        for (side, (spot, _)) in sides.iter().zip(part.value.entries(part.spot)) {
            self.refines(&total, side, spot);
        }
        Some(Ratio { total, part: sides, part_is })
    }

    fn sides(&mut self, ratio: &RatioDocument, sides: &Sides, role: Role) -> Option<Vec<Side>> {
        let entries = sides.value.entries(sides.spot);
        if entries.is_empty() {
            return self.refuse(sides.spot, "a list without a side", "name at least one counter");
        }
        let read: Vec<_> =
            entries.into_iter().map(|(spot, e)| self.side(ratio, spot, e, role)).collect();
        read.into_iter().collect()
    }

    fn side(
        &mut self,
        ratio: &RatioDocument,
        spot: Spot,
        entry: &TextOr<String, SideDocument>,
        role: Role,
    ) -> Option<Side> {
        let source = ratio.source.as_ref();
        let (source, delay, events) = match entry {
            TextOr::Text(text) => {
                let text = Spanned { value: text.clone(), spot };
                (source, Some(Span::millis(0)), self.short_side(ratio, &text, role))
            }
            TextOr::Mapping(side) => {
                let delay = side.delay.as_ref().map_or(Some(Span::millis(0)), |d| self.minutes(d));
                (side.source.as_ref().or(source), delay, self.long_side(ratio, spot, side, role))
            }
        };
        let source = self.optional(source);
        Some(Side { source: source?, events: events?, delay: delay? })
    }

    /// A text is KQL where the ratio names an index, else a selector.
    fn short_side(
        &mut self,
        ratio: &RatioDocument,
        text: &Spanned<String>,
        role: Role,
    ) -> Option<Events> {
        if ratio.index.is_none() {
            return self.counted(text, role);
        }
        let query = LogFilter::Kql(self.kql(text)?);
        self.logged(query, None, ratio, None, role)
    }

    fn long_side(
        &mut self,
        ratio: &RatioDocument,
        spot: Spot,
        side: &SideDocument,
        role: Role,
    ) -> Option<Events> {
        match (&side.selector, &side.query) {
            (Some(selector), None) => match side.index.as_ref().or(side.heartbeat.as_ref()) {
                None => self.counted(selector, role),
                Some(key) => {
                    let said = "an index and a heartbeat belong to log queries, not to a selector";
                    self.refuse(key.spot, said, "remove it, or write `query` for `selector`")
                }
            },
            (None, Some(query)) => {
                let query = self.filter(query)?;
                self.logged(query, side.index.as_ref(), ratio, side.heartbeat.as_ref(), role)
            }
            (Some(selector), Some(_)) => {
                let said = "a side counts either a selector's or a query's events";
                self.refuse(selector.spot, said, "keep one; a list of sides adds them")
            }
            (None, None) => {
                let remedy = "add `selector:` for a counter or `query:` for logs";
                self.refuse(spot, "this side does not say what is counted", remedy)
            }
        }
    }

    fn counted(&mut self, text: &Spanned<String>, role: Role) -> Option<Events> {
        let selector = self.events(text.spot, &text.value)?;
        if role == Role::Total && !selector.is_named() {
            let said = "a total without a metric's name has nothing that it could refine";
            let remedy = "put the counter's name in front, such as \
                http_requests_total{service=\"orders\"}";
            return self.refuse(text.spot, said, remedy);
        }
        Some(Events::Metric(selector))
    }

    fn logged(
        &mut self,
        query: LogFilter,
        index: Option<&Spanned<String>>,
        ratio: &RatioDocument,
        heartbeat: Option<&Spanned<String>>,
        role: Role,
    ) -> Option<Events> {
        let inherited = ratio.index.as_ref().filter(|_| role == Role::Total);
        let index = self.optional(index.or(inherited));
        let heartbeat = self.optional_kql(heartbeat.or(ratio.heartbeat.as_ref()));
        Some(Events::Logs(LogQuery { index: index?, query, heartbeat: heartbeat? }))
    }

    /// A log query: KQL, or Elasticsearch's own language.
    pub(super) fn filter(&mut self, query: &Spanned<TextOr<String, Dsl>>) -> Option<LogFilter> {
        match &query.value {
            TextOr::Text(text) => {
                let text = Spanned { value: text.clone(), spot: query.spot };
                self.kql(&text).map(LogFilter::Kql)
            }
            TextOr::Mapping(Dsl { dsl }) if dsl.value.is_object() => {
                Some(LogFilter::Dsl(dsl.value.clone()))
            }
            TextOr::Mapping(Dsl { dsl }) => {
                let remedy = "write one such as {term: {\"event.action\": \"sent\"}}";
                self.refuse(dsl.spot, "a query in this language is a mapping", remedy)
            }
        }
    }

    /// A part without a name or an index needs a total of its own kind and source.
    fn refines(&mut self, total: &[Side], part: &Side, spot: Spot) {
        if !is_refinement(&part.events) {
            return;
        }
        let same = |side: &&Side| {
            matches!(
                (&side.events, &part.events),
                (Events::Metric(_), Events::Metric(_)) | (Events::Logs(_), Events::Logs(_))
            ) && (part.source.is_none() || part.source == side.source)
        };
        if total.iter().find(same).is_none() {
            let said = "without a name or an index this refines the total, but no total is of its \
                kind and source";
            self.fault(spot, said, "name the metric in front, or give the query its `index`");
        }
        let Events::Metric(part) = &part.events else { return };
        let mut refined = total.iter().filter(same).filter_map(|side| match &side.events {
            Events::Metric(selector) => Some(selector),
            Events::Logs(_) => None,
        });
        if let Some(label) =
            refined.try_fold(None, |_, total| excluded(part, total).map(Some)).flatten()
        {
            let said = format!(
                "the total has no series that this matches: both name `{label}`, and no value fits both"
            );
            self.warn(
                "part-never-matches",
                spot,
                &said,
                "let the total match this one's series, too",
            );
        }
    }
}

/// A label of which no value fits both.
fn excluded<'a>(part: &'a Selector, total: &Selector) -> Option<&'a str> {
    let apart =
        |a: &Matcher, b: &Matcher| a.label == b.label && a.op == Op::Equal && !b.matches(&a.value);
    let excludes = |mine: &&Matcher| {
        total.matchers.iter().any(|other| apart(mine, other) || apart(other, mine))
    };
    part.matchers.iter().find(excludes).map(|matcher| matcher.label.as_str())
}

fn is_refinement(events: &Events) -> bool {
    match events {
        Events::Metric(selector) => !Selector::is_named(selector),
        Events::Logs(logs) => logs.index.is_none(),
    }
}
