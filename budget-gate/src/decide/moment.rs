//! The instant of a decision, which can note until when the same question would be answered alike.

use std::cell::Cell;

use chrono::{DateTime, TimeDelta, Utc};

/// An instant that knows what it was compared with. Whoever reads it says what for, so that nothing
/// that is made of it can outlast its truth.
pub(super) struct Moment {
    now: DateTime<Utc>,
    /// The first instant at which something may be otherwise, where anybody wants to know.
    until: Option<Cell<DateTime<Utc>>>,
}

impl Moment {
    pub(super) const fn of(now: DateTime<Utc>) -> Self {
        Self { now, until: None }
    }

    pub(super) const fn noting(now: DateTime<Utc>) -> Self {
        Self { now, until: Some(Cell::new(DateTime::<Utc>::MAX_UTC)) }
    }

    /// For what is so at this very instant only.
    pub(super) fn exactly(&self) -> DateTime<Utc> {
        self.ends_at(self.now);
        self.now
    }

    /// For the instant itself, which is told anew like ages.
    pub(super) const fn shown(&self) -> DateTime<Utc> {
        self.now
    }

    /// For an age that is shown: it is told anew at each instant.
    pub(super) fn since(&self, then: DateTime<Utc>) -> TimeDelta {
        self.now - then
    }

    /// For what stays as it is found until another instant is found; `None` is never.
    pub(super) fn find<T>(
        &self,
        find: impl FnOnce(DateTime<Utc>) -> T,
        until: impl FnOnce(DateTime<Utc>) -> Option<DateTime<Utc>>,
    ) -> T {
        if let Some(until) = self.until.as_ref().and_then(|_| until(self.now)) {
            self.ends_at(until);
        }
        find(self.now)
    }

    /// Whether an instant is still to come.
    pub(super) fn is_before(&self, then: DateTime<Utc>) -> bool {
        let is_before = self.now < then;
        if is_before {
            self.ends_at(then);
        }
        is_before
    }

    /// An instant that is to come, or now.
    pub(super) fn or_now(&self, then: DateTime<Utc>) -> DateTime<Utc> {
        if self.is_before(then) { then } else { self.exactly() }
    }

    /// The first instant at which the answer may be another one.
    pub(super) fn until(&self) -> Option<DateTime<Utc>> {
        self.until.as_ref().map(Cell::get)
    }

    fn ends_at(&self, then: DateTime<Utc>) {
        if let Some(until) = &self.until {
            until.set(until.get().min(then.max(self.now)));
        }
    }
}
