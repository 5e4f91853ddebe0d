//! Each number of an example that is worked by hand.

use std::sync::Arc;

use super::*;
use crate::bucket::{Bucket, Lump};
use crate::budget::Facts;
use crate::slo::Slo;
use crate::spec;
use crate::time::Span;
use crate::view::{BudgetView, State, WindowView};

/// The SLO of a service with these keys.
fn slo(keys: &str) -> Arc<Slo> {
    let text = format!(
        "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\nslos:\n  \
         - {{name: x, objective: 99%, {keys}}}\n"
    );
    let set = spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
    set.services[0].slos[0].clone()
}

const RATIO: &str = "alerts: none, indicator: {ratio: {total: t, bad: b}}";
const RAW: &str = "alerts: none, indicator: {raw: {goodRatio: 'r'}}";

/// A Monday, 00:00 UTC.
const MONDAY: i64 = 29_701_440;

/// An account of which so many of the 100 events of each minute from Monday on are bad.
fn account(keys: &str, minutes: i64, bad: impl Fn(i64) -> i64) -> Account {
    let mut account = Account::new(slo(keys), &[Span::minutes(60)]);
    for minute in 0..minutes {
        let good = 100 - bad(minute);
        let bucket = Bucket { good, total: 100, measured: true, ..Bucket::default() };
        account.replace(Minute(MONDAY + minute), &bucket);
    }
    account
}

fn excluded(runs: &[(i64, i64)]) -> Excluded {
    Excluded::new(runs.iter().map(|(from, to)| (Minute(MONDAY + from), Minute(MONDAY + to))))
}

