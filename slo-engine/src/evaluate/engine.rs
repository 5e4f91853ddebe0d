//! The running state: reads due sources, folds, publishes a snapshot, commits. One owner, no locks;
//! consumers read the published [`Snapshot`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use slo_core::counter::Outcome;
use slo_core::plan::Feeds;
use slo_core::slo::SloId;
use slo_core::time::Minute;

use super::backfill::{Filled, Job, Member};
use super::exclusion::InForce;
use super::live::{Live, LiveSource, Place, config_of};
use super::reading;
use super::recount::Recount;
use super::snapshot::{Latest, Snapshot};
use super::subset::LiveSubset;
use crate::config::Config;
use crate::declared::Declared;
use crate::memory;
use crate::source::Past;
use crate::source::agreement::Now;
use crate::source::config::SourceConfig;
use crate::source::intake::Fed;
use crate::source::reader::MetricSource;
use crate::store::{Store, StoreError};

mod apart;
mod commit;
pub mod early;
mod exclude;
mod load;
mod members;
mod mix;
mod open;
mod read;

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    declared: Arc<Declared>,
    store: Store,
    latest: Latest,
    slos: Vec<Live>,
    /// Subsets of the SLOs' events that have been seen.
    subsets: Vec<LiveSubset>,
    sources: Vec<LiveSource>,
    /// For sources with a past, to backfill from.
    pasts: Vec<Option<Past>>,
    /// What feeds each SLO.
    feeds: Vec<Option<Arc<Feeds>>>,
    ledgers: Arc<BTreeMap<SloId, u32>>,
    exclusions: exclude::Exclusions,
    /// Hours before this one are folded in the database.
    folded_to: i64,
    forgotten: Option<DateTime<Utc>>,
    store_error: Option<String>,
    reload_error: Option<String>,
    recounts: Arc<[Recount]>,
    stretches_changed: bool,
    /// Whether minutes could not be loaded that were to be added up.
    lacks_minutes: bool,
    compares_clocks: bool,
    /// When the tick began, where the sources' clocks are compared.
    now: Option<Now>,
}

/// So few SLOs are not worth a thread, nor giving back what a tick of theirs has used.
const FEW: usize = 500;

/// Recent minutes stay in memory: as long as the longest lump can reach, and the burn windows' edges.
pub(super) const RECENT: i64 = 400;

/// Does some work on all elements, on all cores; what it gives of each part, in their order.
fn on_all_cores<P: Send, R: Send>(
    parts: impl Iterator<Item = P>,
    work: impl Fn(P) -> R + Copy + Send,
) -> Vec<R> {
    std::thread::scope(|scope| {
        let mut parts = parts;
        let first = parts.next();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let given = first.map(work).into_iter();
        let panicked = "what is done on all cores does not panic";
        given.chain(others.into_iter().map(|other| other.join().expect(panicked))).collect()
    })
}

/// The hours that any of some accounts wants.
fn all_hours(wanted: &[&(usize, Vec<i64>)]) -> Vec<i64> {
    let hours: BTreeSet<i64> = wanted.iter().flat_map(|(_, hours)| hours).copied().collect();
    hours.into_iter().collect()
}

/// Elements that a core takes at once.
fn share(all: usize) -> usize {
    // Asking costs a dozen reads of files.
    static CORES: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    all.div_ceil(*CORES).max(FEW)
}

