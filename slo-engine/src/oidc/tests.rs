use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::*;
use crate::http::Adapters;
use crate::http::world::{World, answer, client};

const KEY: &str = include_str!("../http/adapters/github/test-key.pem");
const AUDIENCE: &str = "https://headroom.example";

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn key() -> RsaKeyPair {
    let der = PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    RsaKeyPair::from_der(der.secret_pkcs1_der()).unwrap()
}

fn jwk(kid: &str) -> Value {
    let components: RsaPublicKeyComponents<Vec<u8>> = key().public().into();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid,
        "n": part(&components.n), "e": part(&components.e)})
}

/// An issuer: its keys, whether it is down or never answers, and how often it was asked.
#[derive(Clone, Default)]
struct Twin {
    keys: Arc<StdMutex<Vec<Value>>>,
    is_down: Arc<std::sync::atomic::AtomicBool>,
    hangs: Arc<std::sync::atomic::AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Twin {
    async fn serve(&self) -> String {
        let twin = self.clone();
        let answer = move || {
            let twin = twin.clone();
            async move {
                twin.asked.fetch_add(1, Ordering::Relaxed);
                if twin.hangs.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                if twin.is_down.load(Ordering::Relaxed) {
                    return StatusCode::BAD_GATEWAY.into_response();
                }
                let keys = twin.keys.lock().unwrap().clone();
                axum::Json(json!({"keys": keys})).into_response()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/keys", get(answer))).await
        });
        url
    }
}

/// Jobs of a repository and of a project, and who signs their tokens.
async fn configured() -> (Oidc, Twin) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let twin = Twin::default();
    twin.keys.lock().unwrap().push(jwk("k1"));
    let url = twin.serve().await;
    let config: Oidc = serde_json::from_value(json!({"issuers": [
        {"kind": "github", "issuer": "https://token.actions.githubusercontent.com",
         "audience": AUDIENCE, "jwksUrl": url, "jobs": [
            {"id": "74", "services": ["orders"], "environments": ["production"],
             "refs": ["refs/heads/main", "refs/tags/v*"]},
            {"id": "75", "services": ["*"]}]},
        {"kind": "gitlab", "issuer": "https://gitlab.example", "audience": AUDIENCE, "jwksUrl": url,
         "jobs": [{"id": "3", "services": ["cart"], "environments": ["prod-*"], "refs": ["main"],
                   "scopes": ["decide"]}]}]}))
    .unwrap();
    (config, twin)
}

async fn verifier() -> (Verifier, Twin) {
    let (config, twin) = configured().await;
    (Verifier::new(&config, RateLimit { per_second: 0, burst: 1 }), twin)
}

fn claims() -> Value {
    let at = now().timestamp();
    json!({"iss": "https://token.actions.githubusercontent.com", "aud": AUDIENCE, "iat": at, "nbf": at - 300,
        "exp": at + 300, "jti": "1", "sub": "repo:acme@9/orders@74:environment:production",
        "repository": "acme/orders", "repository_id": "74", "repository_owner_id": "9",
        "ref": "refs/heads/main", "environment": "Production", "event_name": "push"})
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(header: &Value, claims: &Value) -> String {
    let (text, key) = (format!("{}.{}", part(header), part(claims)), key());
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}), claims)
}

fn with(changes: &[(&str, Value)]) -> String {
    let mut claims = claims();
    for (key, value) in changes {
        claims[*key] = value.clone();
    }
    token(&claims)
}

#[tokio::test]
async fn a_job_is_known_by_its_repository_and_may_act_in_its_environment_alone() {
    let (verifier, _twin) = verifier().await;
    let job = verifier.check(&token(&claims()), now()).await.unwrap();
    assert_eq!((job.name.as_str(), job.id.as_str()), ("github:acme/orders", "github:74"));
    assert!(job.may(Scope::Decide, "orders", Some("production")));
    assert!(job.may(Scope::Deploy, "orders", Some("production")));
    assert!(!job.may(Scope::Decide, "orders", Some("staging")));
    assert!(!job.may(Scope::Decide, "cart", Some("production")));
    assert!(!job.may(Scope::Override, "orders", Some("production")));
    let tag = with(&[("ref", json!("refs/tags/v1.4.2"))]);
    assert!(verifier.check(&tag, now()).await.is_ok());
    let free = with(&[("repository_id", json!(75)), ("environment", Value::Null)]);
    assert!(verifier.check(&free, now()).await.unwrap().may(Scope::Decide, "any", Some("staging")));
}

