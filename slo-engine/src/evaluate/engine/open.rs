//! From files to accounts without events, and the sources that feed them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slo_core::budget::Account;
use slo_core::plan::{Feeds, Share, shares};
use slo_core::slo::{Service, Slo, SloId};

use super::Engine;
use crate::declared::Declared;
use crate::evaluate::live::{Live, LiveSource, Place, ShareOf, fingerprint, identity};
use crate::evaluate::reading::Reading;
use crate::evaluate::snapshot::Latest;
use crate::source::Past;
use crate::source::config::{SourceConfig, SourceKind, defaults, source_of};
#[cfg(feature = "elastic")]
use crate::source::elastic::Elastic;
use crate::source::jsonlog::source::Files;
use crate::source::prometheus::Prometheus;
use crate::source::reader::MetricSource;
use crate::source::scrape::source::Scrape;
use crate::store::{Registered, Store};

pub(super) type Opened = (Arc<dyn MetricSource>, Option<Past>);

/// The configured sources, and how one is opened that is needed.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) configured: &'a [SourceConfig],
    pub(super) open: fn(&SourceConfig) -> anyhow::Result<Opened>,
}

/// Accounts for some of the declared services.
pub(super) fn open(
    sources: Sources<'_>,
    declared: Arc<Declared>,
    services: &[Arc<Service>],
    store: Store,
    latest: Latest,
) -> anyhow::Result<Engine> {
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
            add_slo(&mut engine, sources, slo)?;
        }
    }
    Ok(engine)
}

/// Says in the log which SLOs have no source to be counted from, once for each reason.
pub(super) fn warn_of_lacking(engine: &Engine) {
    let mut lacking: BTreeMap<&str, Vec<&SloId>> = BTreeMap::new();
    let has_none = |live: &&Live| live.source.is_none() && live.shares.is_empty();
    for live in engine.slos.iter().filter(has_none) {
        if let Some(reason) = &live.reading.last_error {
            lacking.entry(reason).or_default().push(&live.account.slo().id);
        }
    }
    for (reason, slos) in lacking {
        tracing::warn!(count = slos.len(), first = %slos[0], "SLOs cannot be counted: {reason}");
    }
}

fn add_slo(engine: &mut Engine, sources: Sources<'_>, slo: &Arc<Slo>) -> anyhow::Result<()> {
    let mut live = new_live(&engine.declared, slo);
    let at = engine.slos.len();
    let shares = shares(slo, defaults(sources.configured));
    let source = |share| source_of(sources.configured, share).map_err(|reason| (share, reason));
    let found: Result<Vec<_>, _> = shares.iter().map(source).collect();
    match (found, &shares[..]) {
        (Err((share, reason)), _) => live.reading.lacks(share, reason),
        (Ok(found), [only]) if only.is_plain() => {
            let feeds = read_by(engine, &mut live, at, (sources, found[0], only))?;
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
                let feeds =
                    read_by(engine, &mut counted, at + 1 + place, (sources, source, share))?;
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
        trouble: None,
        apart: None,
        ledger: Registered::default(),
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
    (sources, source, share): (Sources<'_>, &SourceConfig, &Share),
) -> anyhow::Result<Arc<Feeds>> {
    let place = source_at(engine, sources, source)?;
    engine.sources[place].slos.push(at);
    live.reading.source = source.name.as_str().into();
    live.reading.reads(&share.feeds);
    live.source = Some(place);
    live.tell_apart();
    live.fingerprint = fingerprint(&source.name, &share.feeds);
    Ok(Arc::new(share.feeds.clone()))
}

/// The position of a source; opens it at first use.
fn source_at(
    engine: &mut Engine,
    sources: Sources<'_>,
    config: &SourceConfig,
) -> anyhow::Result<usize> {
    if let Some(at) = engine.sources.iter().position(|s| s.config.name == config.name) {
        return Ok(at);
    }
    let (source, past) = (sources.open)(config)?;
    engine.sources.push(LiveSource {
        config: config.clone(),
        has_past: past.is_some(),
        source,
        intake: None,
        slos: Vec::new(),
        read_to: None,
        error: None,
        tells_whom: false,
        pause_until: None,
        shows_late: false,
        pruned: None,
        looked_for_edges: None,
        unfound: BTreeMap::new(),
        was_opened: false,
        reopen_from: None,
    });
    engine.pasts.push(past);
    Ok(engine.sources.len() - 1)
}

pub(super) fn open_source(config: &SourceConfig) -> anyhow::Result<Opened> {
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
