//! Whether a query leaves out the list of values that its SLOs want of a label. It does where the source
//! has hardly any others, which the source is asked for, and what it gives goes on to show.

use slo_core::plan::Wide;

use super::Intake;

/// Unix milliseconds in which a query stays as it is after leaving out the list was found to be no good.
const HOUR: i64 = 3_600_000;

/// How a query is asked.
#[derive(Debug, Default)]
pub(super) struct Width {
    /// Without its list of values.
    wide: Option<Wide>,
    /// Not to be looked at again before this instant, Unix milliseconds.
    until: i64,
    /// Series since the last judgement, and how many of them no SLO wants.
    series: usize,
    unwanted: usize,
}

impl Width {
    /// Notes a series that the query showed.
    pub(super) const fn saw(&mut self, is_wanted: bool) {
        self.series += 1;
        self.unwanted += if is_wanted { 0 } else { 1 };
    }

    fn narrow(&mut self, now: i64) {
        (self.wide, self.until) = (None, now + HOUR);
    }
}

impl Intake {
    /// Lets queries leave out lists of values from now on.
    pub fn may_widen(&mut self) {
        self.widths.resize_with(self.queries.len(), Width::default);
    }

    /// Queries of which the source is to be asked, by number, whether their lists of values are needed.
    #[must_use]
    pub fn lists(&self, now: i64) -> Vec<(usize, Wide)> {
        let open = |(_, width): &(usize, &Width)| width.wide.is_none() && width.until <= now;
        let all = self.widths.iter().enumerate().filter(open);
        all.filter_map(|(query, _)| Some((query, self.queries[query].0.wide()?))).collect()
    }

    /// Takes which values the source has for the label of a list; none when it did not say.
    pub fn widen(&mut self, query: usize, wide: Wide, there: Option<&[String]>, now: i64) {
        let others = there.map(|all| all.iter().filter(|value| !wide.wanted.contains(*value)));
        let width = &mut self.widths[query];
        width.narrow(now);
        if others.is_some_and(|others| others.count() <= wide.wanted.len() / 8) {
            width.wide = Some(wide);
        }
    }

    /// What to ask for, by number of the query.
    #[must_use]
    pub fn selectors(&self) -> Vec<String> {
        let selector = |(at, query): (usize, &slo_core::plan::Query)| {
            let wide = self.widths.get(at).and_then(|width| width.wide.as_ref());
            wide.map_or(&query.selector, |wide| &wide.selector).to_string()
        };
        self.queries().enumerate().map(selector).collect()
    }

    /// After a read at `now` (Unix milliseconds): a list whose lack brought much that no SLO wants is
    /// not left out for a while. Nor is it when the read failed: perhaps there was too much to read.
    pub fn judge_widths(&mut self, is_whole: bool, now: i64) {
        for width in &mut self.widths {
            let is_no_good = !is_whole || width.unwanted > width.series / 4;
            if width.wide.is_some() && is_no_good {
                width.narrow(now);
            }
            (width.series, width.unwanted) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use slo_core::counter::{Rules, Sample};
    use slo_core::labels::Labels;
    use slo_core::plan::{Defaults, shares};
    use slo_core::time::{Minute, Span};

    use super::*;

    const NOW: i64 = 6_000_000;

    fn name(service: usize) -> String {
        format!("s-{service:02}")
    }

    /// Forty services that share a metric.
    fn intake() -> Intake {
        let mut text = String::new();
        for service in 0..40 {
            let name = name(service);
            let _ = write!(
                text,
                "---\napiVersion: headroom/v1\nkind: Service\nservice: {name}\ntier: 1\nenvironment: p\n\
                 slos:\n  - name: x\n    objective: 99%\n    indicator: \
                 {{ratio: {{total: 't_total{{app=\"{name}\",env=\"p\"}}', bad: '{{code=\"500\"}}'}}}}\n"
            );
        }
        let set = slo_core::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
        let rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(60) };
        let slos = set.services.iter().flat_map(|service| &service.slos);
        let fed =
            slos.map(|slo| (Arc::new(shares(slo, Defaults::default()).remove(0).feeds), rules));
        let mut intake = Intake::new(fed.collect(), Minute(0), 10_000);
        assert!(intake.lists(NOW).is_empty(), "nobody said that it may");
        intake.may_widen();
        intake
    }

    /// Answers what is asked with so many services.
    fn widened(services: usize) -> Intake {
        let mut intake = intake();
        let (query, wide) = intake.lists(NOW).remove(0);
        assert_eq!((query, wide.label.as_str(), wide.wanted.len()), (0, "app", 40));
        let there: Vec<String> = (0..services).map(name).collect();
        intake.widen(query, wide, Some(&there), NOW);
        intake
    }

    /// Takes a sample of each of so many services.
    fn read(intake: &mut Intake, services: usize) -> i64 {
        for service in 0..services {
            let name = name(service);
            let labels = [("__name__", "t_total"), ("app", &name), ("env", "p"), ("code", "200")];
            for (at, value) in [(60_000, 1.0), (120_000, 3.0)] {
                intake.take(0, &Labels::new(labels), &[Sample { at, value }], None);
            }
        }
        let outcomes = intake.settle(&|_, _| None, 120_000);
        let buckets = outcomes.iter().flat_map(|(_, outcome)| &outcome.buckets);
        buckets.map(|(_, bucket)| bucket.total).sum()
    }

    const WIDE: &str = "t_total{env=\"p\"}";

    #[test]
    fn a_list_is_left_out_where_at_most_an_eighth_of_what_is_there_is_not_in_it() {
        assert_eq!(widened(40).selectors(), [WIDE]);
        assert_eq!(widened(45).selectors(), [WIDE]);
        let narrow = widened(46);
        assert!(narrow.selectors()[0].contains("s-00|s-01|"));
        assert_eq!((narrow.lists(NOW + HOUR - 1).len(), narrow.lists(NOW + HOUR).len()), (0, 1));
    }

    #[test]
    fn a_source_that_does_not_tell_is_asked_with_the_list() {
        let mut intake = intake();
        let (query, wide) = intake.lists(NOW).remove(0);
        intake.widen(query, wide, None, NOW);
        assert!(intake.selectors()[0].contains("s-00|"));
        assert!(intake.lists(NOW).is_empty());
    }

    #[test]
    fn services_that_no_slo_names_count_nowhere_and_bring_the_list_back_when_they_are_many() {
        let mut intake = widened(40);
        assert_eq!(read(&mut intake, 50), 80);
        intake.judge_widths(true, NOW);
        assert_eq!(intake.selectors(), [WIDE], "a fifth is not wanted");
        assert_eq!(read(&mut intake, 60), 0);
        intake.judge_widths(true, NOW);
        assert!(intake.selectors()[0].contains("s-00|"), "a third is not wanted");
    }

    #[test]
    fn what_came_with_the_list_does_not_speak_for_what_comes_without_it() {
        let mut intake = intake();
        for _ in 0..5 {
            read(&mut intake, 40);
            intake.judge_widths(true, NOW);
        }
        let (query, wide) = intake.lists(NOW).remove(0);
        intake.widen(query, wide, Some(&[]), NOW);
        read(&mut intake, 60);
        intake.judge_widths(true, NOW);
        assert!(intake.selectors()[0].contains("s-00|"), "a third is not wanted");
    }

    #[test]
    fn after_a_failed_read_the_list_is_there() {
        let mut intake = widened(40);
        intake.judge_widths(false, NOW);
        assert!(intake.selectors()[0].contains("s-00|"));
    }
}