impl Engine {
    /// Opens the ledgers of what is declared, loads what was committed last and publishes it, without
    /// what the files exclude and what was `requested` to be excluded.
    ///
    /// # Errors
    /// When the database or a source's configuration cannot be used.
    pub async fn start(
        config: &Config,
        declared: Arc<Declared>,
        store: Store,
        latest: Latest,
        requested: Arc<[InForce]>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Self> {
        let services = declared.services.clone();
        let sources = open::Sources { configured: &config.sources, open: open::open_source };
        let mut engine = open::open(sources, declared, &services, store, latest)?;
        open::warn_of_lacking(&engine);
        engine.exclusions = exclude::Exclusions::requested(requested);
        engine.load(now).await?;
        engine.add_members();
        let mut windows = HashSet::new();
        engine.slos.iter_mut().for_each(|live| live.account.share_windows(&mut windows));
        engine.apply_exclusions(now).await?;
        engine.publish(now).await;
        Ok(engine)
    }

    /// Whether all sources can be set up as configured; none is asked.
    ///
    /// # Errors
    /// What cannot be used: a header, a secret, a certificate, a target, a pattern.
    pub fn can_use(sources: &[SourceConfig]) -> anyhow::Result<()> {
        sources.iter().try_for_each(|source| open::open_source(source).map(drop))
    }

    /// One tick: reads what is due, publishes, commits. May be called at any time, any number of times.
    pub async fn tick(&mut self, now: DateTime<Utc>) {
        self.now = self.compares_clocks.then(|| Now::new(now));
        for source in 0..self.sources.len() {
            if self.sources[source].is_due(now) {
                self.read_source(source, now).await;
            }
        }
        if let Err(error) = self.apply_exclusions(now).await {
            tracing::error!(%error, "cannot load minutes that are excluded, the old numbers stay");
            self.store_error = Some(error.to_string());
        }
        self.settle(now).await;
        // Views are made while the database writes.
        let writing = self.write().await;
        self.show(now);
        self.written(writing, now).await;
        if self.slos.len() > FEW {
            memory::give_back();
        }
    }

    /// Takes a slice of the past; what is published next shows it.
    pub async fn filled(&mut self, filled: Filled, now: DateTime<Utc>) {
        let (Some(from), Some(until)) = (filled.from, filled.until) else { return };
        for (slo, hours) in &filled.hours {
            let filled: Vec<i64> = hours.iter().map(|(hour, _)| *hour).collect();
            self.load_to_change(*slo, &filled).await;
            self.slos[*slo].fill(hours, from, until);
        }
        for (slo, subsets) in filled.subsets {
            self.fill_subsets(slo, subsets, (from, until)).await;
        }
        for (slo, _) in &filled.hours {
            self.slos[*slo].cover(from, until);
        }
        for (slo, newest) in &filled.newest {
            let reading = &mut self.slos[*slo].reading;
            reading.newest = reading.newest.max(Some(*newest));
        }
        self.stretches_changed = true;
        self.mix().await;
        self.commit(now).await;
    }

    /// The stretches of the past that are missing, for sources that have been read once.
    pub fn jobs(&mut self, now: DateTime<Utc>) -> Vec<Job> {
        let needed = self.needed_from(now);
        let mut jobs: BTreeMap<(usize, Minute, Minute), Vec<usize>> = BTreeMap::new();
        for (at, from) in needed.into_iter().enumerate() {
            let Some(source) = self.slos[at].source.filter(|_| self.slos[at].fault.is_none())
            else {
                continue;
            };
            let Some(mark) =
                self.sources[source].watermark().filter(|_| self.pasts[source].is_some())
            else {
                continue;
            };
            let live = &mut self.slos[at];
            let from = Minute(from.hour() * 60);
            live.backfill = Some(super::live::Wanted { from, until: mark });
            for (a, b) in live.missing(from, mark) {
                jobs.entry((source, a, b)).or_default().push(at);
            }
        }
        jobs.into_iter()
            .filter_map(|((source, from, until), slos)| self.job(source, from, until, &slos))
            .collect()
    }

    /// The first minute that is needed of each account, for itself and for what follows it.
    fn needed_from(&self, now: DateTime<Utc>) -> Vec<Minute> {
        let from = |live: &Live| {
            let config = config_of(&self.sources, live.source);
            // Where the data ended, the windows end and so begin earlier.
            let end = reading::end(live.account.slo(), &live.reading, config, now);
            let end = end.min(Minute::of(now));
            reading::history_start(live.account.slo(), end, &self.declared.burns)
        };
        let mut all: Vec<Minute> = self.slos.iter().map(from).collect();
        // Members follow SLOs, and these are added up from shares.
        for place in [Place::Member, Place::Shown] {
            for (at, live) in self.slos.iter().enumerate().filter(|(_, l)| l.place == place) {
                for share in &live.shares {
                    all[share.at] = all[share.at].min(all[at] + share.delay);
                }
            }
        }
        all
    }

    fn job(&self, source: usize, from: Minute, until: Minute, slos: &[usize]) -> Option<Job> {
        let past = self.pasts[source].clone()?;
        let config = &self.sources[source].config;
        let fed = |at: &usize| {
            let feeds = self.feeds[*at].clone()?;
            let rules = reading::rules(self.slos[*at].account.slo(), config);
            let live = &self.slos[*at];
            let (newest, apart) = (live.reading.newest, live.cuts());
            Some(Member { at: *at, fed: Fed { feeds, rules, apart }, newest })
        };
        Some(Job { source: past, slos: slos.iter().filter_map(fed).collect(), from, until })
    }

    /// Moves every account to its newest minute, makes the views and swaps them in.
    pub async fn publish(&mut self, now: DateTime<Utc>) {
        self.settle(now).await;
        self.show(now);
    }

    /// Adds up what is added up from others, and loads what views look at.
    async fn settle(&mut self, now: DateTime<Utc>) {
        self.note_reads();
        self.mix().await;
        self.align_members();
        self.load_edges(now).await;
        self.load_edges_of_groups(now).await;
    }

    fn show(&mut self, now: DateTime<Utc>) {
        let snapshot = self.look(now);
        self.latest.publish(snapshot);
    }

    /// Makes the views.
    fn look(&mut self, now: DateTime<Utc>) -> Snapshot {
        let mut snapshot = Snapshot {
            at: now,
            declared: self.declared.clone(),
            ledgers: self.ledgers.clone(),
            exclusions: self.exclusions.in_force.clone(),
            store_error: self.store_error.clone(),
            reload_error: self.reload_error.clone(),
            recounts: self.recounts.clone(),
            ..Snapshot::default()
        };
        self.view_all(now);
        self.view_composites(now);
        self.view_groups(now);
        self.name_spenders();
        let shown = |live: &Live| live.view.clone().filter(|_| live.place == Place::Shown);
        let places = self.slos.iter().map(|live| snapshot.add(shown(live)?));
        let places: Vec<Option<usize>> = places.collect();
        for live in &self.subsets {
            if let (Some(at), Some(view)) = (places[live.of], &live.view) {
                snapshot.groups[at].push(view.clone());
            }
        }
        let failed =
            self.sources.iter().filter_map(|s| Some((s.config.name.clone(), s.error.clone()?)));
        snapshot.source_errors.extend(failed);
        snapshot
    }

    /// Makes all views, on all cores: SLOs know nothing of each other.
    fn view_all(&mut self, now: DateTime<Utc>) {
        let (sources, asks) = (&self.sources, &self.declared.asks);
        let look = |part: &mut [Live]| {
            let viewed =
                part.iter_mut().filter(|l| l.place != Place::Share && l.members.is_empty());
            viewed.for_each(|live| live.look(sources, asks, now));
        };
        let share = share(self.slos.len());
        on_all_cores(self.slos.chunks_mut(share), look);
    }

    fn note_reads(&mut self) {
        for live in &mut self.slos {
            if let Some(source) = live.source.map(|at| &self.sources[at]) {
                let trouble = live.trouble.as_ref().filter(|_| source.tells_whom);
                let of_all = source.error.as_ref().filter(|_| !source.tells_whom);
                let reason = live.fault.as_ref().or(trouble.map(|t| &t.reason)).or(of_all);
                live.reading.last_error = reason.cloned();
                if live.fault.is_none() {
                    let is_cut_off = trouble.is_some_and(|trouble| trouble.is_all);
                    let read_to = if is_cut_off { live.reading.newest } else { source.read_to };
                    live.reading.read_to = read_to.and_then(DateTime::from_timestamp_millis);
                }
            }
        }
    }

    /// Loads the hours under the windows' edges that the next step needs.
    async fn load_edges(&mut self, now: DateTime<Utc>) {
        let mut wanted = Vec::new();
        for (at, live) in
            self.slos.iter().enumerate().filter(|(_, live)| live.place != Place::Share)
        {
            let config = config_of(&self.sources, live.source);
            let to = reading::end(live.account.slo(), &live.reading, config, now);
            let wants = live.account.wants(to);
            if !wants.is_empty() {
                wanted.push((at, wants.into_iter().map(|want| want.0).collect()));
            }
        }
        self.load_hours(&wanted).await;
    }

    /// Loads the minutes that an SLO lacks before those of some hours can change; false when they
    /// cannot be read.
    async fn load_to_change(&mut self, slo: usize, hours: &[i64]) -> bool {
        let hours = self.slos[slo].account.judged_with(hours);
        self.load_hours(&[(slo, hours)]).await
    }

    /// Loads the minutes of hours that SLOs lack; false when they cannot be read.
    async fn load_hours(&mut self, wanted: &[(usize, Vec<i64>)]) -> bool {
        let loaded = self.try_load_hours(wanted).await;
        if let Err(error) = &loaded {
            tracing::error!(%error, "cannot load minutes");
            self.store_error = Some(error.to_string());
        }
        loaded.is_ok()
    }

    /// Each SLO gets the minutes of its own hours alone: its numbers do not depend on what others need.
    async fn try_load_hours(&mut self, wanted: &[(usize, Vec<i64>)]) -> Result<(), StoreError> {
        let lacks = |(at, hours): &&(usize, Vec<i64>)| {
            hours.iter().any(|hour| self.slos[*at].account.events().lacks(*hour))
        };
        let lacking: Vec<&(usize, Vec<i64>)> = wanted.iter().filter(lacks).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let ids: Vec<u32> = lacking.iter().map(|(at, _)| self.slos[*at].ledger.id).collect();
        let found = self.store.minutes_in(&ids, &all_hours(&lacking)).await?;
        for (at, hours) in lacking {
            let live = &mut self.slos[*at];
            let found = found.get(&live.ledger.id).into_iter().flatten();
            let own: BTreeSet<i64> = hours.iter().copied().collect();
            for (hour, minutes) in found.filter(|(hour, _)| own.contains(hour)) {
                live.account.load_minutes(*hour, minutes.clone());
            }
        }
        Ok(())
    }

    /// The hours that an outcome touches.
    fn hours_of(outcome: &Outcome) -> Vec<i64> {
        let buckets = outcome.buckets.iter().map(|(minute, _)| minute.hour());
        let more = outcome.more.iter().map(|(minute, _)| minute.hour());
        let marks = outcome.marks.iter().map(|mark| mark.minute.hour());
        let mut hours: Vec<i64> = buckets.chain(more).chain(marks).collect();
        hours.sort_unstable();
        hours.dedup();
        hours
    }

    /// The same with another reader behind a source, for measurements and faults.
    #[must_use]
    pub fn with_source(mut self, name: &str, reader: &Arc<dyn MetricSource>) -> Self {
        for source in self.sources.iter_mut().filter(|s| s.config.name == name) {
            source.source = reader.clone();
        }
        self
    }

    /// The same, not refusing sources whose clock differs: for a past that is played again.
    #[must_use]
    pub const fn without_clock_check(mut self) -> Self {
        self.compares_clocks = false;
        self
    }

    /// The SLO at a position, as jobs name it.
    #[must_use]
    pub fn id(&self, at: usize) -> &SloId {
        &self.slos[at].account.slo().id
    }

    /// Takes what a recount found; what is published next shows it.
    pub fn note_recounts(&mut self, found: Vec<Recount>) {
        for live in self.slos.iter_mut().filter(|live| live.place == Place::Shown) {
            let mine = found.iter().find(|one| *one.id() == live.account.slo().id);
            if let Some(mine) = mine {
                live.reading.recount = mine.is_alarming().then(|| Box::new(mine.clone()));
            }
        }
        self.recounts = found.into();
    }

    /// Notes that changed files were not taken over; the next snapshot says so.
    pub fn note_reload(&mut self, error: Option<String>) {
        self.reload_error = error;
    }
}
