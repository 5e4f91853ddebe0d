//! A server on port 0 over a hand-made snapshot, for the tests of the routes.

use std::sync::{Arc, LazyLock};

use axum::http::{HeaderMap, Method};
use budget_gate::select::Glob;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use serde_json::Value;
use slo_core::bucket::Bucket;
use slo_core::budget::{Account, Facts, end_of};
use slo_core::slo::Slo;
use slo_core::spec::yaml;
use slo_core::time::{Minute, Span};
use slo_core::view::{BudgetView, SourceView};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Adapters, Shared, start};
use crate::clock::{Clock, FixedClock};
use crate::config::{Config, RateLimit};
use crate::declared::Declared;
use crate::evaluate::engine::early::Early;
use crate::evaluate::snapshot::{Latest, Snapshot};
use crate::gate::Gate;
use crate::oidc::{Oidc, Verifier};
use crate::record::signing::Signing;
use crate::record::verdicts::Verdicts;
use crate::record::{Recorder, Records};
use crate::store::Store;
use crate::token::{self, Scope, Tokens};

mod ledger;

/// Each service's availability is named by what it is like.
const SPEC: &str = r#"
apiVersion: headroom/v1
kind: Service
service: orders
title: Orders
owner: team-checkout
tier: 1
environment: production
labels: {team: checkout}
slos:
  - {name: exhausted, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}
  - {name: availability, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}
  - name: slices
    objective: 99%
    gate: false
    budgeting: {timeslices: {size: 5m, goodWhen: 95%}}
    indicator: {ratio: {total: t, bad: b}}
---
apiVersion: headroom/v1
kind: Service
service: orders
tier: 3
environment: staging
slos: [{name: availability, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}]
---
apiVersion: headroom/v1
kind: Service
service: catalog
owner: team-shop
tier: 2
environment: production
slos: [{name: availability, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}]
---
apiVersion: headroom/v1
kind: Service
service: payment
owner: team-checkout
tier: 1
environment: production
slos: [{name: at-risk, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}]
---
apiVersion: headroom/v1
kind: Service
service: notifier
tier: 4
environment: production
slos: [{name: no-data, objective: 99.9%, indicator: {ratio: {total: t, bad: b}}}]
"#;

/// When the snapshot was made.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

/// Minutes that are entirely bad, of 10,080 with 100 events each: 10.08 are allowed.
fn bad_minutes(slo: &str) -> i64 {
    match slo {
        "exhausted" => 20,
        "at-risk" => 9,
        _ => 1,
    }
}

/// A week of minutes up to half a minute ago; what was bad was so five days ago.
fn view(slo: &Arc<Slo>, declared: &Declared) -> BudgetView {
    let mut account = Account::new(slo.clone(), &declared.burns);
    let name = slo.id.slo.as_str();
    let data_until = (name != "no-data").then(|| now() - TimeDelta::seconds(30));
    let end = end_of(now() - TimeDelta::seconds(30));
    let begin = if data_until.is_some() { 7 * 1_440 } else { 0 };
    for back in 1..=begin {
        let is_bad = (7_200..7_200 + bad_minutes(name)).contains(&back);
        let good = if is_bad { 0 } else { 100 };
        let bucket = Bucket { good, total: 100, measured: true, ..Bucket::default() };
        account.replace(end - back, &bucket);
    }
    account.advance(end);
    let source = SourceView {
        name: "prometheus".into(),
        side: "total".into(),
        queries: ["t".to_owned()].into(),
        data_until,
        last_error: None,
    };
    account.view(Facts {
        now: now(),
        data_until,
        newest: data_until.map(Minute::of),
        stale_after: Some(Span::minutes(5)),
        sources: [source].into(),
        asks: &declared.asks,
        ..Facts::default()
    })
}

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let set = slo_core::spec::load(&[("all.yaml".to_owned(), SPEC.into())]).unwrap();
    let policies = budget_gate::policy::load(&[], &set.services).unwrap().policies;
    let declared = Declared {
        asks: budget_gate::policy::asks(&policies),
        burns: budget_gate::policy::burn_windows(&policies),
        services: set.services,
        policies,
        is_shipped: true,
        ..Declared::default()
    };
    let declared = Arc::new(declared);
    let mut snapshot =
        Snapshot { at: now(), declared: Arc::clone(&declared), ..Snapshot::default() };
    for slo in declared.services.iter().flat_map(|service| &service.slos) {
        snapshot.add(Arc::new(view(slo, &declared)));
    }
    snapshot
});

/// What the spec above says, evaluated at [`now`].
pub(crate) fn snapshot() -> Snapshot {
    SNAPSHOT.clone()
}

/// A running server.
pub(crate) struct World {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<FixedClock>,
    client: Client,
    address: String,
    folder: TempDir,
    /// Ends what answers by calls of its own.
    stop: watch::Sender<bool>,
}

