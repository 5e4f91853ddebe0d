use super::*;

const ONE: (i64, i64) = (1, 0);

fn fed(instance: &str, (total, good): (i64, i64), samples: &[(i64, i64)]) -> Fed {
    let samples = samples.iter().map(|(minute, value)| (minute * MINUTE, *value as f64)).collect();
    Fed { target: ("job".to_owned(), instance.to_owned()), total, good, samples }
}

fn total(series: &[Fed], starts: &[Started]) -> i64 {
    let oracle = Oracle::new(series, starts, Rules::default());
    oracle.count(0, 10_000 * MINUTE, 10_000 * MINUTE).total
}

#[test]
fn a_reset_counts_the_new_value_and_a_dip_counts_nothing_until_it_caught_up() {
    assert_eq!(total(&[fed("a", ONE, &[(1, 500), (2, 10), (3, 12)])], &[]), 12);
    assert_eq!(total(&[fed("a", ONE, &[(1, 2_000), (2, 1_950), (3, 2_010)])], &[]), 10);
}

#[test]
fn a_difference_over_six_hours_counts_and_a_longer_one_is_a_birth_that_does_not() {
    assert_eq!(total(&[fed("a", ONE, &[(1, 5), (361, 25)])], &[]), 20);
    assert_eq!(total(&[fed("a", ONE, &[(1, 5), (362, 25)])], &[]), 0);
}

#[test]
fn a_child_that_appears_counts_and_a_new_target_only_when_its_process_is_younger_than_the_scrape() {
    let total_of_a = fed("a", ONE, &[(1, 5), (2, 5)]);
    assert_eq!(total(&[total_of_a.clone(), fed("a", ONE, &[(2, 7)])], &[]), 7);
    let new = [total_of_a, fed("b", ONE, &[(3, 7)])];
    let began = |at: i64| [(("job".to_owned(), "b".to_owned()), 3 * MINUTE, at)];
    assert_eq!(total(&new, &[]), 0);
    assert_eq!(total(&new, &began(2 * MINUTE)), 0);
    assert_eq!(total(&new, &began(2 * MINUTE + 1)), 7);
}

#[test]
fn windows_end_with_the_question_and_minutes_are_measured_by_samples_known_then() {
    let series = [fed("a", (1, 1), &[(10, 0), (11, 3), (12, 4), (30, 9), (31, 9)])];
    let oracle = Oracle::new(&series, &[], Rules::default());
    let count =
        |from: i64, to: i64, asked: i64| oracle.count(from * MINUTE, to * MINUTE, asked * MINUTE);
    assert_eq!((count(0, 40, 11).total, count(0, 40, 11).measured), (3, 2));
    assert_eq!((count(0, 40, 40).total, count(0, 40, 40).measured), (9, 5));
    assert_eq!((count(12, 30, 40).total, count(12, 31, 40).total), (1, 6));
    assert_eq!(oracle.data_until(20 * MINUTE), Some(12 * MINUTE));
    assert_eq!(oracle.data_until(15 * MINUTE), Some(15 * MINUTE));
}
