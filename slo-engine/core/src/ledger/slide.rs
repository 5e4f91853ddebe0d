//! A window of a ledger and its sums. There are ten or so for each of many thousand SLOs, so what few of
//! them have takes room only where it is.

use crate::bucket::Sums;
use crate::time::Minute;

/// A run of minutes and its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slide {
    /// First minute.
    pub from: Minute,
    /// First minute after the run.
    pub to: Minute,
    /// Sums over the run.
    pub sums: Sums,
    /// Whether minutes at its edges were missing, so that the sums hold even shares of hours.
    pub inexact: bool,
}

/// The same as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    from: Minute,
    to: Minute,
    good: i64,
    total: i64,
    measured: i32,
    inexact: bool,
    /// What is not as in most windows: nothing partial, nothing rare.
    rest: Option<Box<Sums>>,
}

impl Default for Standing {
    fn default() -> Self {
        Slide { from: Minute(0), to: Minute(0), sums: Sums::default(), inexact: false }.into()
    }
}

impl From<Slide> for Standing {
    fn from(slide: Slide) -> Self {
        let mut standing = Self {
            from: slide.from,
            to: slide.to,
            good: 0,
            total: 0,
            measured: 0,
            inexact: false,
            rest: None,
        };
        standing.put(slide);
        standing
    }
}

impl From<&Standing> for Slide {
    fn from(of: &Standing) -> Self {
        let (from, to, inexact) = (of.from, of.to, of.inexact);
        let mut sums = of.rest.as_deref().copied().unwrap_or_default();
        (sums.good, sums.total) = (of.good, of.total);
        sums.measured += i64::from(of.measured);
        Self { from, to, sums, inexact }
    }
}

impl Standing {
    pub(super) const fn begin(&self) -> Minute {
        self.from
    }

    pub(super) fn has(&self, minute: Minute) -> bool {
        self.from <= minute && minute < self.to
    }

    /// Keeps a window in the place of the one that is here.
    pub(super) fn put(&mut self, Slide { from, to, sums, inexact }: Slide) {
        let few = i32::try_from(sums.measured).ok();
        let rest = Sums { good: 0, total: 0, measured: few.map_or(sums.measured, |_| 0), ..sums };
        (self.from, self.to, self.inexact) = (from, to, inexact);
        (self.good, self.total, self.measured) = (sums.good, sums.total, few.unwrap_or(0));
        match &mut self.rest {
            _ if rest == Sums::default() => self.rest = None,
            Some(known) => **known = rest,
            None => self.rest = Some(Box::new(rest)),
        }
    }

    pub(super) fn add(&mut self, change: &Sums) {
        let mut slide = Slide::from(&*self);
        slide.sums.combine(change, 1);
        self.put(slide);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_window_is_kept_in_48_bytes() {
        assert_eq!(size_of::<Standing>(), 48);
        let sums = Sums { good: 5, total: 6, measured: 43_200, ..Sums::default() };
        let slide = Slide { from: Minute(0), to: Minute(43_200), sums, inexact: false };
        assert!(Standing::from(slide).rest.is_none());
    }

    proptest! {
        #[test]
        fn a_window_is_read_as_it_was_kept(
            numbers in prop::array::uniform8(prop_oneof![Just(0_i64), -9..9_i64, -1_i64 << 60..1 << 60]),
            (from, to) in any::<(i64, i64)>(), inexact in any::<bool>(),
        ) {
            let [good, total, measured, partial, invalid, slack, assumed, dropped] = numbers;
            let sums = Sums { good, total, measured, partial, invalid, slack, assumed, dropped };
            let slide = Slide { from: Minute(from), to: Minute(to), sums, inexact };
            let mut kept = Standing::from(slide);
            prop_assert_eq!(Slide::from(&kept), slide);
            kept.add(&sums);
            kept.add(&Sums::default());
            let mut twice = sums;
            twice.combine(&sums, 1);
            prop_assert_eq!(Slide::from(&kept), Slide { sums: twice, ..slide });
        }
    }
}
