//! What is looked up alone is what the whole says, of all kinds of SLOs.

use std::collections::BTreeMap;

use budget_gate::{Facts, Request, decide};
use headroom_bench::random::Random;
use slo_core::bucket::{Bucket, Lump};
use slo_core::ledger::Hour;
use slo_core::slo::{Name, SloId};
use slo_core::subset::Subset;
use slo_core::time::Minute;
use slo_core::view::{BudgetView, State};

use super::super::Engine;
use super::*;
use crate::declared;
use crate::store::{Commit, LedgerKey, PartOf, Watermark};

/// Services of the first run.
const BEFORE: &str = r#"
apiVersion: headroom/v1
kind: Service
service: plain
tier: 1
environment: p
dependsOn: [grouped, journey, nobody]
slos:
  - {name: rolling, objective: 99%, window: [2d, 7d], indicator: {ratio: {total: 't{a="1"}', bad: '{c=~"5.."}'}}}
  - {name: calendar, objective: 95%, window: {calendar: week, zone: Europe/Paris}, indicator: {ratio: {total: 't{a="2"}', good: '{c=~"2.."}'}}}
  - {name: old-name, objective: 99%, window: 1d, indicator: {ratio: {total: 't{a="3"}', bad: '{c=~"5.."}'}}}
  - {name: changed, objective: 99%, window: 1d, indicator: {ratio: {total: 't{a="4"}', bad: '{c="500"}'}}}
  - {name: latency, objective: 90%, window: 3d, staleAfter: 20m, indicator: {latency: {histogram: 'd_seconds{a="1"}', under: 500ms}}}
---
apiVersion: headroom/v1
kind: Service
service: plain
tier: 4
environment: q
slos:
  - {name: elsewhere, objective: 99%, window: 1d, gate: false, indicator: {ratio: {total: 't{a="9"}', bad: '{c=~"5.."}'}}}
---
apiVersion: headroom/v1
kind: Service
service: sliced
tier: 2
environment: p
slos:
  - {name: slices, objective: 90%, window: 2d, budgeting: {timeslices: {size: 5m, goodWhen: 95%}}, unmeasured: bad, indicator: {ratio: {total: 't{a="5"}', bad: '{c=~"5.."}'}}}
  - {name: mean, objective: 90%, window: 1d, budgeting: {ratioTimeslices: {size: 90m}}, indicator: {ratio: {total: 't{a="6"}', bad: '{c=~"5.."}'}}}
  - {name: raw, objective: 80%, window: 1d, budgeting: {timeslices: {size: 5m, goodWhen: 95%}}, indicator: {raw: {errorRatio: 'job:ratio5m'}}}
  - {name: gauge, objective: 95%, window: 1d, indicator: {threshold: {gauge: 'queue{a="1"}', below: 1000}}}
---
apiVersion: headroom/v1
kind: Service
service: grouped
tier: 2
environment: p
slos:
  - {name: routes, objective: 95%, window: 2d, gate: groups, groupBy: [route], attributeBy: [code], indicator: {ratio: {total: 't{a="7"}', bad: '{c=~"5.."}'}}}
  - {name: sliced, objective: 95%, window: 1d, groupBy: [route], budgeting: {timeslices: {size: 5m, goodWhen: 95%}}, indicator: {ratio: {total: 't{a="8"}', bad: '{c=~"5.."}'}}}
---
apiVersion: headroom/v1
kind: Service
service: mixed
tier: 2
environment: p
slos:
  - {name: apart, objective: 90%, window: 2d, groupBy: [route], indicator: {ratio: {total: {source: prometheus, selector: u}, good: {source: second, selector: v, delay: 2m}}}}
