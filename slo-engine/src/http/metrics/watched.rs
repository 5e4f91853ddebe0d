//! The metrics that are read from the newest snapshot at the moment they are asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use slo_core::view::State;

use crate::evaluate::snapshot::Snapshot;
use crate::http::Shared;

/// What the snapshot says of the engine.
pub(super) struct Watched(pub(super) Arc<Shared>);

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").finish_non_exhaustive()
    }
}

const STATES: [(State, &str); 5] = [
    (State::NoData, "noData"),
    (State::Stale, "stale"),
    (State::Exhausted, "exhausted"),
    (State::AtRisk, "atRisk"),
    (State::Healthy, "healthy"),
];

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (now, snapshot) = (self.0.clock.now(), self.0.latest.get());
        let loaded = ConstGauge::new(i64::from(snapshot.is_some()));
        let said = "Whether anything has been evaluated";
        let metric =
            encoder.encode_descriptor("headroom_snapshot_loaded", said, None, MetricType::Gauge)?;
        loaded.encode(metric)?;
        let unrecorded = self.0.gate.recorder().failing_since().is_some();
        let said = "Whether the last attempt to record something failed";
        let metric =
            encoder.encode_descriptor("headroom_record_error", said, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(unrecorded)).encode(metric)?;
        match snapshot {
            None => Ok(()),
            Some(snapshot) => {
                age(&mut encoder, &snapshot, now)?;
                slos(&mut encoder, &snapshot, now)?;
                recounts(&mut encoder, &snapshot)?;
                failures(&mut encoder, &snapshot)
            }
        }
    }
}

fn age(
    encoder: &mut DescriptorEncoder<'_>,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> fmt::Result {
    let age = (now - snapshot.at).num_milliseconds() as f64 / 1e3;
    let (said, unit) = ("Time since the newest evaluation", Unit::Seconds);
    let gauge = MetricType::Gauge;
    let metric = encoder.encode_descriptor("headroom_snapshot_age", said, Some(&unit), gauge)?;
    ConstGauge::new(age).encode(metric)
}

fn slos(
    encoder: &mut DescriptorEncoder<'_>,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> fmt::Result {
    let mut count: BTreeMap<State, i64> = BTreeMap::new();
    for view in snapshot.all() {
        *count.entry(view.state_at(now)).or_default() += 1;
    }
    let said = "SLOs by state";
    let mut all = encoder.encode_descriptor("headroom_slos", said, None, MetricType::Gauge)?;
    for (state, name) in STATES {
        let gauge = ConstGauge::new(count.get(&state).copied().unwrap_or(0));
        gauge.encode(all.encode_family(&[("state", name)])?)?;
    }
    Ok(())
}

/// By how much the ledger and the sources differed when a sample was counted anew.
fn recounts(encoder: &mut DescriptorEncoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let said = "Difference of the ledger and the source at the last recount: of the total, or of the budget";
    let unit = Unit::Other("ratio".to_owned());
    let gauge = MetricType::Gauge;
    let mut all = encoder.encode_descriptor("headroom_recount_off", said, Some(&unit), gauge)?;
    for one in snapshot.recounts.iter() {
        if let Some(off) = one.off {
            ConstGauge::new(off).encode(all.encode_family(&[("slo", one.slo.as_str())])?)?;
        }
    }
    Ok(())
}

/// 1 for what fails; a source that does not is 0, so that its recovery is seen.
fn failures(encoder: &mut DescriptorEncoder<'_>, snapshot: &Snapshot) -> fmt::Result {
    let store = ConstGauge::new(i64::from(snapshot.store_error.is_some()));
    let said = "Whether the last commit failed";
    let metric =
        encoder.encode_descriptor("headroom_store_error", said, None, MetricType::Gauge)?;
    store.encode(metric)?;
    let files = ConstGauge::new(i64::from(snapshot.reload_error.is_some()));
    let said = "Whether changed files have errors, so that the old ones are in force";
    let metric =
        encoder.encode_descriptor("headroom_files_error", said, None, MetricType::Gauge)?;
    files.encode(metric)?;
    let read = snapshot.all().flat_map(|view| view.sources.iter()).map(|source| &*source.name);
    let mut sources: BTreeMap<&str, i64> = read.map(|name| (name, 0)).collect();
    sources.extend(snapshot.source_errors.keys().map(|name| (name.as_str(), 1)));
    let said = "Whether the last read of a source failed";
    let mut all =
        encoder.encode_descriptor("headroom_source_error", said, None, MetricType::Gauge)?;
    for (name, fails) in sources {
        ConstGauge::new(fails).encode(all.encode_family(&[("source", name)])?)?;
    }
    Ok(())
}
