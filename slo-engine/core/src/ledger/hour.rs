//! The sixty minutes of one hour, in memory and as bytes for a disk.

use std::collections::BTreeMap;

use super::column::Column;
use super::varint::{put, take, unzigzag, zigzag};
use crate::bucket::{Bucket, Lump, Sums};
use crate::time::Minute;

/// The minutes of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    total: Column,
    bad: Column,
    /// Which minutes are measured: a bit for each.
    measured: u64,
    /// `None` where nothing of it is there.
    rest: Option<Box<Rest>>,
}

/// What few hours have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Rest {
    /// Which minutes are partial, and which are invalid: a bit for each.
    partial: u64,
    invalid: u64,
    rare: BTreeMap<u8, Rare>,
}

/// What few minutes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Rare {
    slack: i64,
    assumed: i64,
    dropped: i64,
    lump: Option<Lump>,
}

/// The minutes from the first to the last that holds something.
const FORMAT: u8 = 2;
/// All sixty minutes.
const WHOLE: u8 = 1;

impl Default for Hour {
    fn default() -> Self {
        Self { total: Column::zeros(60), bad: Column::zeros(60), measured: 0, rest: None }
    }
}

impl Hour {
    /// The bucket of a minute of the hour, 0 to 59.
    #[must_use]
    pub fn get(&self, at: usize) -> Bucket {
        let rest = self.rest.as_deref();
        let key = u8::try_from(at).unwrap_or(u8::MAX);
        let rare = rest.and_then(|rest| rest.rare.get(&key)).copied().unwrap_or_default();
        let total = self.total.get(at);
        let [measured, partial, invalid] = self.flags().map(|flags| flags >> at & 1 != 0);
        Bucket {
            good: total - self.bad.get(at),
            total,
            measured,
            partial,
            invalid,
            slack: rare.slack,
            assumed: rare.assumed,
            dropped: rare.dropped,
            lump: rare.lump,
        }
    }

    /// Replaces the bucket of a minute of the hour, 0 to 59.
    pub fn set(&mut self, at: usize, bucket: &Bucket) {
        self.total.set(at, bucket.total);
        self.bad.set(at, bucket.total - bucket.good);
        self.measured = with_bit(self.measured, at, bucket.measured);
        let rare = Rare {
            slack: bucket.slack,
            assumed: bucket.assumed,
            dropped: bucket.dropped,
            lump: bucket.lump,
        };
        let is_usual = !bucket.partial && !bucket.invalid && rare == Rare::default();
        if is_usual && self.rest.is_none() {
            return;
        }
        let rest = self.rest.get_or_insert_default();
        rest.partial = with_bit(rest.partial, at, bucket.partial);
        rest.invalid = with_bit(rest.invalid, at, bucket.invalid);
        let Ok(key) = u8::try_from(at) else { return };
        if rare == Rare::default() {
            rest.rare.remove(&key);
        } else {
            rest.rare.insert(key, rare);
        }
        if **rest == Rest::default() {
            self.rest = None;
        }
    }

    /// Which minutes are measured, partial, invalid.
    fn flags(&self) -> [u64; 3] {
        let rest = self.rest.as_deref();
        [self.measured, rest.map_or(0, |rest| rest.partial), rest.map_or(0, |rest| rest.invalid)]
    }

    fn set_flags(&mut self, [measured, partial, invalid]: [u64; 3]) {
        self.measured = measured;
        let rare = self.rest.take().map(|rest| rest.rare).unwrap_or_default();
        let rest = Rest { partial, invalid, rare };
        self.rest = (rest != Rest::default()).then(|| Box::new(rest));
    }

    fn rare(&self) -> impl Iterator<Item = (&u8, &Rare)> {
        self.rest.iter().flat_map(|rest| &rest.rare)
    }

    /// Keeps its numbers in the fewest bytes, if they have changed.
    pub(super) fn settle(&mut self) {
        self.total.settle();
        self.bad.settle();
    }

    /// The same events, measured where all events of their SLO are.
    #[must_use]
    pub fn measured_as(mut self, whole: &Self) -> Self {
        let [_, _, invalid] = self.flags();
        let [measured, partial, _] = whole.flags();
        self.set_flags([measured, partial, invalid]);
        self
    }

