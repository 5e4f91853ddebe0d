//! Laws of all adapters: whoever asks in whatever state, the decision is one; and nothing that is sent
//! in place of a question is ever answered with a yes.

use std::collections::BTreeSet;

use axum::http::Method;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestCaseResult, TestRunner};
use serde_json::{Value, json};

use super::signed::{self, SIGNED, Words};
use super::twin::Twin;
use super::waiting::OnDeny;
use crate::http::world::{Answer, World};
use crate::token::Scope;

const ADAPTERS: [&str; 3] = ["flagger", "argo-rollouts", "admission"];

/// A question about a deploy of a service in an environment, in the words of each adapter.
fn asked(adapter: &str, (service, environment): (&str, &str), words: Words) -> (String, Value) {
    let Words { version, commit, identifier } = words;
    match adapter {
        "flagger" => {
            let mut metadata = json!({"environment": environment});
            for (key, word) in [("version", version), ("commit", commit)] {
                word.into_iter().for_each(|word| metadata[key] = json!(word));
            }
            let body = json!({"name": service, "namespace": "shop", "phase": "Progressing",
                "checksum": identifier.unwrap_or_default(), "metadata": metadata});
            ("/v1/adapters/flagger".to_owned(), body)
        }
        "argo-rollouts" => {
            let body = json!({"version": version, "commit": commit, "identifier": identifier,
                "environment": environment});
            (format!("/v1/adapters/argo-rollouts/{service}"), body)
        }
        "plain" => {
            let body = json!({"service": service, "version": version, "commit": commit,
                "identifier": identifier, "environment": environment});
            ("/v1/gate/decisions".to_owned(), body)
        }
        _ => {
            let version = version.unwrap_or_default();
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

/// Whose wires have words for what a question says. Terraform always names its run, and GitLab's check
/// nothing but a commit.
const WIRES: [(&[&str], [bool; 3]); 4] = [
    (&["flagger", "argo-rollouts", "admission"], [true, false, false]),
    (&["flagger", "argo-rollouts", "github"], [true, true, false]),
    (&["flagger", "argo-rollouts", "github", "gitlab"], [false, true, false]),
    (&["flagger", "argo-rollouts", "terraform"], [false, true, true]),
];

/// What happened before the question.
#[derive(Debug, Clone)]
enum Event {
    Waited(i64),
    Ran(&'static str, &'static str),
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

const COMMITS: [&str; 2] = ["0123abc", "fedcba9"];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..1_200_i64).prop_map(Event::Waited),
        (select(vec!["1.0.0", "1.1.0", "1.2.0"]), select(COMMITS.to_vec()))
            .prop_map(|(version, commit)| Event::Ran(version, commit)),
        select(vec!["critical", "major", "minor"]).prop_map(Event::Broke),
        Just(Event::Closed),
        (select(vec!["0%", "20%", "90%"]), select(vec!["deny", "warn", "allow"]))
            .prop_map(|(deny, unknown)| Event::Ruled(deny, unknown)),
    ]
}

struct Told {
    world: World,
    twin: Twin,
    token: String,
    now: i64,
    /// How many messages were sent that are answered by a call.
    sent: u64,
}

/// What came of a question on one wire.
struct Came {
    /// The decision's id, where the wire tells it.
    id: Option<String>,
    goes: bool,
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
            Event::Ran(version, commit) => {
                post("/v1/deployments", json!({"service": service, "environment": environment, "version": version, "commit": commit})).await;
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

    /// Asks by one wire.
    async fn ask(
        &mut self,
        adapter: &str,
        place: (&str, &str),
        words: Words,
    ) -> Result<Came, TestCaseError> {
        if !SIGNED.contains(&adapter) {
            let (path, body) = asked(adapter, place, words);
            let answer = self.world.send(Method::POST, &path, &self.token, &body).await;
            let id = answer.header("x-headroom-decision").to_owned();
            prop_assert!(!id.is_empty(), "{adapter}: {}", answer.text());
            return Ok(Came { id: Some(id), goes: allows(adapter, &answer) });
        }
        self.sent += 1;
        let body = signed::message(adapter, &self.twin.url, self.sent, place, words);
        let body = body.to_string().into_bytes();
        let answer = signed::send(&self.world, adapter, body, self.sent).await;
        prop_assert_eq!(answer.status, 200, "{}: {}", adapter, answer.text());
        let calls = self.twin.until_told(&signed::told_at(adapter, self.sent), 1).await;
        let (goes, said) = signed::says_so(&calls[0]);
        let id = said.rsplit_once("/gate/decisions/").map(|(_, id)| id.to_owned());
        prop_assert_eq!(id.is_none(), adapter == "gitlab", "{}: {}", adapter, said);
        Ok(Came { id, goes })
    }

    /// The ids of the newest decisions.
    async fn newest(&self) -> Vec<String> {
        let page = self.world.json("/v1/gate/decisions?limit=12").await;
        let items = page["items"].as_array().unwrap();
        items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks by every wire that has words for it, beginning anywhere, and plainly.
    async fn judge(
        &mut self,
        place: (&str, &str),
        wires: &[&str],
        words: Words,
        first: usize,
    ) -> TestCaseResult {
        let before = self.newest().await.into_iter().next();
        let (mut ids, mut verdicts) = (BTreeSet::new(), BTreeSet::new());
        for at in 0..wires.len() {
            let adapter = wires[(first + at) % wires.len()];
            let came = self.ask(adapter, place, words).await?;
            verdicts.insert(came.goes);
            ids.extend(came.id);
        }
        let id = ids.first().unwrap().clone();
        let decision = self.world.json(&format!("/v1/gate/decisions/{id}")).await;
        let (path, mut plain) = asked("plain", place, words);
        plain["kind"] = decision["kind"].clone();
        let plain = self.world.send(Method::POST, &path, &self.token, &plain).await.json();
        ids.insert(plain["id"].as_str().unwrap().to_owned());
        verdicts.insert(plain["allow"].as_bool().unwrap());
        verdicts.insert(decision["allow"].as_bool().unwrap());
        prop_assert_eq!((ids.len(), verdicts.len()), (1, 1), "{:?}: {}", wires, decision);
        // GitLab is not told an id: nobody's question was one of its own.
        let fresh = self.newest().await.into_iter().take_while(|id| Some(id) != before.as_ref());
        let fresh: Vec<_> = fresh.collect();
        prop_assert!(fresh.iter().all(|one| *one == id), "{wires:?}: {fresh:?} beside {id}");
        // What waits is not to be looked at again in another state.
        let pool = self.world.shared.store.pool();
        sqlx::query("DELETE FROM callbacks").execute(pool).await.unwrap();
        Ok(())
    }
}

#[test]
fn in_500_random_states_every_wire_gets_the_same_decision() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, twin) = runtime.block_on(signed::world(OnDeny::Reject));
    let token = runtime.block_on(world.token("anybody", &[Scope::Admin]));
    let told = std::cell::RefCell::new(Told { world, twin, token, now: 0, sent: 0 });
    let states = (
        select(PLACES.to_vec()),
        proptest::collection::vec(event(), 0..4),
        select(vec!["1.0.0", "1.1.0", "1.2.0", "1.3.0"]),
        select(COMMITS.to_vec()),
        (1..WIRES.len(), 0..4_usize),
    );
    let seen = std::cell::RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config { cases: 500, ..Config::default() });
    let tried = runner.run(&states, |(place, events, version, commit, (also, first))| {
        let mut told = told.borrow_mut();
        for event in &events {
            runtime.block_on(told.tell(place, event));
        }
        let path = format!("/v1/gate/{}?environment={}", place.0, place.1);
        seen.borrow_mut().insert(runtime.block_on(told.world.json(&path))["verdict"].to_string());
        for (wires, says) in [WIRES[0], WIRES[also]] {
            let words = Words {
                version: says[0].then_some(version),
                commit: says[1].then_some(commit),
                identifier: says[2].then_some("run-7"),
            };
            runtime.block_on(told.judge(place, wires, words, first))?;
        }
        Ok(())
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
        let words = Words { version: Some("alpha"), ..Words::default() };
        let (path, body) = asked(adapter, ("notifier", "production"), words);
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

/// The message of a number as it is sent; or what of it is read, so that more mutations meet something.
fn sent(adapter: &str, url: &str, number: u64, is_whole: bool) -> Value {
    let words =
        Words { version: Some("1.4.2"), commit: Some("0123abc"), identifier: Some("run-7") };
    let mut body = signed::message(adapter, url, number, ("notifier", "production"), words);
    if adapter == "github" && !is_whole {
        let keep = |part: &mut Value, keys: &[&str]| {
            part.as_object_mut().unwrap().retain(|key, _| keys.contains(&key.as_str()));
        };
        keep(&mut body["repository"], &["full_name"]);
        keep(&mut body["deployment"], &["sha", "ref"]);
        keep(&mut body["sender"], &["login"]);
    }
    body
}

#[test]
fn no_signed_body_that_is_not_the_question_is_told_a_yes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, twin) = runtime.block_on(signed::world(OnDeny::Wait));
    let number = std::cell::Cell::new(0);
    for adapter in SIGNED {
        let mut runner = TestRunner::new(Config { cases: 1_200, ..Config::default() });
        let tried = runner.run(&(mutation(), any::<bool>()), |(mutation, is_whole)| {
            number.set(number.get() + 1);
            // Nothing is known of it: whatever is understood of the body is no reason to allow.
            let body = sent(adapter, &twin.url, number.get(), is_whole);
            let answer = signed::send(&world, adapter, mutation.of(&body), number.get());
            let answer = runtime.block_on(answer);
            prop_assert!(answer.status < 500, "{adapter}: {}", answer.text());
            Ok(())
        });
        tried.unwrap();
    }
    runtime.block_on(signed::settled(&world));
    for (adapter, end) in SIGNED.iter().zip(["protection_rule", "check_responses", "callback"]) {
        let told = twin.told(end).len();
        assert!(told >= 100, "{adapter}: only {told} answers were told");
    }
    let yes = twin.told("").into_iter().find(|call| signed::says_so(call).0);
    assert!(yes.is_none(), "{yes:#?}");
    let metrics = runtime.block_on(world.get("/metrics")).text();
    assert!(metrics.contains("headroom_callbacks_total{adapter=\"gitlab\",outcome=\"ok\"}"));
    assert!(!metrics.contains("panicked"), "{metrics}");
    let allowed = runtime.block_on(world.json("/v1/gate/decisions?verdict=allow&limit=1"));
    assert_eq!(allowed["items"], json!([]));
}
