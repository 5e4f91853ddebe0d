//! Laws of all adapters: whoever asks in whatever state, the decision is one; and nothing that is sent
//! in place of a question is ever answered with a yes.

use std::collections::BTreeSet;

use axum::http::Method;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use serde_json::{Value, json};

use crate::http::world::{Answer, World};
use crate::token::Scope;

const ADAPTERS: [&str; 3] = ["flagger", "argo-rollouts", "admission"];

/// A question about a version of a service in an environment, in the words of each adapter.
fn asked(adapter: &str, (service, environment): (&str, &str), version: &str) -> (String, Value) {
    match adapter {
        "flagger" => {
            let metadata = json!({"version": version, "environment": environment});
            let body = json!({"name": service, "namespace": "shop", "phase": "Progressing",
                "checksum": "85d557f47b", "metadata": metadata});
            ("/v1/adapters/flagger".to_owned(), body)
        }
        "argo-rollouts" => {
            let body = json!({"version": version, "environment": environment});
            (format!("/v1/adapters/argo-rollouts/{service}"), body)
        }
        _ => {
            let of = |image: &str| {
                json!({"metadata": {"name": service, "namespace": "shop",
                    "labels": {"headroom/environment": environment}},
                "spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
            };
            let body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "request": {"uid": "705ab4f5", "kind": {"kind": "Deployment"}, "name": service,
                    "namespace": "shop", "operation": "UPDATE", "userInfo": {"username": "ana"},
                    "object": of(&format!("registry:5000/{service}:{version}")),
                    "oldObject": of(&format!("registry:5000/{service}:bravo"))}});
            ("/v1/adapters/admission".to_owned(), body)
        }
    }
}

/// Whether an answer lets the deploy go.
fn allows(adapter: &str, answer: &Answer) -> bool {
    match adapter {
        "flagger" => (200..=202).contains(&answer.status),
        "argo-rollouts" => answer.status == 200 && answer.json()["allow"] != false,
        _ => answer.status == 200 && answer.json()["response"]["allowed"] != false,
    }
}

/// What happened before the question.
#[derive(Debug, Clone)]
enum Event {
    Waited(i64),
    Ran(&'static str),
    Broke(&'static str),
    Closed,
    Ruled(&'static str, &'static str),
}

const PLACES: [(&str, &str); 6] = [
    ("catalog", "production"),
    ("payment", "production"),
    ("orders", "production"),
    ("orders", "staging"),
    ("notifier", "production"),
    ("nobody", "production"),
];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..1_200_i64).prop_map(Event::Waited),
        select(vec!["1.0", "1.1", "1.2"]).prop_map(Event::Ran),
        select(vec!["critical", "major", "minor"]).prop_map(Event::Broke),
        Just(Event::Closed),
        (select(vec!["0%", "20%", "90%"]), select(vec!["deny", "warn", "allow"]))
            .prop_map(|(deny, unknown)| Event::Ruled(deny, unknown)),
    ]
}

struct Told {
    world: World,
    token: String,
    now: i64,
}

impl Told {
    async fn tell(&mut self, (service, environment): (&str, &str), event: &Event) {
        let post = async |path: &str, body: Value| {
            self.world.send(Method::POST, path, &self.token, &body).await;
        };
        match event {
            Event::Waited(seconds) => {
                // Never backwards, and not so far that everything is stale.
                self.now = (self.now + seconds).min(40_000);
                self.world.wait(self.now % 400);
            }
            Event::Ran(version) => {
                post("/v1/deployments", json!({"service": service, "environment": environment, "version": version})).await;
            }
            Event::Broke(severity) => {
                post("/v1/incidents", json!({"key": "k", "service": service, "severity": severity, "title": "t"})).await;
            }
            Event::Closed => {
                let all = self.world.json("/v1/incidents?open=true").await;
                for one in all["items"].as_array().unwrap() {
                    post(&format!("/v1/incidents/{}/close", one["id"].as_str().unwrap()), json!({})).await;
                }
            }
            Event::Ruled(deny, unknown) => self.world.declares(&format!(
                "apiVersion: headroom/v1\nkind: Policy\npolicy: mine\nrules: [budget: {{denyBelow: {deny}}}, \
                 incidents: {{deny: [critical], warn: [major]}}]\nonUnknown: {unknown}\nnoSlo: {unknown}\n"
            )),
        }
    }

