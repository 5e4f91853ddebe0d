//! A database filled by hand: a ledger, and records of what was decided and told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use budget_gate::decision::{PolicyRef, RuleResult};
use budget_gate::deployment::Deployment;
use budget_gate::overriding::Override;
use budget_gate::policy::Mode;
use budget_gate::{Decision, Facts, Kind, Request, Verdict, decide};
use chrono::TimeDelta;
use slo_core::bucket::Bucket;
use slo_core::ledger::Hour;
use slo_core::slo::{Name, SloId};
use slo_core::time::Minute;
use slo_core::view::BudgetView;

use super::super::*;
use crate::clock::FixedClock;
use crate::config::Config;
use crate::declared;
use crate::evaluate::engine::Engine;
use crate::evaluate::snapshot::Latest;
use crate::gate::event::Event;
use crate::record::signing::SigningKey;
use crate::record::{Entry, RecordKind, Recorder};
use crate::store::Commit;

/// 99 % over a day, so that 1,000 requests a minute of which 4 fail leave 60 % of the budget.
pub(super) const ORDERS: &str = r#"apiVersion: headroom/v1
kind: Service
service: orders
tier: 1
environment: production
slos:
  - name: availability
    objective: 99%
    window: 1d
    alerts: none
    indicator: {ratio: {total: 'http_requests_total{service="orders"}', bad: '{code=~"5.."}'}}
"#;

/// The policy of then.
pub(super) const POLICY: &str = "apiVersion: headroom/v1\nkind: Policy\npolicy: p\nrules:\n  \
    - budget: {denyBelow: 0%}\nonUnknown: deny\nnoSlo: deny\n";

/// The first minute of the ledger: a midnight.
pub(super) const FIRST: Minute = Minute(1_790_640_000 / 60);

/// So many minutes after the ledger's beginning, and half a minute.
pub(super) fn at(minute: i64) -> DateTime<Utc> {
    (FIRST + minute).start() + TimeDelta::seconds(30)
}

pub(super) struct Lab {
    folder: tempfile::TempDir,
    pub(super) store: Store,
    recorder: Recorder,
    config: Config,
    pub(super) loaded: Declared,
}

impl Lab {
    /// With these documents in its files.
    pub(super) async fn with(files: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let specs = folder.path().join("slos.yaml");
        std::fs::write(&specs, files.join("---\n")).unwrap();
        let loaded = declared::read(&[specs], None).unwrap();
        let mut config = Config::default();
        config.store.url = format!("sqlite://{}/h.db", folder.path().display());
        let store = Store::open(&config.store.url).await.unwrap();
        let clock = Arc::new(FixedClock::at(at(0)));
        let key = SigningKey::make(&folder.path().join("heads.pem")).unwrap();
        let recorder = Recorder::start(store.clone(), clock, key).await.unwrap();
        Self { folder, store, recorder, config, loaded }
    }

    /// Two days of `orders`, of whose requests so many fail in each minute.
    pub(super) async fn of_orders(bad: impl Fn(i64) -> i64) -> Self {
        let lab = Self::with(&[ORDERS, POLICY]).await;
        lab.fill("orders", "availability", 0..2_880, bad).await;
        lab
    }

    /// Writes minutes of an SLO as a server does.
    pub(super) async fn fill(
        &self,
        service: &str,
        slo: &str,
        minutes: std::ops::Range<i64>,
        bad: impl Fn(i64) -> i64,
    ) {
        let (latest, declared) = (Latest::default(), Arc::new(self.loaded.clone()));
        let (store, requested) = (self.store.clone(), Arc::default());
        let start = Engine::start(&self.config, declared, store, latest.clone(), requested, at(0));
        drop(start.await.unwrap());
        let name = |text: &str| Name::parse(text).unwrap();
        let slo = SloId { service: name(service), slo: name(slo), environment: name("production") };
        let ledger = latest.get().unwrap().ledgers[&slo];
        let mut commit = Commit { folded_to: Some(i64::MAX), ..Commit::default() };
        for hour in minutes.start / 60..(minutes.end + 59) / 60 {
            let mut one = Hour::default();
            for minute in (hour * 60..hour * 60 + 60).filter(|minute| minutes.contains(minute)) {
                let good = 1_000 - bad(minute);
                let bucket = Bucket { good, total: 1_000, measured: true, ..Bucket::default() };
                one.set(usize::try_from(minute % 60).unwrap(), &bucket);
            }
            let hour = FIRST.hour() + hour;
            commit.folds.insert((hour, ledger), one.sums(0, 60));
            commit.hours.push((hour, ledger, one.pack()));
        }
        commit.firsts.insert(ledger, FIRST + minutes.start);
        self.store.commit(&commit).await.unwrap();
    }