    /// The minutes of both, added up.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = Self::default();
        for at in 0..60 {
            sum.set(at, &self.get(at).plus(&other.get(at)));
        }
        sum
    }

    /// Bad and all events of minutes `from..to` of the hour.
    #[must_use]
    pub fn counts(&self, from: usize, to: usize) -> (i64, i64) {
        (self.bad.sum(from, to), self.total.sum(from, to))
    }

    /// Bad and all events of each minute of the hour from `from` on.
    pub(super) fn each(&self, from: usize, bad: &mut [f64], total: &mut [f64]) {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        self.bad.copy_to(from, bad);
        self.total.copy_to(from, total);
    }

    /// The sums of minutes `from..to` of the hour.
    #[must_use]
    pub fn sums(&self, from: usize, to: usize) -> Sums {
        let (bad, total) = self.counts(from, to);
        let within = minutes_before(to) & !minutes_before(from);
        let [measured, partial, invalid] =
            self.flags().map(|flags| i64::from((flags & within).count_ones()));
        let good = total - bad;
        let mut sums = Sums { good, total, measured, partial, invalid, ..Sums::default() };
        let rare = self.rare().filter(|(at, _)| (from..to).contains(&usize::from(**at)));
        for (_, rare) in rare {
            sums.slack += rare.slack;
            sums.assumed += rare.assumed;
            sums.dropped += rare.dropped;
        }
        sums
    }

    /// The hour as bytes; an empty hour is the empty run.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let (bad, total) = (self.bad.sixty(), self.total.sixty());
        let all = self.flags();
        let minutes: [(u64, u64); 60] = std::array::from_fn(|at| {
            // Most minutes: measured, few bad events. The flags share a number with the bad count.
            let flags = (0..3).map(|flag| (all[flag] >> at & 1) << flag).sum::<u64>();
            (zigzag(bad[at]) << 3 | flags, zigzag(total[at]))
        });
        let first = minutes.iter().position(|minute| *minute != (0, 0)).unwrap_or(0);
        let end = minutes.iter().rposition(|minute| *minute != (0, 0)).map_or(0, |last| last + 1);
        let minutes = &minutes[first..end];
        if minutes.is_empty() && self.rare().next().is_none() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(3 + 3 * minutes.len());
        out.extend([FORMAT, first as u8, minutes.len() as u8]);
        for (bad, total) in minutes {
            put(&mut out, *bad);
            put(&mut out, *total);
        }
        for (at, rare) in self.rare() {
            put(&mut out, u64::from(*at));
            for value in [rare.slack, rare.assumed, rare.dropped, i64::from(rare.lump.is_some())] {
                put(&mut out, zigzag(value));
            }
            if let Some(lump) = rare.lump {
                for value in [lump.from.0, lump.good, lump.total] {
                    put(&mut out, zigzag(value));
                }
            }
        }
        out
    }

    /// The hour from bytes.
    ///
    /// # Errors
    /// A sentence when the bytes are no packed hour.
    pub fn unpack(bytes: &[u8]) -> Result<Self, String> {
        let Some((format, mut rest)) = bytes.split_first() else { return Ok(Self::default()) };
        let minutes = match *format {
            WHOLE => 0..60,
            FORMAT => {
                let first = usize::try_from(take(&mut rest)?).unwrap_or(60);
                first..first.saturating_add(usize::try_from(take(&mut rest)?).unwrap_or(60))
            }
            other => {
                return Err(format!("packed hour has format {other}, this version reads {FORMAT}"));
            }
        };
        if minutes.end > 60 {
            return Err("packed hour has a minute beyond 59".to_owned());
        }
        let (mut bad, mut total, mut flags) = ([0; 60], [0; 60], [0; 3]);
        for at in minutes {
            let first = take(&mut rest)?;
            for (flag, flags) in flags.iter_mut().enumerate() {
                *flags |= (first >> flag & 1) << at;
            }
            bad[at] = unzigzag(first >> 3);
            total[at] = unzigzag(take(&mut rest)?);
        }
        let [measured, partial, invalid] = flags;
        let more = Rest { partial, invalid, rare: unpack_rare(rest)? };
        Ok(Self {
            total: Column::of(&total),
            bad: Column::of(&bad),
            measured,
            rest: (more != Rest::default()).then(|| Box::new(more)),
        })
    }

    pub(super) fn is_flawless(&self) -> bool {
        self.bad.is_zero(0, 60)
    }

    /// Minutes with a lump: minute of the hour and the lump.
    pub fn lumps(&self) -> impl Iterator<Item = (u8, Lump)> {
        self.rare().filter_map(|(at, rare)| rare.lump.map(|lump| (*at, lump)))
    }
}

