use std::collections::BTreeMap;

use proptest::prelude::*;

use super::oracle::{self, Series};
use super::*;

const RULES: Rules = Rules { look_back: Span::minutes(5), max_gap: Span::minutes(360) };
const BAD: Weights = Weights { total: 1, good: 0, slack: 0 };
const GOOD: Weights = Weights { total: 1, good: 1, slack: 0 };

type Buckets = BTreeMap<Minute, Bucket>;

fn target(instance: &str) -> TargetKey {
    TargetKey { job: "shop".into(), instance: instance.into() }
}

fn series(instance: &str, weights: Weights, samples: &[(i64, f64)]) -> Series {
    let samples = samples.iter().map(|(s, v)| Sample { at: s * 1_000, value: *v }).collect();
    Series { target: target(instance), weights, kind: Kind::Counter, samples }
}

fn batch(series: u32, samples: &[Sample]) -> SeriesBatch<'_> {
    SeriesBatch { series, samples, created: None, tail: None, counts: true }
}

/// Counts all series in batches that end at the given seconds. After each, what is gone for longer
/// than a gap can be is forgotten, and registered anew when it comes back.
fn counted(all: &[Series], cuts: &[i64], starts: Starts<'_>) -> BTreeMap<Minute, Bucket> {
    told_apart(all, cuts, starts).0
}

/// The same with what subsets count: the series belong to the one and to the other by turns.
fn told_apart(all: &[Series], cuts: &[i64], starts: Starts<'_>) -> (Buckets, [Buckets; 2]) {
    let mut counter = Counter::new(RULES, Minute(0));
    let subset = |value: &str| Arc::new(Subset::Attribute("side".into(), Some(value.into())));
    let subsets = [subset("even"), subset("odd")].map(|subset| counter.add_subset(subset));
    let mut of_subsets = [Buckets::new(), Buckets::new()];
    let mut ids: Vec<Option<u32>> = vec![None; all.len()];
    let mut out = BTreeMap::new();
    let mut from = i64::MIN;
    for cut in cuts.iter().map(|s| s * 1_000).chain([i64::MAX / 4]) {
        let slices: Vec<Vec<Sample>> = all
            .iter()
            .map(|s| s.samples.iter().copied().filter(|x| from < x.at && x.at <= cut).collect())
            .collect();
        for (at, s) in all.iter().enumerate().filter(|(at, _)| !slices[*at].is_empty()) {
            ids[at].get_or_insert_with(|| {
                let id = counter.register(&s.target, s.weights, s.kind);
                counter.assign(id, [subsets[at % 2]].into());
                id
            });
        }
        let known = ids.iter().zip(&slices);
        let batch: Vec<SeriesBatch<'_>> =
            known.filter_map(|(id, samples)| Some(batch((*id)?, samples))).collect();
        let read_to = cut.min(1_200_000_000);
        let outcome = counter.fold(&batch, starts, read_to);
        out.extend(outcome.buckets);
        for of in outcome.subsets {
            of_subsets[usize::from(*of.subset == *subset("odd"))].extend(of.buckets);
        }
        for mark in outcome.marks {
            let bucket: &mut Bucket = out.entry(mark.minute).or_default();
            bucket.measured |= mark.measured;
            bucket.partial |= mark.partial;
        }
        counter.close(Minute::of_millis(read_to - 15_000));
        let moves = counter.prune(read_to - RULES.max_gap.as_millis() - 3_600_000);
        ids.iter_mut().for_each(|id| *id = id.and_then(|old| moves[old as usize]));
        from = cut;
    }
    out.retain(|_, b| !b.is_empty());
    (out, of_subsets)
}

fn total(all: &[Series]) -> (i64, i64) {
    let out = counted(all, &[], &|_, _| None);
    (out.values().map(|b| b.good).sum(), out.values().map(|b| b.total).sum())
}

#[test]
fn a_reset_counts_the_new_value_in_full() {
    assert_eq!(total(&[series("a", GOOD, &[(0, 100.0), (60, 150.0), (120, 30.0)])]).1, 80);
}