#[tokio::test]
async fn a_job_of_gitlab_has_its_own_claims() {
    let (verifier, _twin) = verifier().await;
    let at = now().timestamp();
    let claims = json!({"iss": "https://gitlab.example", "aud": [AUDIENCE], "exp": at + 60, "nbf": at - 5,
        "iat": at, "project_id": "3", "project_path": "shop/cart", "ref": "main", "ref_type": "branch",
        "ref_protected": "true", "environment": "prod-eu", "pipeline_source": "push", "job_id": "8"});
    let job = verifier.check(&token(&claims), now()).await.unwrap();
    assert_eq!(job.name, "gitlab:shop/cart");
    assert!(job.may(Scope::Decide, "cart", Some("prod-eu")) && !job.has(Scope::Deploy));
    assert!(!job.may(Scope::Decide, "cart", Some("prod-us")));
    for (source, is_protected) in [("merge_request_event", "true"), ("parent_pipeline", "false")] {
        let mut request = claims.clone();
        request["pipeline_source"] = json!(source);
        request["ref_protected"] = json!(is_protected);
        assert!(verifier.check(&token(&request), now()).await.unwrap().scopes.is_empty());
    }
}

#[tokio::test]
async fn a_job_of_a_pull_request_may_look_and_nothing_else() {
    let (verifier, _twin) = verifier().await;
    for change in [
        ("event_name", json!("pull_request")),
        ("event_name", json!("pull_request_target")),
        ("event_name", Value::Null),
        ("ref", json!("refs/pull/7/merge")),
    ] {
        let id = ("repository_id", json!("75"));
        let job = verifier.check(&with(&[id, change]), now()).await.unwrap();
        assert!(Scope::ALL.iter().all(|scope| !job.has(*scope)));
    }
}

async fn refused(verifier: &Verifier, token: &str, says: &str) {
    let refused = verifier.check(token, now()).await.unwrap_err();
    assert!(refused.to_string().contains(says), "{says}: {refused}");
}

#[tokio::test]
async fn what_is_not_signed_as_it_must_be_is_refused_and_says_why() {
    let (verifier, _twin) = verifier().await;
    let none = format!("{}.{}.", part(&json!({"alg": "none", "kid": "k1"})), part(&claims()));
    // The public key as the secret of a symmetric signature.
    let text = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "k1"})), part(&claims()));
    let public = key().public().as_ref().to_vec();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), text.as_bytes());
    let symmetric = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
    let good = token(&claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut other = claims();
    other["repository_id"] = json!("75");
    let swapped = format!("{}.{}.{signature}", head.split('.').next().unwrap(), part(&other));
    let header = |header: Value| signed(&header, &claims());
    for (token, says) in [
        (none, "its algorithm is none"),
        (symmetric, "its algorithm is HS256"),
        (swapped, "its signature is wrong"),
        (format!("{head}."), "its signature is wrong"),
        (format!("{good}="), "no base64url"),
        (head.to_owned(), "three parts"),
        (header(json!({"alg": "RS256", "kid": "k2"})), "no such key"),
        (header(json!({"alg": "RS256"})), "names no key"),
        (header(json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]})), "crit"),
        (with(&[("x", json!("y".repeat(20_000)))]), "longer than"),
        (String::new(), "three parts"),
        ("a.b.c".to_owned(), "base64url"),
    ] {
        refused(&verifier, &token, says).await;
    }
    assert!(verifier.check(&good, now()).await.is_ok());
}

#[tokio::test]
async fn what_is_not_for_this_server_time_or_job_is_refused_and_says_why() {
    let (verifier, _twin) = verifier().await;
    let at = now().timestamp();
    for (claim, value, says) in [
        ("aud", json!("https://other.example"), "(aud)"),
        ("aud", json!(["a", "b"]), "(aud)"),
        ("iss", json!("https://evil.example"), "issuer"),
        ("exp", json!(at - 60), "expired"),
        ("exp", Value::Null, "wrong"),
        ("nbf", json!(at + 61), "not hold yet"),
        ("iat", json!(at + 61), "not hold yet"),
        ("repository_id", json!("76"), "no entry"),
        ("repository_id", Value::Null, "no repository_id"),
        ("environment", json!("staging"), "no entry"),
        ("environment", json!("*"), "no entry"),
        ("environment", Value::Null, "no entry"),
        ("ref", json!("refs/heads/main2"), "no entry"),
    ] {
        refused(&verifier, &with(&[(claim, value)]), says).await;
    }
}