/// What is not as it usually is.
#[derive(Default)]
struct Setup {
    adapters: Adapters,
    oidc: Oidc,
    /// What is published before anything runs.
    snapshot: Option<Snapshot>,
    /// Whether reads need a token.
    is_closed: bool,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl World {
    /// Half a minute of ticks after the snapshot that [`snapshot`] gives.
    pub(crate) async fn new() -> Self {
        let world = Self::before_the_first_snapshot().await;
        world.shared.latest.publish(snapshot());
        world
    }

    pub(crate) async fn before_the_first_snapshot() -> Self {
        Self::over(tempfile::tempdir().unwrap(), now(), Setup::default()).await
    }

    /// While the first snapshot is being made, of a database without a ledger.
    pub(crate) async fn starting() -> Self {
        let world = Self::before_the_first_snapshot().await;
        let (declared, store) = (snapshot().declared, world.shared.store.clone());
        let early = Early::new(&Config::default(), declared, store, Arc::default(), now());
        world.shared.latest.starts(early);
        world
    }

    /// As [`World::new`], with adapters that are configured so.
    pub(crate) async fn with_adapters(adapters: Adapters) -> Self {
        let setup = Setup { adapters, snapshot: Some(snapshot()), ..Setup::default() };
        Self::over(tempfile::tempdir().unwrap(), now(), setup).await
    }

    /// The same on an address that others reach, with job tokens.
    pub(crate) async fn closed(adapters: Adapters, oidc: Oidc) -> Self {
        let setup = Setup { adapters, oidc, snapshot: Some(snapshot()), is_closed: true };
        Self::over(tempfile::tempdir().unwrap(), now(), setup).await
    }

    /// A server over the database in a folder.
    async fn over(folder: TempDir, at: DateTime<Utc>, setup: Setup) -> Self {
        let Setup { adapters, oidc, snapshot, is_closed } = setup;
        let client = client();
        let store = Store::open(&format!("sqlite://{}/h.db", folder.path().display())).await;
        let (store, clock) = (store.unwrap(), Arc::new(FixedClock::at(at)));
        let key = Signing::default().key(&store).unwrap();
        let recorder = Recorder::start(store.clone(), clock.clone(), key).await.unwrap();
        let after = Span::minutes(240);
        let base = "https://headroom.example".to_owned();
        let verdicts = Verdicts::open(&Signing::default(), store.path(), base.clone(), at).unwrap();
        let gate = Gate::open(recorder, store.clone(), after, base, at).await.unwrap();
        let limit = RateLimit { per_second: 0, burst: 1 };
        let shared = Arc::new(Shared {
            latest: Latest::default(),
            tokens: Tokens::start(store.clone(), limit).await.unwrap(),
            verdicts: Arc::new(verdicts),
            store,
            clock: clock.clone(),
            gate: Arc::new(gate),
            oidc: Verifier::new(&oidc, limit),
            reads_are_open: !is_closed,
            adapters,
            tick: Span::seconds(15),
        });
        snapshot.into_iter().for_each(|snapshot| shared.latest.publish(snapshot));
        let (front, callbacks) = start(shared.clone());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(callbacks.run(stopped.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(super::serve(listener, front, None, stopped));
        Self { shared, clock, client, address, folder, stop }
    }

    /// Publishes a snapshot with other policies and exclusions, as documents.
    pub(crate) fn declares(&self, text: &str) {
        let documents: Vec<_> =
            yaml::documents("more.yaml", text.as_bytes()).into_iter().map(Result::unwrap).collect();
        let mut snapshot = (*self.shared.latest.get().unwrap()).clone();
        let services = &snapshot.declared.services;
        let loaded = budget_gate::policy::load(&documents, services).unwrap();
        let declared = Declared {
            policies: loaded.policies,
            exclusions: loaded.exclusions,
            ..(*snapshot.declared).clone()
        };
        snapshot.declared = Arc::new(declared);
        self.shared.latest.publish(snapshot);
    }

    /// Another server over the same database, at the same time.
    pub(crate) async fn restarted(self) -> Self {
        let at = self.clock.now();
        self.stop.send_replace(true);
        self.shared.gate.recorder().stop().await;
        let adapters = self.shared.adapters.clone();
        let setup = Setup { adapters, snapshot: Some(snapshot()), ..Setup::default() };
        Self::over(self.folder, at, setup).await
    }

    /// Where it listens, as `http://` and a port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What was recorded.
    pub(crate) fn records(&self) -> Records {
        Records::of(self.shared.store.clone())
    }

    /// Keeps everybody else from writing to the database while what is returned lives.
    pub(crate) async fn block(&self) -> sqlx::Transaction<'static, sqlx::Sqlite> {
        self.shared.store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap()
    }

    /// Lets time pass after the snapshot was made.
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.set(now() + TimeDelta::seconds(seconds));
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Answer {
        ask(&self.client, method, &format!("{}{path}", self.address)).await
    }

    /// A new token that may do this everywhere.
    pub(crate) async fn token(&self, name: &str, scopes: &[Scope]) -> String {
        self.token_for(name, scopes, &[], &[]).await
    }

    /// One for services and environments that match patterns.
    pub(crate) async fn token_for(
        &self,
        name: &str,
        scopes: &[Scope],
        services: &[&str],
        environments: &[&str],
    ) -> String {
        let globs = |all: &[&str]| all.iter().map(|text| Glob::parse(text).unwrap()).collect();
        let asked = token::Asked {
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            services: globs(services),
            environments: globs(environments),
            lasts: None,
        };
        let made = token::create(&self.shared.store, &asked, self.clock.now()).await.unwrap();
        self.shared.tokens.refresh().await.unwrap();
        made.token.reveal()
    }

    /// A request that is yet to get its headers and its body.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// Sends a body with a token.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Answer {
        self.send_with(method, path, token, body, &[]).await
    }

    /// The same with further headers.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.request(method, path).bearer_auth(token).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    /// The JSON of a success.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        answer.json()
    }

    /// The detail of a problem with a status.
    pub(crate) async fn detail(&self, path: &str, status: u16) -> String {
        let problem = self.get(path).await.problem(status);
        assert_eq!(problem["instance"], path.split('?').next().unwrap());
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of a problem, with every key that one has.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let keys: Vec<&String> = problem.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["detail", "errors", "instance", "status", "title", "type"]);
        problem
    }
}

/// Serves routes on a free port.
pub(crate) async fn serve(routes: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

pub(crate) async fn ask(client: &Client, method: Method, url: &str) -> Answer {
    answer(client.request(method, url)).await
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await.unwrap().to_vec(),
    }
}