#[test]
fn a_dip_of_less_than_5_percent_counts_nothing_until_the_maximum_is_passed() {
    let dip = [(0, 1_000.0), (60, 980.0), (120, 990.0), (180, 1_003.0)];
    assert_eq!(total(&[series("a", GOOD, &dip)]).1, 3);
    let reset = [(0, 999.0), (60, 980.0)];
    assert_eq!(total(&[series("a", GOOD, &reset)]).1, 980);
    let fall = [(0, 1_000.0), (60, 949.0)];
    assert_eq!(total(&[series("a", GOOD, &fall)]).1, 949);
}

#[test]
fn a_gap_counts_at_the_later_sample_and_leaves_the_minutes_between_unmeasured() {
    let out = counted(
        &[series("a", GOOD, &[(0, 0.0), (60, 1.0), (3_660, 61.0), (3_720, 62.0)])],
        &[],
        &|_, _| None,
    );
    assert_eq!((out[&Minute(61)].total, out[&Minute(61)].measured), (60, true));
    assert_eq!(out[&Minute(61)].lump.unwrap().from, Minute(1));
    assert!(!out.contains_key(&Minute(30)));
}

#[test]
fn a_difference_over_more_than_max_gap_is_dropped_and_shown() {
    let late = 60 + 6 * 3_600 + 1;
    let out =
        counted(&[series("a", GOOD, &[(0, 5.0), (60, 6.0), (late, 50.0)])], &[], &|_, _| None);
    let last = out[&Minute::of_millis(late * 1_000)];
    assert_eq!((last.total, last.dropped), (0, 50));
}

#[test]
fn a_child_that_appears_on_a_known_target_counts_its_first_value_in_full() {
    let ok = series("a", GOOD, &[(0, 10.0), (60, 20.0), (120, 30.0)]);
    let errors = series("a", BAD, &[(120, 7.0)]);
    assert_eq!(total(&[ok, errors]), (20, 27));
}

#[test]
fn a_first_sight_of_a_whole_target_counts_nothing() {
    let out = counted(
        &[series("a", GOOD, &[(0, 1_000.0)]), series("a", BAD, &[(0, 7.0)])],
        &[],
        &|_, _| None,
    );
    assert_eq!((out[&Minute(0)].total, out[&Minute(0)].dropped), (0, 1_007));
}

#[test]
fn a_new_target_counts_in_full_only_if_its_process_began_after_the_jobs_previous_scrape() {
    let old = series("a", GOOD, &[(40, 10.0), (100, 20.0)]);
    let new = series("b", BAD, &[(101, 7.0)]);
    for (start, bad) in [(39_000, 0), (40_000, 0), (40_001, 0), (100_001, 7)] {
        let out = counted(&[old.clone(), new.clone()], &[], &|_, _| Some(start));
        let counted: i64 = out.values().map(|b| b.total - b.good).sum();
        assert_eq!(counted, bad, "{start}");
    }
    let before = series("b", BAD, &[(99, 7.0)]);
    for cuts in [vec![], vec![100]] {
        let out = counted(&[old.clone(), before.clone()], &cuts, &|_, _| Some(41_000));
        assert_eq!(out.values().map(|b| b.assumed).sum::<i64>(), 7);
    }
}

#[test]
fn duplicates_and_older_samples_are_ignored() {
    let mut counter = Counter::new(RULES, Minute(0));
    let id = counter.register(&target("a"), GOOD, Kind::Counter);
    let mut out = Buckets::new();
    for samples in [[(60, 5.0), (120, 9.0)], [(60, 1.0), (120, 9.0)], [(90, 7.0), (180, 10.0)]] {
        let samples = samples.map(|(s, value)| Sample { at: s * 1_000, value });
        let outcome = counter.fold(
            &[SeriesBatch {
                series: id,
                samples: &samples,
                created: None,
                tail: None,
                counts: true,
            }],
            &|_, _| None,
            200_000,
        );
        out.extend(outcome.buckets);
    }
    assert_eq!(out.values().map(|b| b.total).sum::<i64>(), 5);
}