    /// A decision on a release of `orders`, as it would have been recorded.
    pub(super) fn decision(&self, minute: i64, verdict: Verdict, remaining: f64) -> Decision {
        let nothing: Facts<'_, BudgetView> = Facts::of(None, &[]);
        let at = at(minute);
        let request = Request {
            environment: Some("production".to_owned()),
            version: Some(format!("1.0.{minute}")),
            ..Request::of("orders")
        };
        let policy = &self.loaded.policies[0];
        let mut decision = decide(&request, &nothing, &[], at);
        decision.id = Some(format!("d{minute}"));
        (decision.verdict, decision.allow) = (verdict, verdict.allows());
        (decision.reasons, decision.unblocks) = (Vec::new(), None);
        decision.policy = Some(PolicyRef {
            name: policy.name.as_str().to_owned(),
            hash: policy.hash.clone(),
            mode: Mode::Enforce,
        });
        decision.rules = vec![row("freshness", None, 30.0), row("budget", Some("1d"), remaining)];
        decision
    }

    pub(super) async fn record(&self, decision: &Decision) {
        let entry = Entry {
            kind: RecordKind::Decision,
            id: decision.id.clone().unwrap(),
            at: decision.at,
            service: decision.service.clone(),
            environment: decision.environment.clone().unwrap(),
            verdict: Some(decision.verdict.to_string()),
            json: decision.record().unwrap(),
            idempotency: Some((decision.version.clone().unwrap(), [0; 32])),
        };
        self.recorder.record(entry, Duration::from_secs(30)).await.unwrap();
    }

    /// Records what happened, at an instant.
    pub(super) async fn happens(&self, minute: i64, event: Event) {
        let entry = event.entry(at(minute));
        self.recorder.record(entry, Duration::from_secs(30)).await.unwrap();
    }

    pub(super) fn path(&self, name: &str, text: &str) -> PathBuf {
        let path: &Path = self.folder.path();
        std::fs::write(path.join(name), text).unwrap();
        path.join(name)
    }

    /// Asks a policy about all decisions.
    pub(super) async fn replay(&self, policy: &str) -> (Vec<Item>, Summary) {
        self.replay_of(policy, None, (at(-1), at(9_999))).await
    }

    pub(super) async fn replay_of(
        &self,
        policy: &str,
        environment: Option<&str>,
        between: (DateTime<Utc>, DateTime<Utc>),
    ) -> (Vec<Item>, Summary) {
        let path = self.path("proposed.yaml", policy);
        let proposed = declared::with_policies_of(self.loaded.clone(), &[path]).unwrap();
        let replay = Replay {
            store: &self.store,
            sources: &self.config.sources,
            incidents_close_after: Span::minutes(240),
            loaded: &self.loaded,
            proposed: &proposed,
            between,
            service: environment.map(|_| "orders"),
            environment,
        };
        let mut items = Vec::new();
        let mut each = |item: &Item| {
            items.push(item.clone());
            Ok(())
        };
        let summary = replay.run(&mut each, &|_| {}).await.unwrap();
        (items, summary)
    }
}

fn row(rule: &'static str, window: Option<&str>, observed: f64) -> RuleResult {
    RuleResult {
        rule: rule.into(),
        slo: Some("availability".into()),
        group: None,
        window: window.map(Into::into),
        verdict: Verdict::Allow,
        observed: Some(observed),
        threshold: None,
        reason: String::new(),
        unblocks: None,
        evidence: None,
    }
}

pub(super) fn deployed(version: &str, minute: i64) -> Event {
    Event::Deployed {
        deployment: Deployment {
            id: format!("r{version}-{minute}"),
            service: "orders".to_owned(),
            environment: "production".to_owned(),
            version: version.to_owned(),
            digest: None,
            commit: None,
            at: at(minute),
            principal: "token:ci".to_owned(),
        },
    }
}

pub(super) fn overridden(minute: i64, until: i64) -> Event {
    Event::OverrideCreated {
        one: Override {
            id: format!("o{minute}"),
            service: "orders".to_owned(),
            environment: "production".to_owned(),
            commit: None,
            reason: "the queue has to move".to_owned(),
            author: "token:ana".to_owned(),
            at: at(minute),
            until: at(until),
            approvals: Vec::new(),
            revoked_by: None,
            revoked_at: None,
        },
    }
}

pub(super) fn rollback(mut decision: Decision, version: &str) -> Decision {
    (decision.kind, decision.version) = (Kind::Rollback, Some(version.to_owned()));
    decision
}
