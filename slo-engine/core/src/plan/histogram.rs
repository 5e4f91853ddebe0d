//! Which series of a histogram tell of a latency threshold.

use std::borrow::Cow;

use crate::counter::Weights;
use crate::labels::Labels;
use crate::selector::Selector;

/// The buckets around a threshold, by the spellings of `le` that the source has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edges {
    /// The largest boundary at or below the threshold; `None` when all are above.
    pub lower: Option<f64>,
    /// The smallest boundary above the threshold; `None` when `lower` is the threshold itself.
    pub upper: Option<f64>,
    /// All spellings of these boundaries and of +Inf (`0.5`, `0.50`, `5e-1`).
    pub spellings: Vec<String>,
    /// Series have had different boundaries: all are read, and what is nearest to the threshold is
    /// found anew for every sample.
    pub mixed: bool,
    /// Whether native histograms are read.
    pub native: bool,
}

impl Edges {
    /// Finds the buckets around `under` among the values that `le` has; `None` when there are none.
    #[must_use]
    pub fn around(under: f64, les: &[String]) -> Option<Self> {
        let bounds: Vec<f64> = les.iter().filter_map(|le| canonical_le(le)).collect();
        if !bounds.iter().any(|b| b.is_infinite()) {
            return None;
        }
        let lower = bounds.iter().copied().filter(|b| *b <= under).max_by(f64::total_cmp);
        let exact = lower.is_some_and(|l| l >= under);
        let above = bounds.iter().copied().filter(|b| *b > under).min_by(f64::total_cmp);
        let upper = above.filter(|_| !exact);
        let wanted = |le: &String| {
            canonical_le(le).is_some_and(|b| b.is_infinite() || same(lower, b) || same(upper, b))
        };
        Some(Self {
            lower,
            upper,
            spellings: les.iter().filter(|le| wanted(le)).cloned().collect(),
            // Better buckets than none may come.
            mixed: lower.is_none(),
            native: false,
        })
    }

    /// The same, for a server that has native histograms (too).
    #[must_use]
    pub fn and_native(classic: Option<Self>) -> Self {
        Self { native: true, ..classic.unwrap_or_default() }
    }

    /// Whether classic buckets are read.
    #[must_use]
    pub const fn has_classic(&self) -> bool {
        !self.spellings.is_empty()
    }

    /// Whether the threshold is a bucket boundary.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.upper.is_none()
    }

    pub(super) fn selectors(&self, histogram: &Selector) -> Vec<Selector> {
        let mut classic = buckets(histogram);
        if !self.mixed {
            classic.matchers.push(super::any_of("le", self.spellings.iter().map(String::as_str)));
        }
        let native = self.native.then(|| histogram.clone());
        self.has_classic().then_some(classic).into_iter().chain(native).collect()
    }

    pub(super) fn weights(&self, histogram: &Selector, under: f64, labels: &Labels) -> Weights {
        let mut weights = Weights::default();
        let bound = canonical_le(labels.get("le"));
        let (Some(bound), true) = (bound, buckets(histogram).matches(labels)) else {
            return weights;
        };
        if bound.is_infinite() {
            weights.total = 1;
        }
        if self.mixed {
            weights.good = i32::from(bound <= under);
            weights.slack =
                i32::from(bound > under && bound.is_finite()) - i32::from(bound < under);
            return weights;
        }
        if same(self.lower, bound) {
            weights.good = 1;
            weights.slack -= i32::from(!self.is_exact());
        }
        if same(self.upper, bound) {
            weights.slack += 1;
        }
        weights
    }
}

fn buckets(histogram: &Selector) -> Selector {
    histogram.with_metric(&format!("{}_bucket", histogram.metric().unwrap_or_default()))
}

fn same(edge: Option<f64>, bound: f64) -> bool {
    edge.is_some_and(|e| e.total_cmp(&bound).is_eq())
}