#[tokio::test]
async fn rotated_keys_are_followed_and_an_issuer_that_is_down_keeps_nobody_out_for_a_day() {
    let (verifier, twin) = verifier().await;
    let at = |minutes: i64| now() + TimeDelta::minutes(minutes);
    let later = |kid: &str, minutes: i64| {
        let exp = json!(at(minutes + 5).timestamp());
        let mut claims = claims();
        claims["exp"] = exp;
        signed(&json!({"alg": "RS256", "kid": kid}), &claims)
    };
    twin.is_down.store(true, Ordering::Relaxed);
    let down = verifier.check(&later("k1", 0), at(0)).await.unwrap_err();
    assert!(matches!(down, NotAccepted::Unreadable(_)), "{down}");
    twin.is_down.store(false, Ordering::Relaxed);
    assert!(verifier.check(&later("k1", 1), at(1)).await.is_ok());
    // Rotated under load: the new key is found at once, and asked for once.
    *twin.keys.lock().unwrap() = vec![jwk("k2")];
    let asked = twin.asked.load(Ordering::Relaxed);
    let (new, begun) = (later("k2", 2), at(2));
    let all = (0..50).map(|_| verifier.check(&new, begun));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(twin.asked.load(Ordering::Relaxed), asked + 1);
    let old = verifier.check(&later("k1", 2), at(2)).await.unwrap_err();
    assert!(old.to_string().contains("no such key"), "a key that was withdrawn: {old}");
    // Whoever sends unknown keys does not make it be asked all the time.
    for _ in 0..20 {
        assert!(verifier.check(&later("k9", 2), at(2)).await.is_err());
    }
    assert_eq!(twin.asked.load(Ordering::Relaxed), asked + 1);
    twin.is_down.store(true, Ordering::Relaxed);
    assert!(verifier.check(&later("k2", 1_400), at(1_400)).await.is_ok());
    let forgotten = verifier.check(&later("k2", 1_500), at(1_500)).await.unwrap_err();
    assert!(matches!(forgotten, NotAccepted::Unreadable(_)), "{forgotten}");
}

#[tokio::test]
async fn jobs_of_a_repository_ask_no_more_often_than_a_token_may() {
    let (verifier, _twin) = verifier().await;
    let verifier = Verifier { limit: RateLimit { per_second: 1, burst: 2 }, ..verifier };
    let mut came = Vec::new();
    for _ in 0..3 {
        came.push(verifier.check(&token(&claims()), now()).await.is_ok());
    }
    assert_eq!(came, [true, true, false]);
}

#[tokio::test]
async fn a_server_that_others_reach_takes_job_tokens_and_asks_signed_callers_for_no_other() {
    let (oidc, _twin) = configured().await;
    let world = World::closed(Adapters::default(), oidc).await;
    assert_eq!(world.get("/v1/gate/orders?environment=production").await.status, 401);
    let ask = json!({"service": "orders", "environment": "production", "version": "1.4.2"});
    let (job, path) = (token(&claims()), "/v1/gate/decisions");
    let decided = world.send(Method::POST, path, &job, &ask).await;
    assert_eq!((decided.status, &decided.json()["principal"]), (201, &json!("github:acme/orders")));
    let elsewhere = json!({"service": "orders", "environment": "staging"});
    world.send(Method::POST, path, &job, &elsewhere).await.problem(403);
    let pull = with(&[("event_name", json!("pull_request"))]);
    world.send(Method::POST, path, &pull, &ask).await.problem(403);
    let peek = client().get(format!("{}/v1/gate/orders?environment=production", world.address()));
    assert_eq!(answer(peek.bearer_auth(&pull)).await.json()["verdict"], "deny");
    world.send(Method::POST, path, "a.b.c", &ask).await.problem(401);
    // It signs what it sends; here nobody configured its secret.
    world.send(Method::POST, "/v1/adapters/github", "", &ask).await.problem(404);
    let secret = world.token("canaries", &[Scope::Adapter]).await;
    let canary = json!({"name": "catalog", "namespace": "shop"});
    let path = format!("/v1/adapters/flagger/t/{secret}");
    assert_eq!(world.send(Method::POST, &path, "", &canary).await.status, 200);
}

#[tokio::test]
async fn a_job_is_answered_within_3_s_while_its_issuer_hangs_and_nothing_can_be_written() {
    let (oidc, twin) = configured().await;
    let world = World::closed(Adapters::default(), oidc).await;
    let job = token(&claims());
    let peek = client().get(format!("{}/v1/gate/orders?environment=production", world.address()));
    assert_eq!(answer(peek.bearer_auth(&job)).await.status, 200);
    twin.hangs.store(true, Ordering::Relaxed);
    let blocked = world.block().await;
    let ask = json!({"service": "orders", "environment": "production", "version": "1"});
    for (minutes, path, body, status, says) in [
        (11, "/v1/gate/decisions", &ask, 201, "not recorded within"),
        (12, "/v1/adapters/argo-rollouts/orders", &ask, 200, "not recorded within"),
        (13, "/v1/deployments", &ask, 503, "may still happen"),
    ] {
        // The keys are old, so that it is tried to read them again.
        world.wait(minutes * 60);
        let exp = json!(world.shared.clock.now().timestamp() + 300);
        let (job, asked) = (with(&[("exp", exp)]), twin.asked.load(Ordering::Relaxed));
        let began = std::time::Instant::now();
        let answer = world.send(Method::POST, path, &job, body).await;
        let took = began.elapsed().as_secs_f64();
        assert!(took < 3.0, "{path}: {took} s");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(twin.asked.load(Ordering::Relaxed), asked + 1, "it hung there");
        let said = answer.text();
        assert!(said.contains(says) && took > 2.0, "{path}: {took} s, {said}");
    }
    drop(blocked);
}