#[test]
fn a_value_that_is_no_count_is_shown_and_not_counted() {
    for value in [f64::NAN, f64::INFINITY, -1.0, 0.5, 9_007_199_254_740_992.0] {
        let all = [series("a", GOOD, &[(0, 1.0), (60, value), (120, 4.0)])];
        let out = counted(&all, &[], &|_, _| None);
        assert!(out[&Minute(1)].invalid, "{value}");
        assert_eq!(out.values().map(|b| b.total).sum::<i64>(), 3);
    }
}

#[test]
fn each_sample_of_a_gauge_is_one_event() {
    let mut gauge = series("a", BAD, &[(0, 999.0), (30, 1_000.0), (60, f64::NAN), (90, 3.5)]);
    gauge.kind = Kind::Gauge(crate::sli::Range::Below(1_000.0));
    assert_eq!(total(&[gauge]), (2, 3));
}

#[test]
fn a_gauge_that_is_not_a_number_is_no_sample() {
    let samples: Vec<(i64, f64)> = (0..30).map(|i| (i * 60, f64::NAN)).collect();
    let mut gauge = series("a", GOOD, &samples);
    gauge.kind = Kind::Gauge(crate::sli::Range::Below(1_000.0));
    let out = counted(&[gauge], &[], &|_, _| None);
    assert!(out.values().all(|bucket| *bucket == Bucket::default()), "{out:?}");
}

#[test]
fn a_minute_is_partial_when_more_than_a_fifth_of_the_targets_are_missing() {
    let whole: Vec<(i64, f64)> = (0..60).map(|i| (i * 60, 1.0)).collect();
    let mut all: Vec<Series> =
        ["a", "b", "c", "d"].iter().map(|i| series(i, GOOD, &whole)).collect();
    all.push(series("e", GOOD, &whole[..30]));
    let out = counted(&all, &[], &|_, _| None);
    assert!(out.values().all(|b| !b.partial), "one of five is a fifth, not more");
    all.remove(0);
    let out = counted(&all, &[], &|_, _| None);
    assert!(!out[&Minute(29)].partial && out[&Minute(30)].partial && out[&Minute(45)].partial);
}

#[test]
fn pruning_forgets_old_series_and_renumbers_the_rest() {
    let mut counter = Counter::new(RULES, Minute(0));
    let ids: Vec<u32> =
        ["a", "b"].iter().map(|t| counter.register(&target(t), GOOD, Kind::Counter)).collect();
    let sample = |s: i64| [Sample { at: s * 1_000, value: 1.0 }];
    counter.fold(
        &[SeriesBatch {
            series: ids[0],
            samples: &sample(60),
            created: None,
            tail: None,
            counts: true,
        }],
        &|_, _| None,
        0,
    );
    counter.fold(
        &[SeriesBatch {
            series: ids[1],
            samples: &sample(600),
            created: None,
            tail: None,
            counts: true,
        }],
        &|_, _| None,
        0,
    );
    assert_eq!(counter.prune(100_000), [None, Some(0)]);
    assert_eq!((counter.series(), counter.targets.len()), (1, 1));
}

