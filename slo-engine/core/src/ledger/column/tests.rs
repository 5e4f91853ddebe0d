use proptest::prelude::*;

use super::*;
use crate::bucket::Bucket;
use crate::time::Minute;

fn bytes(column: &Column) -> usize {
    column.bytes.len()
}

#[test]
fn a_column_widens_without_losing_a_value() {
    let mut column = Column::zeros(4);
    for (at, value) in [(0, -128), (1, 40_000), (2, 1 << 40), (3, -7)] {
        column.set(at, value);
    }
    assert_eq!((0..4).map(|at| column.get(at)).collect::<Vec<_>>(), [-128, 40_000, 1 << 40, -7]);
    column.grow(2, 1);
    assert_eq!((column.get(0), column.get(3), column.get(6)), (0, 40_000, 0));
    assert_eq!(column.sum(2, 4), 39_872);
}

#[test]
fn numbers_that_are_alike_take_no_bytes_and_one_that_is_not_takes_12() {
    let mut column = Column::zeros(0);
    for _ in 0..30 {
        column.push_day(&Hours::Same(35_940));
    }
    assert_eq!((column.len(), bytes(&column), column.sum(0, 720)), (720, 0, 720 * 35_940));
    column.set(100, 0);
    assert_eq!((bytes(&column), column.get(100), column.get(101)), (12, 0, 35_940));
    column.set(100, 35_940);
    assert_eq!(bytes(&column), 0);
}

#[test]
fn numbers_in_a_narrow_range_take_half_a_byte_or_one_each_wherever_the_range_lies() {
    let values: Vec<i64> = (0..720).map(|at| 1_000_000 + at % 250).collect();
    assert_eq!(bytes(&Column::of(&values)), 720);
    let mut gaps = values;
    (gaps[3], gaps[500]) = (0, 0);
    assert_eq!(bytes(&Column::of(&gaps)), 720 + 2 * 12);
    let narrow: Vec<i64> = (0..720).map(|at| 60 + at % 16).collect();
    assert_eq!(bytes(&Column::of(&narrow)), 360);
    let wide: Vec<i64> = (0..720).map(|at| at * 20_000).collect();
    assert_eq!(bytes(&Column::of(&wide)), 3 * 720);
}

#[test]
fn a_column_that_fills_up_is_narrow_again_once_it_is_settled() {
    let mut column = Column::zeros(60);
    for at in 0..60 {
        column.set(at, 600);
        assert!(bytes(&column) <= 120, "{at}: {}", bytes(&column));
    }
    column.settle();
    assert_eq!((bytes(&column), column.sum(0, 60)), (0, 36_000));
}

#[test]
fn a_column_to_which_hours_come_one_by_one_takes_hardly_more_than_one_of_them_all() {
    let mut column = Column::zeros(0);
    let hour = |at: i64| 35_000 + at % 200;
    for at in 0..720 {
        column.grow(0, 1);
        // As minutes come, so that the first numbers need 8 and then 16 bits.
        (0..=60).for_each(|minutes| column.set(at, hour(at as i64) * minutes / 60));
    }
    let whole = Column::of(&(0..720).map(hour).collect::<Vec<_>>());
    assert_eq!((bytes(&whole), column == whole), (720, true));
    assert!(bytes(&column) <= 720 + 12, "{}", bytes(&column));
    let mut measured = Column::zeros(0);
    for at in 0..720 {
        measured.grow(0, 1);
        (0..=60).for_each(|minutes| measured.set(at, minutes));
    }
    assert_eq!(bytes(&measured), 0);
}