fn unpack_rare(mut rest: &[u8]) -> Result<BTreeMap<u8, Rare>, String> {
    let mut all = BTreeMap::new();
    while !rest.is_empty() {
        let at = u8::try_from(take(&mut rest)?).ok().filter(|at| *at < 60);
        let at = at.ok_or("packed hour has a minute beyond 59")?;
        let mut number = || take(&mut rest).map(unzigzag);
        let (slack, assumed, dropped) = (number()?, number()?, number()?);
        let lump = match number()? {
            0 => None,
            _ => Some(Lump { from: Minute(number()?), good: number()?, total: number()? }),
        };
        all.insert(at, Rare { slack, assumed, dropped, lump });
    }
    Ok(all)
}

fn with_bit(bits: u64, at: usize, is: bool) -> u64 {
    bits & !(1 << at) | u64::from(is) << at
}

/// A bit for each minute of an hour before this one.
const fn minutes_before(minute: usize) -> u64 {
    (1 << minute) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_bucket() -> impl Strategy<Value = Bucket> {
        let number =
            || prop_oneof![4 => 0..3_i64, 2 => -5..1_000_i64, 1 => -(1_i64 << 52)..1 << 52];
        let lump = prop::option::weighted(0.1, (0..1_i64 << 30, number(), number()));
        (number(), number(), any::<[bool; 3]>(), number(), number(), number(), lump).prop_map(
            |(good, total, [measured, partial, invalid], slack, assumed, dropped, lump)| Bucket {
                good,
                total,
                measured,
                partial,
                invalid,
                slack,
                assumed,
                dropped,
                lump: lump.map(|(from, good, total)| Lump { from: Minute(from), good, total }),
            },
        )
    }

    proptest! {
        #[test]
        fn an_hour_reads_back_from_its_bytes(buckets in prop::collection::vec(any_bucket(), 60)) {
            let mut hour = Hour::default();
            for (at, bucket) in buckets.iter().enumerate() {
                hour.set(at, bucket);
            }
            let back = Hour::unpack(&hour.pack()).unwrap();
            for (at, bucket) in buckets.iter().enumerate() {
                prop_assert_eq!(&back.get(at), bucket);
            }
        }

        #[test]
        fn sums_are_those_of_the_minutes(
            buckets in prop::collection::vec(any_bucket(), 60), a in 0..=60_usize, b in 0..=60_usize,
        ) {
            let (from, to) = (a.min(b), a.max(b));
            let (mut hour, mut sums) = (Hour::default(), Sums::default());
            for (at, bucket) in buckets.iter().enumerate() {
                hour.set(at, bucket);
            }
            buckets[from..to].iter().for_each(|bucket| sums.add(bucket));
            prop_assert_eq!(hour.sums(from, to), sums);
        }

        #[test]
        fn bytes_that_are_no_hour_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Hour::unpack(&bytes);
        }
    }

    #[test]
    fn a_usual_hour_takes_about_three_bytes_a_minute() {
        let mut hour = Hour::default();
        for at in 0..60 {
            hour.set(
                at,
                &Bucket { good: 1_198, total: 1_200, measured: true, ..Bucket::default() },
            );
        }
        assert_eq!(hour.pack().len(), 3 + 60 * 3);
        assert!(Hour::default().pack().is_empty());
    }

    #[test]
    fn an_hour_takes_room_for_the_minutes_from_its_first_event_to_its_last() {
        let mut hour = Hour::default();
        for at in [20, 24] {
            hour.set(at, &Bucket { good: 7, total: 7, ..Bucket::default() });
        }
        let packed = hour.pack();
        assert_eq!(packed.len(), 3 + 5 * 2);
        // As versions before packed it.
        let whole = [&[1][..], &[0; 40], &packed[3..], &[0; 70]].concat();
        assert_eq!((Hour::unpack(&packed), Hour::unpack(&whole)), (Ok(hour.clone()), Ok(hour)));
    }
}
