use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn bucket(good: i64, bad: i64) -> Bucket {
    Bucket { good, total: good + bad, measured: true, ..Bucket::default() }
}

fn naive(all: &BTreeMap<i64, Bucket>, from: i64, to: i64) -> Sums {
    let mut sums = Sums::default();
    for (_, bucket) in all.range(from..to.max(from)) {
        sums.add(bucket);
    }
    sums
}

#[test]
fn a_late_minute_changes_its_hour_and_every_window_it_lies_in() {
    let mut ledger = Ledger::new(2);
    for minute in 0..300 {
        ledger.replace(Minute(minute), &bucket(10, 1));
    }
    ledger.slide([0, 240].map(|from| (Minute(from), Minute(300))));
    ledger.replace(Minute(100), &bucket(5, 5));
    assert_eq!(ledger.slide_at(0).sums.bad(), 304);
    assert_eq!(ledger.slide_at(1).sums.bad(), 60);
    assert_eq!(ledger.fold(1).bad(), 64);
}

#[test]
fn an_hour_that_left_memory_is_wanted_before_an_edge_moves_over_it() {
    let mut ledger = Ledger::new(1);
    let mut disk = BTreeMap::new();
    for minute in 0..600 {
        ledger.replace(Minute(minute), &bucket(minute, 1));
    }
    for hour in 0..10 {
        disk.insert(hour, ledger.minutes(hour).unwrap().pack());
    }
    ledger.slide([(Minute(30), Minute(600))]);
    ledger.evict(Minute(420));
    assert!(ledger.bucket(Minute(45)).is_some(), "the hour under the edge stays");
    assert!(ledger.bucket(Minute(75)).is_none());
    assert_eq!(ledger.wants(0, Minute(61), Minute(601)).collect::<Vec<_>>(), [1]);
    ledger.load_minutes(1, Hour::unpack(&disk[&1]).unwrap());
    ledger.slide([(Minute(70), Minute(600))]);
    assert_eq!(ledger.slide_at(0).sums.good, (70..600).sum::<i64>());
}

#[test]
fn a_window_that_moved_without_its_minutes_is_summed_anew_when_they_come() {
    let mut ledger = Ledger::new(1);
    let mut first = Hour::default();
    for minute in 0..600 {
        ledger.replace(Minute(minute), &bucket(minute, 1));
        if minute < 60 {
            first.set(usize::try_from(minute).unwrap(), &bucket(minute, 1));
        }
    }
    ledger.slide([(Minute(0), Minute(600))]);
    ledger.minutes.retain(|hour| hour != 0);
    ledger.slide([(Minute(30), Minute(600))]);
    assert!(ledger.slide_at(0).inexact);
    ledger.load_minutes(0, first);
    ledger.slide([(Minute(31), Minute(600))]);
    assert_eq!(ledger.slide_at(0).sums.good, (31..600).sum::<i64>());
    assert!(!ledger.slide_at(0).inexact);
}

#[test]
fn marks_set_flags_and_keep_counts() {
    let mut ledger = Ledger::new(0);
    ledger.replace(Minute(5), &Bucket { total: 3, ..Bucket::default() });
    ledger.mark(Minute(5), true, false);
    let sums = ledger.sums(Minute(0), Minute(60));
    assert_eq!((sums.total, sums.measured, sums.partial), (3, 1, 0));
}

#[derive(Debug, Clone)]
enum Step {
    Put(i64, i64, i64, i64),
    Slide(i64, i64),
    Evict(i64),
    Forget(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..900_i64, 0..70_000_i64, 0..300_i64, 0..9_i64).prop_map(|(m, g, b, s)| Step::Put(m, g, b, s)),
        3 => (0..900_i64, 1..400_i64).prop_map(|(to, w)| Step::Slide(to, w)),
        1 => (0..900_i64).prop_map(Step::Evict),
        1 => (0..15_i64).prop_map(Step::Forget),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn counts_are_those_of_the_sums(
        minutes in prop::collection::vec((0..40_i64, 0..40_i64), 1..400),
        recent in 0..400_i64,
        spans in prop::collection::vec((-70..460_i64, -5..130_i64), 20),
    ) {
        let mut ledger = Ledger::new(0);
        for (minute, (good, bad)) in minutes.iter().enumerate() {
            ledger.replace(Minute(minute as i64), &bucket(*good, *bad));
        }
        ledger.evict(Minute(recent));
        for (from, length) in spans {
            let (from, to) = (Minute(from), Minute(from + length));
            let sums = ledger.sums(from, to);
            prop_assert_eq!(ledger.counts(from, to), (sums.bad(), sums.total));
        }
    }

    #[test]
    fn windows_always_equal_the_sum_of_their_minutes(steps in steps()) {
        let mut ledger = Ledger::new(3);
        let mut all: BTreeMap<i64, Bucket> = BTreeMap::new();
        let mut disk: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
        let load = |ledger: &mut Ledger, hours: Vec<i64>, disk: &BTreeMap<i64, Vec<u8>>| {
            for hour in hours {
                ledger.load_minutes(hour, Hour::unpack(&disk[&hour]).unwrap());
            }
        };
        for step in steps {
            match step {
                Step::Put(minute, good, bad, slack) => {
                    let hour = Minute(minute).hour();
                    if ledger.lacks(hour) {
                        load(&mut ledger, vec![hour], &disk);
                    }
                    let bucket = Bucket { slack, ..bucket(good, bad) };
                    ledger.replace(Minute(minute), &bucket);
                    all.insert(minute, bucket);
                    disk.insert(hour, ledger.minutes(hour).unwrap().pack());
                }
                Step::Slide(to, width) => {
                    let places = [1, 2, 3].map(|times| (Minute(to - width * times), Minute(to)));
                    for (at, (from, to)) in places.into_iter().enumerate() {
                        let wants = ledger.wants(at, from, to).collect();
                        load(&mut ledger, wants, &disk);
                    }
                    ledger.slide(places);
                }
                Step::Evict(recent) => ledger.evict(Minute(recent)),
                Step::Forget(hour) => {
                    ledger.forget_before(hour);
                    all.retain(|minute, _| Minute(*minute).hour() >= ledger.hours().start);
                }
            }
            for slide in ledger.slides() {
                prop_assert_eq!(slide.sums, naive(&all, slide.from.0, slide.to.0));
            }
        }
    }

    /// Whole days, days with gaps, days between which some are missing, and days that come late.
    #[test]
    fn hours_that_are_loaded_by_day_are_those_of_the_days(
        days in prop::collection::vec((0..9_i64, 0..24_usize, prop::bool::weighted(0.8), 0..60_000_i64, 0..3_i64), 1..12),
    ) {
        let (mut ledger, mut all) = (Ledger::default(), BTreeMap::new());
        for (day, from, whole, rate, step) in days {
            let mut hours = Day::default();
            for hour in (if whole { 0 } else { from })..24 {
                let total = rate + step * hour as i64 % 7;
                let sums = Sums { good: total - step, total, measured: 60, ..Sums::default() };
                hours.set(hour, &sums);
                all.insert(day * 24 + hour as i64, sums);
            }
            ledger.load_day(day, &Day::unpack(&hours.pack()).unwrap());
        }
        for hour in -3..240 {
            prop_assert_eq!(ledger.fold(hour), all.get(&hour).copied().unwrap_or_default());
        }
        let mut sums = Sums::default();
        all.values().for_each(|one| sums.combine(one, 1));
        prop_assert_eq!(ledger.sums(Minute(0), Minute(240 * 60)), sums);
    }
}