---
apiVersion: headroom/v1
kind: Service
service: journey
tier: 1
environment: p
slos:
  - {name: buy, objective: 95%, window: 2d, indicator: {composite: [{slo: plain/rolling, weight: 2}, {slo: sliced/slices, weight: 1}, {slo: mixed/apart, weight: 1}]}}
  - {name: all, objective: 95%, window: 1d, indicator: {composite: [{slo: journey/buy, weight: 1}, {slo: grouped/routes, weight: 1}]}}
"#;

const GONE: &str = r#"
---
apiVersion: headroom/v1
kind: Service
service: gone
tier: 4
environment: p
slos:
  - {name: gone, objective: 99%, window: 30d, indicator: {ratio: {total: gone_total, bad: '{c=~"5.."}'}}}
"#;

/// What else the second run declares.
const NEW: &str = r#"
---
apiVersion: headroom/v1
kind: Service
service: new
tier: 4
environment: p
slos:
  - {name: new, objective: 99%, window: 14d, groupBy: [route], indicator: {ratio: {total: new_total, bad: '{c=~"5.."}'}}}
---
apiVersion: headroom/v1
kind: Policy
policy: p
applies: {}
rules:
  - budget: {denyBelow: 0%, warnBelow: 25%}
  - burn: {window: 1h, deny: 14.4, warn: 6, minBad: 10}
  - exhaustion: {warnWithin: 24h}
  - freshness: {max: 10m}
  - coverage: {min: 90%}
  - dependencies: {warnBelow: 10%}
onUnknown: deny
noSlo: deny
"#;