fn any_series() -> impl Strategy<Value = Series> {
    let step = prop_oneof![8 => Just(60_i64), 2 => 1_i64..400, 1 => 20_000_i64..24_000];
    let change = prop_oneof![6 => 0_i64..50, 1 => Just(-1_i64), 1 => Just(-2_i64)];
    (0..3_usize, any::<bool>(), 0..600_i64, prop::collection::vec((step, change), 1..40)).prop_map(
        |(instance, good, start, steps)| {
            let (mut at, mut value) = (start, 1_200_i64);
            let mut samples = vec![(at, value as f64)];
            for (step, change) in steps {
                at += step;
                value = match change {
                    -1 => 3,
                    -2 => value * 97 / 100,
                    more => value + more,
                };
                samples.push((at, value as f64));
            }
            series(["a", "b", "c"][instance], if good { GOOD } else { BAD }, &samples)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_into_batches_counts_what_the_naive_rules_count(
        all in prop::collection::vec(any_series(), 1..6),
        mut cuts in prop::collection::vec(0_i64..100_000, 0..12),
        start in 0_i64..40_000,
    ) {
        cuts.sort_unstable();
        let starts = |_: &TargetKey, at: i64| Some(at - start);
        let naive = oracle::buckets(&all, RULES, &starts, Minute(0), Minute(20_000));
        prop_assert_eq!(&counted(&all, &[], &starts), &naive);
        let (whole, subsets) = told_apart(&all, &cuts, &starts);
        prop_assert_eq!(&whole, &naive);
        let uncounted = Bucket { measured: false, partial: false, ..Bucket::default() };
        for (minute, bucket) in &whole {
            let of = |subset: &Buckets| subset.get(minute).copied().unwrap_or(uncounted);
            let sum = of(&subsets[0]).plus(&of(&subsets[1]));
            let expected = Bucket { measured: false, partial: false, ..*bucket };
            prop_assert_eq!(sum, expected, "subsets add up to the whole, minute by minute");
        }
        for (parity, subset) in subsets.iter().enumerate() {
            let mine: Vec<Series> = all.iter().skip(parity).step_by(2).cloned().collect();
            let events = mine.iter().any(|series| !series.samples.is_empty());
            prop_assert!(events || subset.is_empty());
        }
    }
}

#[test]
fn notes_tell_samples_resets_and_what_each_series_added() {
    let mut counter = Counter::new(RULES, Minute(1));
    counter.keep_notes();
    let good = counter.register(&target("a"), GOOD, Kind::Counter);
    let bad = counter.register(&target("a"), BAD, Kind::Counter);
    let samples = |all: &[(i64, f64)]| -> Vec<Sample> {
        all.iter().map(|(s, value)| Sample { at: s * 1_000, value: *value }).collect()
    };
    let first = samples(&[(0, 100.0), (60, 150.0), (120, 30.0), (180, 30.0)]);
    let second = samples(&[(120, 7.0)]);
    let batch = [(good, &first), (bad, &second)].map(|(series, samples)| SeriesBatch {
        series,
        samples,
        created: None,
        tail: None,
        counts: true,
    });
    let outcome = counter.fold(&batch, &|_, _| None, 180_000);
    let (all, resets) = (counter.note(good).unwrap(), 1);
    let seen = (all.first, all.last, all.samples, all.resets, all.total, all.good);
    assert_eq!(seen, (60_000, 180_000, 3, resets, 80, 80), "the sample at 0 only makes the tail");
    let born = counter.note(bad).unwrap();
    assert_eq!((born.samples, born.total, born.good), (1, 7, 0));
    let (total, good): (i64, i64) =
        outcome.buckets.iter().fold((0, 0), |(t, g), (_, b)| (t + b.total, g + b.good));
    assert_eq!((total, good), (87, 80), "what the series added is what the buckets hold");
}

#[test]
fn notes_follow_their_series_when_others_are_forgotten() {
    let mut counter = Counter::new(RULES, Minute(0));
    counter.keep_notes();
    let old = counter.register(&target("old"), GOOD, Kind::Counter);
    let new = counter.register(&target("new"), GOOD, Kind::Counter);
    let sample = |at, value| [Sample { at, value }];
    let (a, b) = (sample(1_000, 1.0), sample(900_000, 2.0));
    let batch = [(old, &a), (new, &b)].map(|(series, samples)| SeriesBatch {
        series,
        samples,
        created: None,
        tail: None,
        counts: true,
    });
    counter.fold(&batch, &|_, _| None, 900_000);
    assert_eq!(counter.prune(500_000), [None, Some(0)]);
    assert_eq!(counter.note(0).unwrap().last, 900_000);
    assert!(counter.note(1).is_none());
}