fn view(account: &mut Account, end: i64) -> BudgetView {
    let end = Minute(MONDAY + end);
    account.advance(end);
    let (now, newest) = (end.start(), Some(end - 1));
    account.view(Facts { now, data_until: Some(now), newest, ..Facts::default() })
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

fn without(window: &WindowView) -> (Option<f64>, Option<f64>) {
    window.without_exclusions.map_or((None, None), |w| (w.spent, w.remaining))
}

/// A day with an hour at 50 % errors from 10:00 on, and 1 % from 12:00 to 13:00.
fn bad(minute: i64) -> i64 {
    match minute / 60 {
        10 => 50,
        12 => 1,
        _ => 0,
    }
}

#[test]
fn the_hour_of_an_outage_leaves_the_events_of_a_day_and_comes_back() {
    let mut account = account(&format!("window: 1d, {RATIO}"), 1_440, bad);
    let before = view(&mut account, 1_440);
    let window = &before.windows[0];
    // 3,060 bad of 144,000, of which 1,440 are allowed.
    assert_eq!((window.bad, window.total), (Some(3_060.0), Some(144_000.0)));
    assert!(near(window.spent, 3_060.0 / 1_440.0) && window.without_exclusions.is_none());
    assert_eq!(before.state, State::Exhausted);

    account.exclude(&excluded(&[(600, 660)]));
    let after = view(&mut account, 1_440);
    let window = &after.windows[0];
    // 60 bad of 138,000, of which 1,380 are allowed.
    assert_eq!((window.bad, window.total), (Some(60.0), Some(138_000.0)));
    assert!(near(window.allowed, 1_380.0) && near(window.spent, 60.0 / 1_380.0));
    assert_eq!(without(window), (before.windows[0].spent, before.windows[0].remaining));
    assert_eq!((window.coverage, window.maturity.to_bits()), (Some(1.0), 1f64.to_bits()));
    assert_eq!((after.state, window.recovers_at), (State::Healthy, None));

    account.exclude(&Excluded::default());
    assert_eq!(view(&mut account, 1_440), before);
    assert!(account.left_out.is_none(), "what nothing excludes costs nothing");
}

#[test]
fn excluded_minutes_leave_coverage_whether_they_were_measured_or_not() {
    let keys = format!("window: 1d, {RATIO}");
    let mut account = account(&keys, 1_440, |_| 0);
    for minute in (0..72).chain(600..660) {
        account.replace(Minute(MONDAY + minute), &Bucket::default());
    }
    assert!(near(view(&mut account, 1_440).windows[0].coverage, 1_308.0 / 1_440.0));
    account.exclude(&excluded(&[(600, 660)]));
    assert!(near(view(&mut account, 1_440).windows[0].coverage, 1_308.0 / 1_380.0));
    account.exclude(&excluded(&[(600, 720)]));
    assert!(near(view(&mut account, 1_440).windows[0].coverage, 1_248.0 / 1_320.0));
}

#[test]
fn a_window_of_which_all_is_excluded_is_no_data_and_not_100_percent() {
    let mut account = account(&format!("window: 1d, {RATIO}"), 1_440, bad);
    account.exclude(&excluded(&[(0, 1_440)]));
    let all = view(&mut account, 1_440);
    let window = &all.windows[0];
    assert_eq!((all.state, window.sli, window.spent), (State::NoData, None, None));
    assert_eq!((window.coverage, all.burn[0].rate), (None, None));
    assert!(near(without(window).0, 3_060.0 / 1_440.0));
}

#[test]
fn slices_are_judged_by_the_minutes_that_count_and_whole_ones_leave_what_is_allowed() {
    let keys =
        format!("window: 1d, budgeting: {{timeslices: {{size: 5m, goodWhen: 99%}}}}, {RATIO}");
    let mut account = account(&keys, 1_440, bad);
    let before = view(&mut account, 1_440).windows[0].clone();
    // 12 bad slices; 2.88 of 288 are allowed.
    assert_eq!((before.bad, before.total), (Some(12.0), Some(288.0)));
    // 11 slices whole, and one minute of the twelfth: the other four are still bad.
    account.exclude(&excluded(&[(600, 656)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(1.0), Some(277.0)));
    assert!(near(window.allowed, 2.77) && near(window.spent, 1.0 / 2.77));
    assert_eq!(without(&window), (before.spent, before.remaining));
    // Of the slices at both ends only the good minutes count.
    account.exclude(&excluded(&[(598, 662)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(0.0), Some(276.0)));
    assert!(near(window.allowed, 2.76));
    account.exclude(&Excluded::default());
    assert_eq!(view(&mut account, 1_440).windows[0], before);
}

#[test]
fn an_excluded_slice_is_not_bad_where_what_is_not_measured_is_bad() {
    let keys = format!(
        "window: 1d, unmeasured: bad, budgeting: {{timeslices: {{size: 5m, goodWhen: 99%}}}}, {RATIO}"
    );
    let mut account = account(&keys, 1_440, bad);
    account.replace(Minute(MONDAY + 100), &Bucket::default());
    for minute in 300..310 {
        account.replace(Minute(MONDAY + minute), &Bucket::default());
    }
    assert_eq!(view(&mut account, 1_440).windows[0].bad, Some(14.0));
    account.exclude(&excluded(&[(300, 305), (600, 660)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(1.0), Some(275.0)));
    assert!(near(window.allowed, 2.75));
}

#[test]
fn the_mean_of_ratios_is_over_the_slices_that_count() {
    let keys = format!("window: 1d, budgeting: {{ratioTimeslices: {{size: 5m}}}}, {RATIO}");
    let mut account = account(&keys, 1_440, bad);
    let before = view(&mut account, 1_440).windows[0].clone();
    // Twelve slices are half bad, twelve to 1 %.
    assert!(near(before.bad, 6.12) && near(before.allowed, 2.88));
    account.exclude(&excluded(&[(600, 660)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert!(near(window.bad, 0.12) && near(window.total, 276.0));
    assert!(near(window.allowed, 2.76) && near(window.spent, 0.12 / 2.76));
    assert_eq!(without(&window), (before.spent, before.remaining));
}

#[test]
fn a_raw_ratio_goes_with_its_slice_when_half_of_that_is_excluded() {
    let keys = format!("window: 1d, budgeting: {{timeslices: {{size: 5m, goodWhen: 99%}}}}, {RAW}");
    let mut account = Account::new(slo(&keys), &[]);
    for minute in 0..1_440 {
        let is_last = minute % 5 == 4;
        let total = if is_last { 1_000 } else { 0 };
        let good = if bad(minute) == 50 { total / 2 } else { total };
        let bucket = Bucket { good, total, measured: true, ..Bucket::default() };
        account.replace(Minute(MONDAY + minute), &bucket);
    }
    // Three minutes of the first slice, two of the last.
    account.exclude(&excluded(&[(602, 657)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(1.0), Some(277.0)));
    assert!(near(window.coverage, 1.0) && near(window.allowed, 2.77));
}

#[test]
fn the_estimate_of_a_calendar_window_goes_without_what_was_and_what_will_be_excluded() {
    let keys = format!("window: {{calendar: week, zone: UTC}}, {RATIO}");
    let mut account = account(&keys, 2 * 1_440, |minute| i64::from(minute / 60 == 10) * 50);
    let before = view(&mut account, 2 * 1_440).windows[0].clone();
    let estimate = before.estimate.clone().unwrap();
    assert_eq!((estimate.method.as_str(), before.bad), ("lastDay", Some(3_000.0)));
    assert!(near(Some(estimate.total), 7.0 * 144_000.0));
    // Monday's outage, and two hours of Saturday that are yet to come.
    account.exclude(&excluded(&[(600, 660), (5 * 1_440, 5 * 1_440 + 120)]));
    let window = view(&mut account, 2 * 1_440).windows[0].clone();
    let estimate = window.estimate.clone().unwrap();
    assert!(near(Some(estimate.total), 7.0 * 144_000.0 - 6_000.0 - 12_000.0));
    assert_eq!((window.bad, estimate.spent), (Some(0.0), Some(0.0)));
    assert_eq!(without(&window), (before.spent, before.remaining));
}

#[test]
fn slices_of_a_calendar_window_that_will_be_excluded_are_not_allowed_for() {
    let keys = format!(
        "window: {{calendar: week, zone: UTC}}, \
         budgeting: {{timeslices: {{size: 5m, goodWhen: 99%}}}}, {RATIO}"
    );
    let mut account = account(&keys, 1_440, bad);
    account.exclude(&excluded(&[(5 * 1_440, 5 * 1_440 + 120)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert!(near(window.allowed, (7.0 * 288.0 - 24.0) / 100.0));
    assert!(near(without(&window).0, 12.0 / (7.0 * 288.0 / 100.0)));
    assert!(near(window.spent, 12.0 / 19.92));
}

#[test]
fn a_lump_leaves_the_window_only_when_at_least_half_of_it_is_excluded() {
    // No samples from 10:00 on; 1,000 bad events came at once at 10:59.
    let mut account = account(&format!("window: 1d, {RATIO}"), 1_440, |_| 0);
    for minute in 600..659 {
        account.replace(Minute(MONDAY + minute), &Bucket::default());
    }
    let lump = Some(Lump { from: Minute(MONDAY + 599), good: 0, total: 1_000 });
    let bucket = Bucket { good: 100, total: 1_100, measured: true, lump, ..Bucket::default() };
    account.replace(Minute(MONDAY + 659), &bucket);
    for (runs, bad, total) in [
        (&[][..], 1_000.0, 139_100.0),
        (&[(600, 629)], 1_000.0, 139_100.0),
        (&[(600, 630)], 0.0, 138_100.0),
        (&[(630, 660)], 0.0, 138_000.0),
        (&[(640, 660)], 1_000.0, 139_000.0),
    ] {
        account.exclude(&excluded(runs));
        let window = view(&mut account, 1_440).windows[0].clone();
        assert_eq!((window.bad, window.total), (Some(bad), Some(total)), "{runs:?}");
    }
}

#[test]
fn burn_rates_alerts_and_answers_go_by_what_counts() {
    let pair = "alerts: [{name: fast, long: 1h, short: 5m, budget: 2%, severity: page}]";
    let keys = format!("window: 30d, {pair}, indicator: {{ratio: {{total: t, bad: b}}}}");
    let mut account = Account::new(slo(&keys), &[]);
    for minute in 0..1_440 {
        let good = if minute >= 1_400 { 50 } else { 100 };
        let bucket = Bucket { good, total: 100, measured: true, ..Bucket::default() };
        account.replace(Minute(MONDAY + minute), &bucket);
    }
    let rates = |view: &BudgetView| view.burn.iter().map(|b| b.rate).collect::<Vec<_>>();
    let firing = view(&mut account, 1_440);
    assert!(near(rates(&firing)[0], 50.0) && near(rates(&firing)[1], 2_000.0 / 6_000.0 / 0.01));
    assert_eq!(firing.state, State::Exhausted);
    account.exclude(&excluded(&[(1_400, 1_440)]));
    let calm = view(&mut account, 1_440);
    assert_eq!(rates(&calm), [None, Some(0.0)], "of the last five minutes nothing is known");
    assert_eq!((calm.state, calm.alerts[0].since), (State::Healthy, None));
}

#[test]
fn what_is_excluded_leaves_no_mark_on_when_a_budget_is_back() {
    let bad = |minute| if (600..660).contains(&minute) { 50 } else { 0 };
    let mut account = account(&format!("window: 1d, {RATIO}"), 1_440, bad);
    let outage = view(&mut account, 1_440).windows[0].clone();
    // 1,440 may be bad: 28 minutes of 50 may stay, so 32 of 60 have left at 10:32 of the next day.
    assert_eq!(outage.recovers_at, Some(Minute(MONDAY + 1_440 + 632).start()));
    account.exclude(&excluded(&[(600, 620)]));
    let rest = view(&mut account, 1_440).windows[0].clone();
    // Of 2,000 bad ones 1,420 may stay at first, more when the excluded minutes have left: 28 minutes.
    assert_eq!(rest.recovers_at, Some(Minute(MONDAY + 1_440 + 632).start()));
    account.exclude(&excluded(&[(600, 640)]));
    assert_eq!(view(&mut account, 1_440).windows[0].recovers_at, None);
}

#[test]
fn a_budget_lasts_longer_by_what_will_be_excluded() {
    const END: i64 = 3 * 1_440;
    let slices = "budgeting: {timeslices: {size: 5m, goodWhen: 99.9%}}, ";
    // A tenth of the last hour's events is bad, and all of its slices. Of 432,000 events 4,320 may be, and
    // one more each minute; of 8,640 slices 86, and one less when ten hours of them will be excluded.
    for (keys, before, after) in [("", 414, 414 + 600), (slices, 375, 370 + 600)] {
        let bad = |minute| if minute < END - 60 { 0 } else { 10 };
        let mut account = account(&format!("window: 30d, {keys}{RATIO}"), END, bad);
        let at = |minutes: i64| Some(Minute(MONDAY + END + minutes).start());
        assert_eq!(view(&mut account, END).windows[0].exhausts_at, at(before), "{keys}");
        account.exclude(&excluded(&[(END + 200, END + 800)]));
        assert_eq!(view(&mut account, END).windows[0].exhausts_at, at(after), "{keys}");
    }
}

#[test]
fn of_an_hour_whose_minutes_are_gone_for_good_an_even_share_goes() {
    let mut account = Account::new(slo(&format!("window: 1d, {RATIO}")), &[]);
    for hour in 0..24 {
        let sums = Sums { good: 5_400, total: 6_000, measured: 60, ..Sums::default() };
        account.events_mut().load_fold(MONDAY / 60 + hour, &sums);
    }
    account.events_mut().set_first(Minute(MONDAY));
    let before = view(&mut account, 1_440);
    assert_eq!(
        account.exclude_wants(&excluded(&[(600, 690)]))[..2],
        [10, 11].map(|h| Want(MONDAY / 60 + h))
    );
    account.exclude(&excluded(&[(600, 690)]));
    let window = view(&mut account, 1_440).windows[0].clone();
    assert_eq!((window.bad, window.total), (Some(13_500.0), Some(135_000.0)));
    account.exclude(&Excluded::default());
    assert_eq!(view(&mut account, 1_440), before);
}

#[test]
fn forecasts_from_an_hour_whose_minutes_are_on_disk_know_which_of_them_count() {
    // The hour from 10:00 on fails; the first half of it is excluded.
    let keys = format!("window: {{calendar: week, zone: UTC}}, {RATIO}");
    let mut account = account(&keys, 1_440 + 630, |minute| i64::from(minute / 60 == 10) * 50);
    account.exclude(&excluded(&[(600, 630), (650, 655)]));
    let in_memory = view(&mut account, 1_440 + 630).windows[0].clone();
    account.evict(Minute(MONDAY + 1_440 + 600));
    assert!(account.events().lacks(MONDAY / 60 + 10));
    assert_eq!(view(&mut account, 1_440 + 630).windows[0], in_memory);
    let hour = account.counted_events().sums(Minute(MONDAY + 615), Minute(MONDAY + 652));
    assert_eq!((hour.bad(), hour.total), (1_000, 2_000), "20 minutes of them count");
}
