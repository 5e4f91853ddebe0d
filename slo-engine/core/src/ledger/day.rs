//! The sums of the hours of one day, in few bytes that are read fast: millions are, at each start.

use super::varint::{put, take, unzigzag, zigzag};
use crate::bucket::Sums;

/// The sums of some hours of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Bit by hour: whether it has sums.
    there: u32,
    columns: [Hours; COLUMNS],
}

/// One number of each hour; that of hours without sums means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    Same(i64),
    Each([i64; 24]),
}

/// Total, bad, measured and partial, then what few hours have.
const COLUMNS: usize = 8;
const FORMAT: u8 = 32;
const ALL: u32 = (1 << 24) - 1;

impl Default for Day {
    fn default() -> Self {
        Self { there: 0, columns: [Hours::Same(0); COLUMNS] }
    }
}

impl Hours {
    const fn get(&self, hour: usize) -> i64 {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values[hour],
        }
    }

    fn set(&mut self, hour: usize, value: i64) {
        match self {
            Self::Same(same) if *same == value => {}
            Self::Same(same) => {
                let mut values = [*same; 24];
                values[hour] = value;
                *self = Self::Each(values);
            }
            Self::Each(values) => values[hour] = value,
        }
    }
}

impl Day {
    /// The sums of an hour, 0 to 23, if it has any.
    #[must_use]
    pub fn get(&self, hour: usize) -> Option<Sums> {
        (self.there >> hour & 1 != 0).then(|| {
            let [total, bad, measured, partial, invalid, slack, assumed, dropped] =
                std::array::from_fn(|column| self.columns[column].get(hour));
            let good = total - bad;
            Sums { good, total, measured, partial, invalid, slack, assumed, dropped }
        })
    }

    /// Replaces the sums of an hour, 0 to 23.
    pub fn set(&mut self, hour: usize, sums: &Sums) {
        self.there |= 1 << hour;
        let Sums { total, measured, partial, invalid, slack, assumed, dropped, .. } = *sums;
        let values = [total, sums.bad(), measured, partial, invalid, slack, assumed, dropped];
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.set(hour, value);
        }
    }

    /// The hours that have sums.
    fn hours(&self) -> impl Iterator<Item = usize> + use<> {
        let there = self.there;
        (0..24).filter(move |hour| there >> hour & 1 != 0)
    }

    /// Total, bad, measured and partial of all hours; `None` when an hour has more than these, or
    /// none at all.
    pub(super) fn usual(&self) -> Option<&[Hours]> {
        let (usual, rare) = self.columns.split_at(4);
        let is_usual = self.there == ALL && rare.iter().all(|c| *c == Hours::Same(0));
        is_usual.then_some(usual)
    }

    /// The day as bytes; a day without sums is the empty run.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        if self.there == 0 {
            return Vec::new();
        }
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.there.to_le_bytes()[..3]);
        for column in &self.columns {
            let values: Vec<i64> = self.hours().map(|hour| column.get(hour)).collect();
            if values.iter().all(|value| *value == values[0]) {
                out.push(0);
                put(&mut out, zigzag(values[0]));
                continue;
            }
            let width = values.iter().map(|value| width(*value)).max().unwrap_or(8);
            out.push(width as u8);
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()[..width]));
        }
        out
    }

    /// The day from bytes.
    ///
    /// # Errors
    /// A sentence when the bytes are no packed day.
    pub fn unpack(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut day = Self::default();
        let Some((head, mut rest)) = bytes.split_first_chunk::<4>() else {
            return if bytes.is_empty() { Ok(day) } else { Err("a packed day ends early") };
        };
        let [format, there @ ..] = *head;
        day.there = u32::from_le_bytes([there[0], there[1], there[2], 0]);
        if format != FORMAT {
            return Err("a packed day has a format that this version does not read");
        }
        for column in &mut day.columns {
            *column = read(&mut rest, day.there)?;
        }
        rest.is_empty().then_some(day).ok_or("a packed day goes on after its end")
    }
}

/// The bytes that a number needs: 1, 2, 4 or 8.
fn width(value: i64) -> usize {
    match value {
        _ if i8::try_from(value).is_ok() => 1,
        _ if i16::try_from(value).is_ok() => 2,
        _ if i32::try_from(value).is_ok() => 4,
        _ => 8,
    }
}

fn read(rest: &mut &[u8], there: u32) -> Result<Hours, &'static str> {
    let (width, after) = rest.split_first().ok_or("a packed day ends early")?;
    *rest = after;
    match width {
        0 => Ok(Hours::Same(unzigzag(take(rest)?))),
        1 => each(rest, there, |bytes| i64::from(i8::from_le_bytes(bytes))),
        2 => each(rest, there, |bytes| i64::from(i16::from_le_bytes(bytes))),
        4 => each(rest, there, |bytes| i64::from(i32::from_le_bytes(bytes))),
        8 => each(rest, there, i64::from_le_bytes),
        _ => Err("a packed day has numbers of an unknown width"),
    }
}

fn each<const WIDTH: usize>(
    rest: &mut &[u8],
    there: u32,
    number: impl Fn([u8; WIDTH]) -> i64,
) -> Result<Hours, &'static str> {
    let length = WIDTH * there.count_ones() as usize;
    let (bytes, after) = rest.split_at_checked(length).ok_or("a packed day ends early")?;
    *rest = after;
    let (numbers, _) = bytes.as_chunks::<WIDTH>();
    let mut values = [0; 24];
    if there == ALL {
        values.iter_mut().zip(numbers).for_each(|(value, bytes)| *value = number(*bytes));
    } else {
        let hours = (0..24).filter(|hour| there >> hour & 1 != 0);
        hours.zip(numbers).for_each(|(hour, bytes)| values[hour] = number(*bytes));
    }
    Ok(Hours::Each(values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_sums() -> impl Strategy<Value = Sums> {
        let number =
            || prop_oneof![4 => Just(0_i64), 2 => -5..300_i64, 1 => -(1_i64 << 52)..1 << 52];
        prop::array::uniform8(number()).prop_map(
            |[good, total, measured, partial, invalid, slack, assumed, dropped]| Sums {
                good,
                total,
                measured,
                partial,
                invalid,
                slack,
                assumed,
                dropped,
            },
        )
    }

    proptest! {
        #[test]
        fn a_day_reads_back_from_its_bytes(
            hours in prop::collection::btree_map(0..24_usize, any_sums(), 0..=24),
        ) {
            let mut day = Day::default();
            for (hour, sums) in &hours {
                day.set(*hour, sums);
            }
            let back = Day::unpack(&day.pack()).unwrap();
            for hour in 0..24 {
                prop_assert_eq!(back.get(hour), hours.get(&hour).copied());
            }
        }

        #[test]
        fn bytes_that_are_no_day_are_an_error_and_no_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            there in any::<[u8; 3]>(),
        ) {
            let _ = Day::unpack(&bytes);
            let _ = Day::unpack(&[&[FORMAT], &there[..], &bytes].concat());
        }
    }

    #[test]
    fn a_usual_day_takes_about_four_bytes_an_hour() {
        let mut day = Day::default();
        for hour in 0..24 {
            let total = 3_000 + hour as i64;
            let sums = Sums { good: total - 3, total, measured: 60, ..Sums::default() };
            day.set(hour, &sums);
        }
        assert!(day.pack().len() <= 4 + 24 * 2 + 7 * 3, "{}", day.pack().len());
        assert!(Day::default().pack().is_empty());
    }
}