/// The boundary that a value of `le` spells; +Inf for the last bucket.
#[must_use]
pub fn canonical_le(le: &str) -> Option<f64> {
    le.parse::<f64>().ok().filter(|b| !b.is_nan())
}

/// `0.50` and `5e-1` are the boundary 0.5; a server that changes its spelling starts no new series.
#[must_use]
pub fn one_spelling(le: Cow<'_, str>) -> Cow<'_, str> {
    match canonical_le(&le) {
        Some(bound) if bound.is_infinite() => Cow::Borrowed("+Inf"),
        Some(bound) => Cow::Owned(bound.to_string()),
        None => le,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn les(all: &[&str]) -> Vec<String> {
        all.iter().map(|s| (*s).to_owned()).collect()
    }

    fn series(le: &str) -> Labels {
        Labels::new([("__name__", "x_seconds_bucket"), ("le", le)])
    }

    #[test]
    fn a_threshold_on_a_boundary_is_exact_in_every_spelling() {
        let spelled = les(&["0.25", "0.50", "5e-1", "0.5", "1.0", "+Inf"]);
        let edges = Edges::around(0.5, &spelled).unwrap();
        assert!(edges.is_exact());
        assert_eq!(edges.spellings, ["0.50", "5e-1", "0.5", "+Inf"]);
        let histogram = Selector::parse("x_seconds").unwrap();
        assert_eq!(
            edges.weights(&histogram, 0.5, &series("5e-1")),
            Weights { total: 0, good: 1, slack: 0 }
        );
        assert_eq!(
            edges.weights(&histogram, 0.5, &series("+Inf")),
            Weights { total: 1, good: 0, slack: 0 }
        );
        assert_eq!(edges.weights(&histogram, 0.5, &series("1.0")), Weights::default());
    }

    #[test]
    fn a_threshold_between_boundaries_takes_the_lower_bucket_and_keeps_both_bounds() {
        let edges = Edges::around(0.3, &les(&["0.25", "0.5", "+Inf"])).unwrap();
        assert_eq!((edges.lower, edges.upper), (Some(0.25), Some(0.5)));
        let histogram = Selector::parse("x_seconds").unwrap();
        assert_eq!(
            edges.weights(&histogram, 0.3, &series("0.25")),
            Weights { total: 0, good: 1, slack: -1 }
        );
        assert_eq!(
            edges.weights(&histogram, 0.3, &series("0.5")),
            Weights { total: 0, good: 0, slack: 1 }
        );
    }

    #[test]
    fn a_threshold_beyond_the_last_boundary_may_lie_in_the_infinite_bucket() {
        let edges = Edges::around(30.0, &les(&["1", "10", "+Inf"])).unwrap();
        let histogram = Selector::parse("x_seconds").unwrap();
        assert_eq!(
            edges.weights(&histogram, 30.0, &series("+Inf")),
            Weights { total: 1, good: 0, slack: 1 }
        );
        assert_eq!(Edges::around(1.0, &les(&["1"])), None, "no +Inf, no histogram");
    }

    #[test]
    fn mixed_boundaries_are_all_read_and_each_says_on_which_side_it_lies() {
        let edges = Edges { mixed: true, ..Edges::around(0.4, &les(&["0.3", "+Inf"])).unwrap() };
        let histogram = Selector::parse("x_seconds{a=\"1\"}").unwrap();
        let texts: Vec<String> =
            edges.selectors(&histogram).iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["x_seconds_bucket{a=\"1\"}"]);
        let of = |le| {
            let labels = Labels::new([("__name__", "x_seconds_bucket"), ("a", "1"), ("le", le)]);
            let Weights { total, good, slack } = edges.weights(&histogram, 0.4, &labels);
            (total, good, slack)
        };
        assert_eq!(
            [of("0.25"), of("0.4"), of("0.5"), of("+Inf")],
            [(0, 1, -1), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
        );
    }
}
