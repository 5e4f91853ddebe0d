//! From files and database to a running state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use slo_core::budget::Account;
use slo_core::calendar;
use slo_core::ledger::Hour;
use slo_core::plan::{Feeds, Share, shares};
use slo_core::sli::Indicator;
use slo_core::slo::{Budgeting, Slo, SloId};
use slo_core::stretches::Stretches;
use slo_core::time::Minute;

use super::{Engine, RECENT};
use crate::config::Config;
use crate::declared::Declared;
use crate::evaluate::live::{Live, LiveSource, Place, ShareOf, fingerprint, identity};
use crate::evaluate::reading::Reading;
use crate::evaluate::snapshot::Latest;
use crate::source::Past;
use crate::source::config::{SourceConfig, SourceKind, defaults, source_of};
#[cfg(feature = "elastic")]
use crate::source::elastic::Elastic;
use crate::source::intake::Intake;
use crate::source::jsonlog::source::Files;
use crate::source::prometheus::Prometheus;
use crate::source::reader::MetricSource;
use crate::source::scrape::source::Scrape;
use crate::store::{LedgerKey, NEIGHBOURS, Registered, Store, StoreError};

type Opened = (Arc<dyn MetricSource>, Option<Past>);

pub(super) fn open(
    config: &Config,
    declared: Arc<Declared>,
    store: Store,
    latest: Latest,
) -> anyhow::Result<Engine> {
    let services = declared.services.clone();
    let mut engine = Engine {
        store,
        latest,
        slos: Vec::new(),
        subsets: Vec::new(),
        sources: Vec::new(),
        pasts: Vec::new(),
        feeds: Vec::new(),
        ledgers: Arc::default(),
        exclusions: super::exclude::Exclusions::default(),
        folded_to: i64::MIN,
        forgotten: None,
        store_error: None,
        reload_error: None,
        recounts: Arc::default(),
        stretches_changed: false,
        lacks_minutes: false,
        compares_clocks: true,
        now: None,
        declared,
    };
    let count = services.iter().map(|service| service.slos.len()).sum();
    engine.slos.reserve_exact(count);
    engine.feeds.reserve_exact(count);
    for service in services {
        for slo in &service.slos {
            add_slo(&mut engine, config, slo)?;
        }
    }
    Ok(engine)
}

fn add_slo(engine: &mut Engine, config: &Config, slo: &Arc<Slo>) -> anyhow::Result<()> {
    let mut live = new_live(&engine.declared, slo);
    let at = engine.slos.len();
    let shares = shares(slo, defaults(&config.sources));
    let source = |share| source_of(&config.sources, share).map_err(|reason| (share, reason));
    let found: Result<Vec<_>, _> = shares.iter().map(source).collect();
    match (found, &shares[..]) {
        (Err((share, reason)), _) => live.reading.lacks(share, reason),
        (Ok(found), [only]) if only.is_plain() => {
            let feeds = read_by(engine, &mut live, at, (found[0], only))?;
            push(engine, live, Some(feeds));
            return Ok(());
        }
        (Ok(found), _) => {
            live.fingerprint = identity(&shares);
            live.tell_apart();
            for (place, share) in shares.iter().enumerate() {
                let (role, delay) = (share.role, share.delay.as_minutes());
                live.shares.push(ShareOf { at: at + 1 + place, role, delay });
            }
            push(engine, live, None);
            for (place, (source, share)) in found.into_iter().zip(&shares).enumerate() {
                let mut counted = Live { place: Place::Share, ..new_live(&engine.declared, slo) };
                let feeds = read_by(engine, &mut counted, at + 1 + place, (source, share))?;
                push(engine, counted, Some(feeds));
            }
            return Ok(());
        }
    }
    push(engine, live, None);
    Ok(())
}

fn push(engine: &mut Engine, live: Live, feeds: Option<Arc<Feeds>>) {
    engine.slos.push(live);
    engine.feeds.push(feeds);
}

pub(super) fn new_live(declared: &Declared, slo: &Arc<Slo>) -> Live {
    Live {
        account: Account::new(slo.clone(), &declared.burns),
        reading: Reading::default(),
        source: None,
        fingerprint: String::new(),
        shares: Vec::new(),
        place: Place::Shown,
        members: Vec::new(),
        fault: None,
        apart: None,
        ledger: Registered { id: 0, first: None, stretches: Stretches::default(), replaces: false },
        dirty: BTreeSet::new(),
        backfill: None,
        view: None,
    }
}

/// Lets a source count what will stand at a position.
fn read_by(
    engine: &mut Engine,
    live: &mut Live,
    at: usize,
    (source, share): (&SourceConfig, &Share),
) -> anyhow::Result<Arc<Feeds>> {
    let place = source_at(engine, source)?;
    engine.sources[place].slos.push(at);
    live.reading.source = source.name.as_str().into();
    live.reading.reads(&share.feeds);
    live.source = Some(place);
    live.tell_apart();
    live.fingerprint = fingerprint(&source.name, &share.feeds);
    Ok(Arc::new(share.feeds.clone()))
}

