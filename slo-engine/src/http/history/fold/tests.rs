use slo_core::bucket::Bucket;
use slo_core::slo::Unmeasured;

use super::*;

fn objective() -> Objective {
    Objective::from_ppb(990_000_000).unwrap()
}

fn hour(minutes: std::ops::Range<usize>, good: i64, total: i64) -> Hour {
    let mut hour = Hour::default();
    for at in minutes {
        hour.set(at, &Bucket { good, total, measured: true, ..Bucket::default() });
    }
    hour
}

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-12)
}

#[test]
fn minutes_add_up_to_points_and_what_was_not_measured_is_null() {
    let range = Range { from: Minute(50), to: Minute(130), step: 30 };
    let mut fold = Fold::new(range, None, Excluded::default());
    assert_eq!(fold.hours(), 0..3);
    fold.take(0, &hour(0..60, 9, 10));
    fold.take(2, &hour(0..5, 10, 10));
    let (allowed, points) = fold.finish(objective());
    // 10 minutes of the first hour and 5 of the third, 10 events each; 1 % of 150.
    assert!(near(allowed, 1.5));
    assert_eq!(points.len(), 3);
    assert_eq!(
        (points[0].good, points[0].bad, points[0].total),
        (Some(90.0), Some(10.0), Some(100.0))
    );
    assert_eq!((points[0].measured, points[1].measured, points[2].measured), (10, 0, 5));
    assert_eq!((points[1].good, points[1].bad, points[1].total), (None, None, None));
    assert!(points.iter().all(|point| near(point.spent_share, 10.0 / 1.5)));
    assert_eq!(points[2].from, Minute(110).start());
}

#[test]
fn the_share_that_is_spent_rises_to_bad_over_allowed_of_the_whole_stretch() {
    let range = Range { from: Minute(0), to: Minute(60), step: 20 };
    let mut fold = Fold::new(range, None, Excluded::default());
    fold.take(0, &hour(0..60, 199, 200));
    let (allowed, points) = fold.finish(objective());
    assert!(near(allowed, 120.0));
    let shares: Vec<_> = points.iter().map(|point| point.spent_share.unwrap()).collect();
    assert!(
        (shares[0] - 20.0 / 120.0).abs() < 1e-12 && (shares[2] - 0.5).abs() < 1e-12,
        "{shares:?}"
    );
}

#[test]
fn idle_minutes_spend_nothing_and_a_stretch_without_any_measured_one_is_not_known() {
    let range = Range { from: Minute(0), to: Minute(60), step: 60 };
    let mut idle = Fold::new(range, None, Excluded::default());
    idle.take(0, &hour(0..60, 0, 0));
    let (allowed, points) = idle.finish(objective());
    assert_eq!(
        (allowed, points[0].total, points[0].spent_share),
        (Some(0.0), Some(0.0), Some(0.0))
    );
    let (allowed, points) = Fold::new(range, None, Excluded::default()).finish(objective());
    assert_eq!((allowed, points[0].total, points[0].spent_share), (None, None, None));
}

fn slicing(unmeasured: Unmeasured) -> Slicing {
    Slicing { size: 10, good_when: Some(950_000_000), unmeasured }
}

#[test]
fn slices_are_counted_in_the_point_that_holds_their_last_minute() {
    let range = Range { from: Minute(65), to: Minute(125), step: 30 };
    let mut fold = Fold::new(range, Some(slicing(Unmeasured::Ignore)), Excluded::default());
    fold.judges(Some(Judged { first: Minute(0), until: Minute(120) }));
    assert_eq!(fold.hours(), 1..3);
    let mut minutes = hour(0..60, 100, 100);
    minutes.set(30, &Bucket { good: 0, total: 100, measured: true, ..Bucket::default() });
    fold.take(1, &minutes);
    fold.take(2, &hour(0..5, 0, 100));
    let (allowed, points) = fold.finish(objective());
    // Slices 60-69, 70-79 and 80-89 end in the first point (65-94), 90-99 to 110-119 in the second;
    // the last one is not whole.
    assert_eq!((points[0].total, points[0].bad), (Some(3.0), Some(0.0)));
    assert_eq!((points[1].total, points[1].bad), (Some(3.0), Some(1.0)));
    assert!(near(allowed, 0.06), "6 slices fit the stretch: {allowed:?}");
    assert_eq!((points[0].measured, points[1].measured), (30, 30));
    assert!(near(points[1].spent_share, 1.0 / 0.06));
}

#[test]
fn slices_without_data_count_as_the_slo_says_between_the_first_data_and_the_last() {
    let range = Range { from: Minute(0), to: Minute(120), step: 120 };
    for (unmeasured, total, bad) in
        [(Unmeasured::Ignore, 1.0, 0.0), (Unmeasured::Bad, 7.0, 6.0), (Unmeasured::Good, 7.0, 0.0)]
    {
        let mut fold = Fold::new(range, Some(slicing(unmeasured)), Excluded::default());
        fold.judges(Some(Judged { first: Minute(32), until: Minute(105) }));
        fold.take(0, &hour(32..40, 100, 100));
        let (_, points) = fold.finish(objective());
        assert_eq!((points[0].total, points[0].bad), (Some(total), Some(bad)), "{unmeasured:?}");
    }
}

#[test]
fn the_mean_of_ratios_keeps_its_parts() {
    let range = Range { from: Minute(0), to: Minute(20), step: 20 };
    let mean = Slicing { size: 10, good_when: None, unmeasured: Unmeasured::Ignore };
    let mut fold = Fold::new(range, Some(mean), Excluded::default());
    fold.judges(Some(Judged { first: Minute(0), until: Minute(20) }));
    let mut minutes = hour(0..10, 10, 10);
    minutes.set(15, &Bucket { good: 1, total: 2, measured: true, ..Bucket::default() });
    fold.take(0, &minutes);
    let (allowed, points) = fold.finish(objective());
    assert!(near(points[0].total, 2.0) && near(points[0].bad, 0.5) && near(allowed, 0.02));
}

#[test]
fn excluded_minutes_are_in_no_number_but_their_own() {
    let range = Range { from: Minute(0), to: Minute(60), step: 30 };
    let excluded = Excluded::new([(Minute(25), Minute(40))]);
    let mut minutes = hour(0..60, 99, 100);
    for at in 25..40 {
        minutes.set(at, &Bucket { good: 0, total: 100, measured: true, ..Bucket::default() });
    }
    let mut fold = Fold::new(range, None, excluded.clone());
    fold.take(0, &minutes);
    let (allowed, points) = fold.finish(objective());
    assert!(near(allowed, 45.0) && near(points[1].spent_share, 1.0));
    assert_eq!((points[0].bad, points[1].bad), (Some(25.0), Some(20.0)));
    assert_eq!((points[0].measured, points[0].excluded), (25, 5));
    assert_eq!((points[1].measured, points[1].excluded), (20, 10));

    // Slices of ten minutes: one is excluded whole, half of another.
    let mut fold = Fold::new(range, Some(slicing(Unmeasured::Bad)), excluded);
    fold.judges(Some(Judged { first: Minute(0), until: Minute(60) }));
    fold.take(0, &minutes);
    let counts = fold.counts();
    assert_eq!((counts.minutes, counts.measured), (45, 45));
    assert!(near(Some(counts.total), 5.0) && near(Some(counts.bad), 0.0));
}