#[test]
fn a_past_that_was_filled_in_slice_by_slice_takes_no_byte_to_say_that_its_hours_are_whole() {
    let text = "apiVersion: headroom/v1\nkind: Service\nservice: a\ntier: 1\nenvironment: p\n\
        slos: [{name: x, objective: 99%, indicator: {ratio: {total: t_total, bad: '{code=\"5\"}'}}}]\n";
    let set = crate::spec::load(&[("a.yaml".to_owned(), text.into())]).unwrap();
    let mut account = crate::budget::Account::new(set.services[0].slos[0].clone(), &[]);
    let bucket = Bucket { good: 600, total: 600, measured: true, ..Bucket::default() };
    let mut fill = |minutes: std::ops::Range<i64>| {
        minutes.for_each(|minute| account.replace(Minute(minute), &bucket));
        account.judge_filled();
        bytes(&account.events().measured)
    };
    fill(43_200..43_210);
    for day in (0..10).rev().map(|slice| slice * 3) {
        assert!(fill(day * 1_440..(day + 3) * 1_440) <= 12, "{day}: one hour is partial");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Set(usize, i64),
    Day(Hours),
    Grow(usize, usize),
    Drop(usize),
    Settle,
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(0_i64),
        4 => 590..610_i64,
        4 => -3..300_i64,
        2 => 0..70_000_i64,
        2 => 0..20_000_000_i64,
        1 => any::<i64>(),
        1 => -(1_i64 << 53)..1 << 53,
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let each = prop::collection::vec(number(), 24)
        .prop_map(|values| Hours::Each(std::array::from_fn(|at| values[at])));
    let step = prop_oneof![
        12 => (0..400_usize, number()).prop_map(|(at, value)| Step::Set(at, value)),
        2 => number().prop_map(|value| Step::Day(Hours::Same(value))),
        2 => each.prop_map(Step::Day),
        1 => (0..30_usize, 0..30_usize).prop_map(|(front, back)| Step::Grow(front, back)),
        1 => (0..40_usize).prop_map(Step::Drop),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..120)
}

fn apply(step: &Step, column: &mut Column, naive: &mut Vec<i64>) {
    match step {
        Step::Set(at, value) => {
            if let Some(place) = naive.get_mut(*at) {
                column.set(*at, *value);
                *place = *value;
            }
        }
        Step::Day(hours) => {
            column.push_day(hours);
            match hours {
                Hours::Same(value) => naive.extend([*value; 24]),
                Hours::Each(values) => naive.extend(values),
            }
        }
        Step::Grow(front, back) => {
            column.grow(*front, *back);
            *naive = [vec![0; *front], naive.clone(), vec![0; *back]].concat();
        }
        Step::Drop(count) => {
            let count = (*count).min(naive.len());
            column.drop_front(count);
            naive.drain(..count);
        }
        Step::Settle => column.settle(),
    }
}

fn sum(values: &[i64]) -> i64 {
    values.iter().fold(0, |sum: i64, value| sum.wrapping_add(*value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to it, in whatever form it is kept.
    #[test]
    fn a_column_holds_what_was_put_into_it(
        length in 0..80_usize, steps in steps(), at in -20..120_i64, out in 0..100_usize,
        (a, b) in (0..400_usize, 0..400_usize),
    ) {
        let (mut column, mut naive) = (Column::zeros(length), vec![0; length]);
        for step in &steps {
            apply(step, &mut column, &mut naive);
            prop_assert_eq!(column.len(), naive.len());
            prop_assert_eq!(column.values(), naive.clone());
        }
        let (from, to) = (a.min(b).min(naive.len()), a.max(b).min(naive.len()));
        prop_assert_eq!(column.sum(from, to), sum(&naive[from..to]));
        prop_assert_eq!(column.is_zero(from, to), naive[from..to].iter().all(|v| *v == 0));
        prop_assert!((0..naive.len()).all(|at| column.get(at) == naive[at]));
        prop_assert_eq!(&column, &Column::of(&naive));
        let mut copied = vec![f64::NAN; out];
        column.copy_to(at, &mut copied);
        for (place, copied) in copied.iter().enumerate() {
            let there = usize::try_from(at + place as i64).ok().and_then(|at| naive.get(at));
            prop_assert_eq!(copied.to_bits(), there.map_or(0.0, |v| *v as f64).to_bits());
        }
    }

    #[test]
    fn no_other_width_takes_fewer_bytes_where_all_fit(values in prop::collection::vec(number(), 1..90)) {
        let column = Column::of(&values);
        let (min, max) = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
        let range = max.wrapping_sub(min).cast_unsigned();
        let width = WIDTHS.into_iter().chain([64]).find(|width| range <= span(*width)).unwrap();
        prop_assert!(bytes(&column) <= bytes_of(values.len(), width));
        prop_assert_eq!(column.values(), values);
    }
}