/// The position of a source; opens it at first use.
fn source_at(engine: &mut Engine, config: &SourceConfig) -> anyhow::Result<usize> {
    if let Some(at) = engine.sources.iter().position(|s| s.config.name == config.name) {
        return Ok(at);
    }
    let (source, past) = open_source(config)?;
    engine.sources.push(LiveSource {
        config: config.clone(),
        has_past: past.is_some(),
        source,
        intake: None,
        slos: Vec::new(),
        read_to: None,
        error: None,
        pause_until: None,
        shows_late: false,
        pruned: None,
        looked_for_edges: None,
        was_opened: false,
        reopen_from: None,
    });
    engine.pasts.push(past);
    Ok(engine.sources.len() - 1)
}

fn open_source(config: &SourceConfig) -> anyhow::Result<Opened> {
    Ok(match config.kind {
        SourceKind::Prometheus => {
            let prometheus = Arc::new(Prometheus::new(config)?);
            (prometheus.clone(), Some(Past::Prometheus(prometheus)))
        }
        SourceKind::Scrape => (Arc::new(Scrape::new(config)?), None),
        #[cfg(feature = "elastic")]
        SourceKind::Elasticsearch => {
            let elastic = Arc::new(Elastic::new(config)?);
            (elastic.clone(), Some(Past::Elastic(elastic)))
        }
        #[cfg(not(feature = "elastic"))]
        SourceKind::Elasticsearch => anyhow::bail!(
            "source `{}`: this program was built without Elasticsearch; build it with --features elastic",
            config.name
        ),
        SourceKind::Jsonlog => (Arc::new(Files::new(config)?), None),
    })
}

impl Engine {
    /// Loads what was committed last.
    pub(super) async fn load(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let longest = self.declared.services.iter().flat_map(|s| &s.slos).flat_map(|s| &s.windows);
        let longest = longest.map(|w| calendar::longest(*w)).max().unwrap_or(0).max(8 * 1_440);
        let current = Minute::of(now).hour();
        let oldest = current - 2 * longest / 60 - 48;
        // By far the most of the work, so it begins first.
        let folds = self.store.folds(oldest);
        self.register().await?;
        let marks = self.store.watermarks().await?;
        for source in &mut self.sources {
            let mark = marks.iter().find(|m| m.source == source.config.name);
            source.read_to = mark.map(|m| m.read_to);
        }
        self.register_cuts().await?;
        self.end_stretches(marks.iter().map(|m| m.minute).min()).await?;
        self.folded_to = self.store.folded_to().await?.unwrap_or(current);
        let oldest = marks.iter().map(|m| m.minute).min().unwrap_or(Minute::of(now));
        let recent = self.folded_to.min((oldest - RECENT).hour());
        let mut minutes = self.store.minutes_from(recent).await?;
        let mut folds = folds.await?;
        for live in &mut self.slos {
            if let Some(history) = folds.remove(&live.ledger.id) {
                live.account.events_mut().load_history(history);
            }
            load_minutes(live, minutes.remove(&live.ledger.id).unwrap_or_default());
        }
        self.load_subsets(&mut folds, &mut minutes).await?;
        self.load_slices(current).await?;
        self.find_ends().await;
        Ok(())
    }

    /// Slices of time are judged anew by their minutes, which the sums of hours do not tell.
    async fn load_slices(&mut self, current: i64) -> Result<(), StoreError> {
        // Neighbours lie in the same rows.
        let mut lacking: BTreeMap<u32, (Vec<u32>, BTreeSet<i64>)> = BTreeMap::new();
        let slos = self.declared.services.iter().flat_map(|service| &service.slos);
        let composites = slos.filter(|slo| matches!(slo.indicator, Indicator::Composite(_)));
        let windows = composites.flat_map(|slo| &slo.windows);
        let of_composites = windows.map(|w| calendar::longest(*w)).max().unwrap_or(0);
        for live in self.slos.iter().filter(|live| live.place == Place::Shown) {
            let slo = live.account.slo();
            if matches!(slo.budgeting, Budgeting::Occurrences) {
                continue;
            }
            let longest = slo.windows.iter().map(|w| calendar::longest(*w)).max().unwrap_or(0);
            let longest = longest.max(of_composites);
            let events = live.account.events();
            let hours =
                (current - longest / 60 - 48..current + 1).filter(|hour| events.lacks(*hour));
            let (ids, all) = lacking.entry(live.ledger.id / NEIGHBOURS).or_default();
            ids.push(live.ledger.id);
            all.extend(hours);
        }
        let places: BTreeMap<u32, usize> = self.places_of_ledgers();
        for (ids, hours) in lacking.into_values() {
            let hours: Vec<i64> = hours.into_iter().collect();
            for (id, found) in self.store.minutes_in(&ids, &hours).await? {
                let Some(at) = places.get(&id) else { continue };
                let events = self.slos[*at].account.events_mut();
                for (hour, minutes) in found {
                    events.load_minutes(hour, minutes);
                }
            }
        }
        Ok(())
    }