const EXCLUDED: &str = r#"
---
apiVersion: headroom/v1
kind: Exclusion
slos: [plain/*, journey/buy, mixed/*, grouped/*]
from: 2026-11-19T22:30Z
until: 2026-11-20T01:10Z
reason: planned upgrade
author: ana@example.com
"#;

const SERVICES: [&str; 7] = ["plain", "sliced", "grouped", "mixed", "journey", "new", "nobody"];

fn now() -> DateTime<Utc> {
    "2026-11-21T10:07:41Z".parse().unwrap()
}

/// A database that a first run left, of random events.
struct Left {
    _folder: tempfile::TempDir,
    config: Config,
    store: Store,
    random: Random,
}

impl Left {
    async fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        let mut second = config.sources[0].clone();
        second.name = "second".to_owned();
        config.sources.push(second);
        config.store.url = format!("sqlite://{}/h.db", folder.path().display());
        let store = Store::open(&config.store.url).await.unwrap();
        let mut left = Self { _folder: folder, config, store, random: Random::new(seed) };
        left.run(&declared(&[BEFORE, GONE])).await;
        left
    }

    async fn start(&self, declared: &Arc<Declared>) -> Arc<Snapshot> {
        let (latest, store) = (Latest::default(), self.store.clone());
        let declared = declared.clone();
        let start =
            Engine::start(&self.config, declared, store, latest.clone(), Arc::default(), now());
        drop(start.await.unwrap());
        latest.get().unwrap()
    }

    fn early(&self, declared: &Arc<Declared>) -> Early {
        Early::new(&self.config, declared.clone(), self.store.clone(), Arc::default(), now())
    }

    /// Registers what is declared, with some groups, and writes what a server might have counted.
    async fn run(&mut self, declared: &Arc<Declared>) {
        self.start(declared).await;
        let wholes = "SELECT DISTINCT whole FROM subsets";
        let wholes: Vec<u32> =
            sqlx::query_scalar(wholes).fetch_all(self.store.pool()).await.unwrap();
        let mut parts = Vec::new();
        for whole in wholes {
            for value in ["/a", "/b"] {
                let labels = BTreeMap::from([("route".to_owned(), value.to_owned())]);
                parts.push((whole, PartOf::Subset(Arc::new(Subset::Group(Some(labels))))));
                let code = Subset::Attribute("code".to_owned(), Some(value.to_owned()));
                parts.push((whole, PartOf::Subset(Arc::new(code))));
            }
        }
        self.store.register_parts(&parts).await.unwrap();
        let ids = "SELECT id FROM ledgers";
        let ids: Vec<u32> = sqlx::query_scalar(ids).fetch_all(self.store.pool()).await.unwrap();
        let folded_to = Minute::of(now()).hour() - 2;
        let mut commit = Commit { folded_to: Some(folded_to), ..Commit::default() };
        for id in ids {
            self.count(id, &mut commit);
        }
        for source in ["prometheus", "second"] {
            // Without a mark nothing is known of how far a source was read.
            if self.random.between(0, 4) > 0 {
                let read_to = now().timestamp_millis() - self.random.between(0, 40) * 60_000;
                let minute = Minute::of_millis(read_to);
                let source = source.to_owned();
                commit.watermarks.push(Watermark { source, minute, read_to });
            }
        }
        self.store.commit(&commit).await.unwrap();
    }

    fn count(&mut self, id: u32, commit: &mut Commit) {
        let current = Minute::of(now()).hour();
        let begin = current - self.random.between(1, 12 * 24);
        let end = current - [0, 0, 0, 5, 60][self.random.between(0, 5) as usize];
        let kind = self.random.between(1, 8);
        for hour in begin..=end {
            if self.random.between(0, 20) == 0 {
                continue;
            }
            let mut one = Hour::default();
            for at in 0..60 {
                one.set(at, &self.bucket(kind, Minute(hour * 60)));
            }
            if hour < commit.folded_to.unwrap() {
                commit.folds.insert((hour, id), one.sums(0, 60));
            }
            commit.hours.push((hour, id, one.pack()));
        }
        if begin <= end {
            commit.firsts.insert(id, Minute(begin * 60));
            commit.stretches.insert(id, vec![(Minute(begin * 60), Minute(i64::MAX))]);
        }
    }

    fn bucket(&mut self, kind: i64, before: Minute) -> Bucket {
        let total = self.random.between(0, 40 * kind);
        let bad =
            if self.random.between(0, 9) == 0 { self.random.between(0, total + 1) } else { 0 };
        let lump = Lump { from: before - 7, good: 1, total: 1 };
        Bucket {
            good: total - bad,
            total,
            measured: self.random.between(0, 50) > 0,
            partial: self.random.between(0, 300) == 0,
            slack: i64::from(kind == 3),
            assumed: i64::from(self.random.between(0, 999) == 0),
            lump: (self.random.between(0, 999) == 0).then_some(lump),
            ..Bucket::default()
        }
    }

    /// Everything in the tables of ledgers.
    async fn tables(&self) -> Vec<String> {
        let mut all = Vec::new();
        for rows in [
            "SELECT id || environment || service || slo || fingerprint FROM ledgers",
            "SELECT ledger || ' ' || whole || subset FROM subsets",
            "SELECT ledger || ' ' || from_minute || ' ' || until_minute FROM stretches",
            "SELECT source || minute || ' ' || read_to FROM watermarks",
        ] {
            let rows: Vec<String> =
                sqlx::query_scalar(rows).fetch_all(self.store.pool()).await.unwrap();
            all.extend(rows);
        }
        all
    }
}

fn declared(texts: &[&str]) -> Arc<Declared> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), texts.concat()).unwrap();
    let read = declared::read(&[folder.path().to_owned()], None);
    Arc::new(read.unwrap_or_else(|errors| panic!("{errors:?}")))
}

/// What the second run declares: a query and a name are others, a service is new, one is gone.
fn after(more: &str) -> Arc<Declared> {
    let services = BEFORE
        .replace("{name: old-name,", "{name: new-name, was: old-name,")
        .replace("{c=\"500\"}", "{c=\"501\"}");
    declared(&[&services, NEW, more])
}

type Views<'a> = Vec<(String, &'a [Arc<BudgetView>], &'a [Arc<BudgetView>])>;

/// What verdicts on a service go by.
fn seen<'a>(snapshot: &'a Snapshot, service: &str) -> Views<'a> {
    let found: Vec<_> = snapshot.named(service).collect();
    let depends = found.iter().flat_map(|found| {
        let environment = &found.service.environment;
        let named = found.service.depends_on.iter().flat_map(|name| snapshot.named(name.as_str()));
        named.filter(move |one| one.service.environment == *environment)
    });
    let all: Vec<_> = found.iter().copied().chain(depends).collect();
    let name = |service: &Service| format!("{}@{}", service.name, service.environment);
    all.into_iter().map(|one| (name(one.service), one.views, one.groups)).collect()
}

/// The verdict on a release.
fn verdict(snapshot: &Snapshot, service: &str) -> String {
    let found = snapshot.named(service).next();
    let others = |name: &str| snapshot.named(name).next().map(|found| found.views);
    let (views, groups) = found.map_or((&[][..], &[][..]), |f| (f.views, f.groups));
    let service_of = found.map(|found| &**found.service);
    let facts = Facts { dependencies: &others, groups, ..Facts::of(service_of, views) };
    let policies = &snapshot.declared.policies;
    serde_json::to_string(&decide(&Request::of(service), &facts, policies, now())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_looked_up_alone_has_the_numbers_and_the_verdict_of_the_whole() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut states = std::collections::HashSet::new();
    for seed in 0..5 {
        let left = Left::new(seed).await;
        let declared = after(if seed % 2 == 0 { EXCLUDED } else { "" });
        let early = left.early(&declared);
        let before = left.tables().await;
        let mut parts = Vec::new();
        for service in SERVICES {
            parts.push(early.snapshot_of(service).await.unwrap());
        }
        assert_eq!(left.tables().await, before, "a look changes nothing");
        let whole = left.start(&declared).await;
        assert_ne!(left.tables().await, before, "the whole is registered");
        for (service, part) in SERVICES.into_iter().zip(&parts) {
            let whole = &*whole;
            assert_eq!(seen(part, service), seen(whole, service), "{service}, seed {seed}");
            assert_eq!(verdict(part, service), verdict(whole, service), "{service}, seed {seed}");
            assert_eq!((part.at, &part.exclusions), (whole.at, &whole.exclusions));
            // Once the whole is registered it is the same again.
            let again = early.snapshot_of(service).await.unwrap();
            assert_eq!(seen(&again, service), seen(whole, service), "{service}, seed {seed}");
        }
        assert!(whole.groups.iter().flatten().count() > 0);
        states.extend(whole.all().flat_map(|view| view.conditions.clone()));
    }
    // The data has something of everything.
    for state in [State::NoData, State::Stale, State::Exhausted, State::AtRisk, State::Healthy] {
        assert!(states.contains(&state), "{state:?} of {states:?}");
    }
}

#[tokio::test]
async fn a_look_goes_by_members_of_composites_and_by_dependencies_of_the_service_alone() {
    let declared = after("");
    let names = |service| {
        let found = goes_by(&declared, service);
        let names = found.iter().map(|one| format!("{}@{}", one.name, one.environment));
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("plain"), "plain@p plain@q sliced@p grouped@p mixed@p journey@p");
    assert_eq!(names("journey"), "plain@p sliced@p grouped@p mixed@p journey@p");
    assert_eq!(names("sliced"), "sliced@p");
    assert_eq!(names("nobody"), "");
}

#[tokio::test]
async fn a_database_that_cannot_be_read_gives_no_numbers() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let left = Left::new(1).await;
    let early = left.early(&after(""));
    let name = |text: &str| Name::parse(text).unwrap();
    let slo = SloId { service: name("plain"), slo: name("rolling"), environment: name("p") };
    let keys = [LedgerKey { slo, fingerprint: String::new() }];
    assert_eq!(left.store.find(&keys, &[]).await.unwrap()[0].id, 0, "another query");
    left.store.close().await;
    assert!(early.snapshot_of("plain").await.is_err());
}
