//! A subset of an SLO's events while the server runs: its ledger, and the view of a group.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::bucket::Bucket;
use slo_core::budget::{Account, Beside, Facts};
use slo_core::counter::OutcomeOf;
use slo_core::ledger::Hour;
use slo_core::slo::{Budgeting, Gate, Slo};
use slo_core::subset::Subset;
use slo_core::time::Minute;
use slo_core::view::{Ask, BudgetView, Group};

use super::live::{Live, LiveSource, Place, config_of};
use super::reading::{self, Reading};

/// One subset.
#[derive(Debug)]
pub(super) struct LiveSubset {
    /// Position of its SLO.
    pub(super) of: usize,
    pub(super) subset: Arc<Subset>,
    pub(super) account: Account,
    /// Its ledger in the database, once there is one.
    pub(super) ledger: Option<u32>,
    /// The first minute with data, as the database knows it.
    pub(super) first: Option<Minute>,
    /// Hours that changed since the last commit.
    pub(super) dirty: BTreeSet<i64>,
    /// Its newest sample or document, Unix milliseconds.
    newest: Option<i64>,
    /// In views, when it is a group.
    group: Option<Group>,
    pub(super) view: Option<Arc<BudgetView>>,
}

/// An SLO whose windows were moved, as the views of its groups are made beside it.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    reading: &'a Reading,
    beside: Beside<'a>,
    /// What all of them have in common.
    facts: Facts<'a>,
}

impl<'a> Whole<'a> {
    /// `None` of an SLO without groups that people see; a share of one is none.
    pub(super) fn of(
        live: &'a Live,
        sources: &[LiveSource],
        asks: &'a [Ask],
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if live.place != Place::Shown || live.apart.is_none() {
            return None;
        }
        let config = config_of(sources, live.source);
        let (slo, reading) = (live.account.slo(), &live.reading);
        // Questions about the future are the gate's.
        let asks = if slo.gate == Gate::Groups { asks } else { &[] };
        let asked = reading::Asked { now, asks, backfill: live.progress(), before: None };
        let beside = live.account.beside(reading::end(slo, reading, config, now));
        Some(Self { reading, beside, facts: reading::read(slo, reading, config, asked) })
    }
}

impl LiveSubset {
    /// One of an SLO's, without events. A group has the budgets of its SLO; of others only events are kept.
    pub(super) fn new(of: usize, whole: &Account, subset: Arc<Subset>) -> Self {
        let account = if subset.is_group() {
            whole.of_group()
        } else {
            let (windows, alerts) = (Vec::new(), Vec::new().into());
            let budgeting = Budgeting::Occurrences;
            let slo = Slo { windows, alerts, budgeting, ..(**whole.slo()).clone() };
            Account::new(Arc::new(slo), &[])
        };
        Self {
            of,
            group: group(&subset),
            subset,
            account,
            ledger: None,
            first: None,
            dirty: BTreeSet::new(),
            newest: None,
            view: None,
        }
    }

    /// Takes what a read changed. The hours must be in memory.
    pub(super) fn take(&mut self, outcome: &OutcomeOf) {
        self.newest = self.newest.max(outcome.newest);
        for (minute, bucket) in &outcome.buckets {
            self.replace(*minute, bucket);
        }
        for (minute, more) in &outcome.more {
            let known = self.account.events().bucket(*minute).unwrap_or_default();
            self.replace(*minute, &known.plus(more));
        }
    }

    /// Takes hours of the past, as far as nothing is known of them.
    pub(super) fn fill(&mut self, hours: &[(i64, Hour)], unread: &[(Minute, Minute)]) {
        for (hour, minutes) in hours {
            for at in 0..60 {
                let minute = Minute(hour * 60 + i64::try_from(at).unwrap_or(0));
                let bucket = minutes.get(at);
                if !bucket.is_empty() && unread.iter().any(|(a, b)| *a <= minute && minute < *b) {
                    self.replace(minute, &bucket);
                }
            }
        }
    }

    /// Sets minutes that are in memory, where they are others.
    pub(super) fn set(&mut self, minutes: &[(Minute, Bucket)]) {
        for (minute, bucket) in minutes {
            if self.account.events().bucket(*minute).is_some_and(|known| known != *bucket) {
                self.replace(*minute, bucket);
            }
        }
    }

    /// Empties the open minutes that the last run left, from `mark` on.
    pub(super) fn reopen(&mut self, mark: Minute) {
        let last = Minute(self.account.events().hours().end * 60);
        for minute in (mark.0..last.0).map(Minute) {
            if self.account.events().bucket(minute).is_some_and(|bucket| !bucket.is_empty()) {
                self.replace(minute, &Bucket::default());
            }
        }
    }

    fn replace(&mut self, minute: Minute, bucket: &Bucket) {
        self.account.replace(minute, bucket);
        self.dirty.insert(minute.hour());
    }

    /// Moves the account of a group to where its SLO's stands, and makes its view.
    pub(super) fn look(&mut self, whole: &Whole<'_>) {
        let Some(group) = self.group.clone() else { return };
        self.account.advance_in(&whole.beside);
        let before = self.view.take();
        let facts = Facts {
            findings: reading::findings(&self.account, whole.reading),
            before: before.as_deref(),
            ..whole.facts.clone()
        };
        let newest = self.newest.or_else(|| self.last_event());
        let view = of_group(self.account.view(facts), group, (whole.reading.newest, newest));
        self.view = Some(Arc::new(view));
    }

    /// Until something was seen since the start: the end of the newest hour with events.
    fn last_event(&self) -> Option<i64> {
        let events = self.account.events();
        let hour = events.hours().rev().find(|hour| events.fold(*hour).total != 0)?;
        Some(Minute(hour * 60 + 60).start_millis())
    }
}

/// A subset in views, when it is a group.
pub(super) fn group(subset: &Subset) -> Option<Group> {
    let Subset::Group(labels) = subset else { return None };
    Some(match labels {
        Some(labels) => Group::Labels { labels: Arc::new(labels.clone()) },
        None => Group::Other { other: true },
    })
}

/// The view of a group. One of which nothing was seen for as long as a gap may be is gone, and decides
/// nothing; `newest` are the newest samples of its SLO and of itself, Unix milliseconds.
pub(super) fn of_group(
    view: BudgetView,
    group: Group,
    newest: (Option<i64>, Option<i64>),
) -> BudgetView {
    BudgetView { group: Some(group), gate: gate(view.gate, newest), ..view }
}

fn gate(gate: Gate, (whole, mine): (Option<i64>, Option<i64>)) -> Gate {
    let is_gone = whole.zip(mine).is_none_or(|(whole, mine)| whole - mine > GONE);
    if gate == Gate::Groups && !is_gone { Gate::Groups } else { Gate::Informs }
}

/// A group that is silent for longer, in milliseconds, is gone.
const GONE: i64 = slo_core::slo::MAX_GAP.as_millis();