    fn places_of_ledgers(&self) -> BTreeMap<u32, usize> {
        self.slos.iter().enumerate().map(|(at, live)| (live.ledger.id, at)).collect()
    }

    /// Until the series are read again, the newest sample is known to the minute: the last measured
    /// one, also where the data ended long before the watermark.
    async fn find_ends(&mut self) {
        let mut ended: Vec<(usize, i64)> = Vec::new();
        for (at, live) in self.slos.iter().enumerate() {
            let events = live.account.events();
            let last = events.hours().rev().find(|hour| events.fold(*hour).measured > 0);
            ended.extend(last.map(|hour| (at, hour)));
        }
        let slos: Vec<usize> = ended.iter().map(|(at, _)| *at).collect();
        let mut hours: Vec<i64> = ended.iter().map(|(_, hour)| *hour).collect();
        hours.sort_unstable();
        hours.dedup();
        self.load_hours(&slos, &hours).await;
        for (at, hour) in ended {
            let live = &mut self.slos[at];
            let minutes = live.account.events().minutes(hour);
            let measured = (0..60).rev().find(|at| minutes.is_some_and(|m| m.get(*at).measured));
            let minute =
                Minute(hour * 60 + measured.and_then(|m| i64::try_from(m).ok()).unwrap_or(59));
            live.reading.newest = Some((minute + 1).start_millis() - 1);
        }
    }

    /// What was read until the last run ended was read up to the watermark, no further.
    async fn end_stretches(&mut self, oldest: Option<Minute>) -> Result<(), StoreError> {
        for live in &mut self.slos {
            let mark = live.source.and_then(|at| self.sources[at].watermark());
            // Without a mark, nothing that was read in the run that went on was written.
            let end = mark.unwrap_or(Minute(i64::MIN));
            for stretches in live.all_stretches().filter(|all| all.goes_on()) {
                stretches.end(end);
            }
        }
        let cuts = self.slos.iter().filter_map(|live| Some(live.apart.as_ref()?.ledger));
        let keep: Vec<u32> = self.slos.iter().map(|live| live.ledger.id).chain(cuts).collect();
        match oldest {
            Some(oldest) => self.store.retire(&keep, oldest).await,
            None => Ok(()),
        }
    }

    async fn register(&mut self) -> Result<(), StoreError> {
        let key = |live: &Live| LedgerKey {
            slo: live.account.slo().id.clone(),
            fingerprint: live.fingerprint.clone(),
        };
        let keys: Vec<LedgerKey> = self.slos.iter().map(key).collect();
        let was: Vec<(LedgerKey, LedgerKey)> = self
            .slos
            .iter()
            .zip(&keys)
            .filter_map(|(live, key)| {
                let slo = live.account.slo().was.clone()?;
                let old = SloId { slo, ..key.slo.clone() };
                Some((LedgerKey { slo: old, ..key.clone() }, key.clone()))
            })
            .collect();
        self.store.rename(&was).await?;
        let registered = self.store.register(&keys).await?;
        let mut ledgers = BTreeMap::new();
        for (live, ledger) in self.slos.iter_mut().zip(registered) {
            if live.place == Place::Shown {
                ledgers.insert(live.account.slo().id.clone(), ledger.id);
            }
            if let Some(first) = ledger.first {
                live.account.events_mut().set_first(first);
            }
            live.reading.replaces = ledger.replaces;
            live.ledger = ledger;
            live.fingerprint = String::new();
        }
        self.ledgers = Arc::new(ledgers);
        Ok(())
    }

    /// Restores the tails and the open minutes of a source without a past, and where files had been read to.
    pub(super) async fn restore_tails(
        &self,
        source: usize,
        intake: &mut Intake,
        open: Minute,
    ) -> Result<(), StoreError> {
        let live = &self.sources[source];
        if !live.was_opened && live.source.positions().is_some() {
            live.source.resume(self.store.positions(&live.config.name).await?);
        }
        let slos = &live.slos;
        let place: BTreeMap<u32, usize> =
            slos.iter().enumerate().map(|(place, at)| (self.slos[*at].ledger.id, place)).collect();
        for tail in self.store.tails().await? {
            if let Some(place) = place.get(&tail.ledger) {
                let labels = slo_core::labels::Labels::from_bytes(&tail.series);
                intake.restore(*place, &labels, tail.at, tail.value);
            }
        }
        for (place, at) in slos.iter().enumerate() {
            if let Some(bucket) = self.slos[*at].account.events().bucket(open) {
                intake.resume(place, open, bucket);
            }
            let subsets = self.slos[*at].apart.iter().flat_map(|apart| &apart.subsets);
            for (subset, at) in subsets {
                let bucket = self.subsets[*at].account.events().bucket(open);
                intake.resume_subset(place, subset, open, bucket.unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// Loads minutes; the open ones hold what was read until the last commit.
fn load_minutes(live: &mut Live, hours: Vec<(i64, Hour)>) {
    for (hour, minutes) in hours {
        live.account.events_mut().load_fold(hour, &minutes.sums(0, 60));
        live.account.events_mut().load_minutes(hour, minutes);
    }
}