    /// Asks by every wire, beginning anywhere, and plainly.
    async fn judge(&self, place: (&str, &str), version: &str, first: usize) -> TestCaseResult {
        let (mut ids, mut verdicts, mut allowed) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for at in 0..ADAPTERS.len() {
            let adapter = ADAPTERS[(first + at) % ADAPTERS.len()];
            let (path, body) = asked(adapter, place, version);
            let answer = self.world.send(Method::POST, &path, &self.token, &body).await;
            let id = answer.header("x-headroom-decision").to_owned();
            prop_assert!(!id.is_empty(), "{adapter}: {}", answer.text());
            let decision = self.world.json(&format!("/v1/gate/decisions/{id}")).await;
            allowed.insert(allows(adapter, &answer));
            prop_assert_eq!(&decision["allow"], allows(adapter, &answer));
            verdicts.insert(decision["verdict"].to_string() + &decision["kind"].to_string());
            ids.insert(id);
        }
        let kind =
            if verdicts.iter().any(|v| v.contains("rollback")) { "rollback" } else { "release" };
        let plain =
            json!({"service": place.0, "environment": place.1, "version": version, "kind": kind});
        let plain = self.world.send(Method::POST, "/v1/gate/decisions", &self.token, &plain).await;
        ids.insert(plain.json()["id"].as_str().unwrap().to_owned());
        prop_assert_eq!((ids.len(), verdicts.len(), allowed.len()), (1, 1, 1), "{:?}", verdicts);
        Ok(())
    }
}

#[test]
fn in_500_random_states_every_wire_gets_the_same_decision() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let token = runtime.block_on(world.token("anybody", &[Scope::Admin]));
    let told = std::cell::RefCell::new(Told { world, token, now: 0 });
    let states = (
        select(PLACES.to_vec()),
        proptest::collection::vec(event(), 0..4),
        select(vec!["1.0", "1.1", "1.2", "1.3"]),
        0..3_usize,
    );
    let seen = std::cell::RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config { cases: 500, ..Config::default() });
    let tried = runner.run(&states, |(place, events, version, first)| {
        let mut told = told.borrow_mut();
        for event in &events {
            runtime.block_on(told.tell(place, event));
        }
        let path = format!("/v1/gate/{}?environment={}", place.0, place.1);
        seen.borrow_mut().insert(runtime.block_on(told.world.json(&path))["verdict"].to_string());
        runtime.block_on(told.judge(place, version, first))
    });
    tried.unwrap();
    assert_eq!(seen.borrow().len(), 4, "the states give every verdict: {:?}", seen.borrow());
}

/// A change of a real body.
#[derive(Debug, Clone)]
enum Mutation {
    Bytes(Vec<u8>),
    Flip(Index, u8),
    Cut(Index),
    Drop(Index, Index),
    Replace(Index, Value),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let value = prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!({"a": [[[[[[]]]]]]})),
    ];
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Mutation::Bytes),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Drop(from, to)),
        4 => (any::<Index>(), value).prop_map(|(at, value)| Mutation::Replace(at, value)),
    ]
}

/// Pointers of all values in a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            pointers(value, &format!("{at}/{key}"), found);
        }),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(i, value)| pointers(value, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

impl Mutation {
    fn of(self, body: &Value) -> Vec<u8> {
        let mut bytes = body.to_string().into_bytes();
        match self {
            Self::Bytes(noise) => return noise,
            Self::Flip(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Drop(from, to) => {
                let (a, b) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(a.min(b)..a.max(b));
            }
            Self::Replace(at, value) => {
                let (mut body, mut found) = (body.clone(), Vec::new());
                pointers(&body, "", &mut found);
                *body.pointer_mut(&found[at.index(found.len())]).unwrap() = value;
                return body.to_string().into_bytes();
            }
        }
        bytes
    }
}

#[test]
fn no_body_that_is_not_the_question_gets_a_yes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let token = runtime.block_on(world.token("anybody", &[Scope::Decide]));
    let client = crate::http::world::client();
    let cases = (select(ADAPTERS.to_vec()), mutation());
    let mut runner = TestRunner::new(Config { cases: 3_000, ..Config::default() });
    let tried = runner.run(&cases, |(adapter, mutation)| {
        // Nothing is known of it: whatever is understood of the body is no reason to allow.
        let (path, body) = asked(adapter, ("notifier", "production"), "alpha");
        let body = mutation.of(&body);
        let url = format!("{}{path}", world.address());
        let request = client.post(url).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(body);
        let answer = runtime.block_on(crate::http::world::answer(request));
        prop_assert!(answer.status < 500, "{adapter}: {}", answer.text());
        prop_assert!(!allows(adapter, &answer), "{adapter}: {}", answer.text());
        Ok(())
    });
    tried.unwrap();
}
