//! The rules of counting written down naively, to test the real thing against: looks at all samples
//! of all series for every question, in no particular order.

use std::collections::BTreeMap;

use super::{Kind, Rules, Sample, TargetKey, Weights};
use crate::bucket::Bucket;
use crate::time::Minute;

#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) target: TargetKey,
    pub(crate) weights: Weights,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) fn buckets(
    all: &[Series],
    rules: Rules,
    start_of: &dyn Fn(&TargetKey, i64) -> Option<i64>,
    from: Minute,
    to: Minute,
) -> BTreeMap<Minute, Bucket> {
    let mut out: BTreeMap<Minute, Bucket> = BTreeMap::new();
    for series in all {
        count(series, all, rules, start_of, &mut out);
    }
    for minute in (from.0..to.0).map(Minute) {
        let covers = |s: &Series| covered(s, minute, rules);
        let totals: Vec<&Series> = all.iter().filter(|s| s.weights.total != 0).collect();
        if !totals.iter().any(|s| covers(s)) {
            continue;
        }
        let seen: Vec<&TargetKey> = totals
            .iter()
            .filter(|s| {
                s.samples.iter().any(|x| (1..=60).contains(&(minute - Minute::of_millis(x.at))))
            })
            .map(|s| &s.target)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let missing =
            seen.iter().filter(|t| !totals.iter().any(|s| s.target == ***t && covers(s))).count();
        let bucket = out.entry(minute).or_default();
        bucket.measured = true;
        bucket.partial = missing * 5 > seen.len();
    }
    out.retain(|minute, bucket| (from..to).contains(minute) && !bucket.is_empty());
    out
}

fn covered(series: &Series, minute: Minute, rules: Rules) -> bool {
    series.samples.windows(2).any(|pair| {
        pair[1].at - pair[0].at <= rules.look_back.as_millis()
            && pair[0].at < (minute + 1).start_millis()
            && pair[1].at >= minute.start_millis()
    })
}

fn count(
    series: &Series,
    all: &[Series],
    rules: Rules,
    start_of: &dyn Fn(&TargetKey, i64) -> Option<i64>,
    out: &mut BTreeMap<Minute, Bucket>,
) {
    let mut tail: Option<(i64, i64)> = None;
    for sample in &series.samples {
        let bucket = out.entry(Minute::of_millis(sample.at)).or_default();
        if let Kind::Gauge(range) = series.kind {
            bucket.total += 1;
            bucket.good += i64::from(range.holds(sample.value));
            continue;
        }
        let value = sample.value as i64;
        let mut add = |events: i64, gap: Option<i64>| {
            let total = events * i64::from(series.weights.total);
            let good = events * i64::from(series.weights.good);
            bucket.total += total;
            bucket.good += good;
            bucket.slack += events * i64::from(series.weights.slack);
            if let (Some(at), true) = (gap, events > 0) {
                let lump = crate::bucket::Lump { from: Minute::of_millis(at), good, total };
                bucket.lump = Some(lump.joined(bucket.lump));
            }
        };
        match tail {
            Some((at, before)) if sample.at - at <= rules.max_gap.as_millis() => {
                if value < before && before >= 1_000 && value * 100 >= before * 95 {
                    tail = Some((sample.at, before));
                    continue;
                }
                let gap = (sample.at - at > rules.look_back.as_millis()).then_some(at);
                add(if value < before { value } else { value - before }, gap);
            }
            _ => {
                let full = birth_counts(series, sample.at, all, rules, start_of);
                if full {
                    add(value, None);
                }
                let events = value * i64::from(series.weights.total);
                *(if full { &mut bucket.assumed } else { &mut bucket.dropped }) += events;
            }
        }
        tail = Some((sample.at, value));
    }
}

fn birth_counts(
    series: &Series,
    at: i64,
    all: &[Series],
    rules: Rules,
    start_of: &dyn Fn(&TargetKey, i64) -> Option<i64>,
) -> bool {
    let earlier = |same: &dyn Fn(&Series) -> bool| {
        all.iter()
            .filter(|s| same(s))
            .flat_map(|s| &s.samples)
            .map(|x| x.at)
            .filter(|t| *t < at && at - t <= rules.max_gap.as_millis())
            .max()
    };
    if earlier(&|s| s.target == series.target).is_some() {
        return true;
    }
    let scrape = earlier(&|s| s.target.job == series.target.job);
    scrape.zip(start_of(&series.target, at)).is_some_and(|(scrape, start)| start > scrape)
}
