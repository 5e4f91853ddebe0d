use proptest::prelude::*;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;
use crate::sample::now;
use crate::signed::{Jwk, Jwks};

const DIGEST: &str = "sha256:0a";

const EXPECTED: Expected<'static> = Expected {
    issuer: Some("https://h.example"),
    service: "orders",
    environment: "production",
    version: Some("1.4.2"),
    digest: Some(DIGEST),
    max_age: None,
};

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(seed: u8) -> String {
    URL_SAFE_NO_PAD.encode(pair(seed).public_key())
}

fn jwks(keys: Vec<Jwk>) -> Vec<u8> {
    serde_json::to_vec(&Jwks { keys }).unwrap()
}

fn keys() -> Keys {
    let named = |seed: u8| Jwk::of(public(seed), format!("k{seed}"));
    Keys::read(&jwks(vec![named(2), named(1)])).unwrap()
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"})
}

fn claims() -> Value {
    let begin = now().timestamp();
    json!({
        "iss": "https://h.example", "iat": begin, "nbf": begin, "exp": begin + 900, "jti": "01J",
        "service": "orders", "environment": "production", "version": "1.4.2", "digest": DIGEST,
        "kind": "release", "verdict": "allow", "allow": true, "seq": 812, "hash": "sha256:11",
    })
}

/// Signed with the first key, whatever the header says.
fn sign(header: &str, claims: &str) -> String {
    let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = URL_SAFE_NO_PAD.encode(pair(1).sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn signed_with(change: &Value) -> String {
    let mut claims = claims();
    for (claim, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value.clone(),
        }
    }
    sign(&header().to_string(), &claims.to_string())
}

fn checked(token: &str) -> Result<Claims, Refusal> {
    verify(token, &keys(), &EXPECTED, now())
}

/// Why it is refused.
fn refused(token: &str) -> String {
    checked(token).unwrap_err().to_string()
}

#[track_caller]
fn refuses(token: &str, words: &str) {
    let why = refused(token);
    assert!(why.contains(words), "{why}");
}

#[test]
fn what_the_engine_signed_about_this_deploy_is_proven_whatever_the_verdict() {
    for (verdict, allow) in [("allow", true), ("warn", true), ("deny", false), ("unknown", false)] {
        let claims = checked(&signed_with(&json!({"verdict": verdict, "allow": allow}))).unwrap();
        assert_eq!((claims.verdict.as_str(), claims.allow), (verdict, allow));
    }
    let later = signed_with(&json!({"another": {"claim": [1]}}));
    assert!(checked(&later).is_ok(), "a later engine may say more");
}

#[test]
fn the_example_of_rfc_8037_has_its_signature() {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    assert_eq!(x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())), signature);
}

#[test]
fn alg_none_is_refused_with_and_without_a_signature() {
    let none = header().to_string().replace("EdDSA", "none");
    let token = sign(&none, &claims().to_string());
    refuses(&token, "its algorithm is `none`; the only one is EdDSA");
    refuses(&format!("{}.", token.rsplit_once('.').unwrap().0), "its algorithm is `none`");
    refuses(&sign(r#"{"alg":"none"}"#, &claims().to_string()), "its algorithm is `none`");
}

#[test]
fn hs256_with_the_public_key_as_its_secret_is_refused() {
    let header = header().to_string().replace("EdDSA", "HS256");
    let message = [header, claims().to_string()].map(|p| URL_SAFE_NO_PAD.encode(p)).join(".");
    for secret in [pair(1).public_key().as_ref(), public(1).as_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        refuses(&token, "its algorithm is `HS256`");
    }
}

#[test]
fn the_key_is_the_one_that_the_header_names() {
    let named = |kid: &str| sign(&header().to_string().replace("k1", kid), &claims().to_string());
    refuses(&named("k2"), "its signature is not that of the key that it names");
    refuses(&named("k3"), "the key `k3`, which is not among the given ones");
    refuses(&sign(r#"{"alg":"EdDSA","typ":"JWT"}"#, "{}"), "does not say which key");
    let given = header().to_string().replace('}', r#","jwk":{"kty":"OKP"}}"#);
    refuses(&sign(&given, &claims().to_string()), "its header cannot be read: unknown field `jwk`");
    let critical = header().to_string().replace('}', r#","crit":["exp"],"exp":1}"#);
    refuses(&sign(&critical, &claims().to_string()), "unknown field `crit`");
    let other = header().to_string().replace("JWT", "at+jwt");
    refuses(&sign(&other, &claims().to_string()), "its type is `at+jwt`");
}

#[test]
fn what_another_engine_signed_is_refused_where_the_issuer_is_expected() {
    let token = signed_with(&json!({"iss": "https://other.example"}));
    refuses(&token, "its issuer is `https://other.example`; expected is `https://h.example`");
    let any = Expected { issuer: None, ..EXPECTED };
    assert!(verify(&token, &keys(), &any, now()).is_ok());
}

#[test]
fn a_verdict_about_another_deploy_is_refused() {
    for (claim, value, words) in [
        ("service", json!("catalog"), "its service is `catalog`; expected is `orders`"),
        ("environment", json!("staging"), "its environment is `staging`"),
        ("environment", json!(null), "its environment is not said; expected is `production`"),
        ("version", json!("1.4.3"), "its version is `1.4.3`"),
        ("version", json!(null), "its version is not said"),
        ("digest", json!("sha256:0b"), "its digest is `sha256:0b`"),
        ("digest", json!(null), "its digest is not said"),
    ] {
        refuses(&signed_with(&json!({ claim: value })), words);
    }
    let version = Expected { digest: None, ..EXPECTED };
    let token = signed_with(&json!({"digest": null}));
    assert!(verify(&token, &keys(), &version, now()).is_ok());
}

#[test]
fn it_holds_from_nbf_to_exp_with_half_a_minute_for_the_clocks() {
    let token = signed_with(&json!({}));
    let at = |seconds: i64| verify(&token, &keys(), &EXPECTED, now() + TimeDelta::seconds(seconds));
    for seconds in [-30, 0, 900, 929] {
        assert!(at(seconds).is_ok(), "{seconds}");
    }
    assert_eq!(at(-31), Err(Refusal::NotYet(now())));
    assert_eq!(at(930), Err(Refusal::Expired(now() + TimeDelta::seconds(900))));
    refuses(&signed_with(&json!({"exp": 1})), "it has expired at 1970-01-01 00:00:01 UTC");
    let soon = now().timestamp() + 3_600;
    refuses(&signed_with(&json!({"nbf": soon})), "which is not yet; are the clocks right?");
    refuses(&signed_with(&json!({"iat": soon})), "which is not yet");
    for strange in [json!(i64::MAX), json!(1e300), json!("soon"), json!(-1.5)] {
        refuses(&signed_with(&json!({"exp": strange})), "its claims cannot be read");
    }
    refuses(&signed_with(&json!({"exp": null})), "missing field `exp`");
}

#[test]
fn it_can_be_too_old_before_it_expires() {
    let limit = Expected { max_age: Some(TimeDelta::minutes(5)), ..EXPECTED };
    let token = signed_with(&json!({}));
    let at = |seconds: i64| verify(&token, &keys(), &limit, now() + TimeDelta::seconds(seconds));
    assert!(at(330).is_ok());
    assert_eq!(at(331), Err(Refusal::Old(now())));
    let ever = Expected { max_age: Some(TimeDelta::MAX), ..EXPECTED };
    assert!(verify(&token, &keys(), &ever, now()).is_ok());
}

#[test]
fn one_of_more_than_16_kib_is_refused_before_it_is_read() {
    let long = signed_with(&json!({"more": "x".repeat(13_000)}));
    refuses(&long, "bytes; a signed verdict has at most 16384");
    refuses(&"x".repeat(1 << 20), "it has 1048576 bytes");
    assert!(checked(&signed_with(&json!({"more": "x".repeat(10_000)}))).is_ok());
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let twice = header().to_string().replace('}', r#","alg":"none"}"#);
    refuses(
        &sign(&twice, &claims().to_string()),
        "its header cannot be read: duplicate field `alg`",
    );
    for claim in ["\"allow\":true", "\"service\":\"orders\"", "\"exp\":9999999999"] {
        let twice = claims().to_string().replacen('{', &format!("{{{claim},"), 1);
        let why = refused(&sign(&header().to_string(), &twice));
        assert!(why.contains("its claims cannot be read: duplicate field"), "{why}");
    }
}

#[test]
fn base64_that_no_engine_writes_is_refused() {
    let token = signed_with(&json!({}));
    let (message, signature) = token.rsplit_once('.').unwrap();
    // 64 bytes are 86 letters, of whose last one four bits must be 0.
    let last = signature.chars().last().unwrap();
    let next = char::from(last as u8 + 1);
    let bent = format!("{message}.{}{next}", &signature[..85]);
    for other in
        [bent, format!("{token}=="), format!("{token}\n"), format!("{message}.+{signature}")]
    {
        refuses(&other, "its signature is not base64url");
    }
    refuses(&format!("={token}"), "its header is not base64url");
    let (header, rest) = token.split_once('.').unwrap();
    refuses(&sign_parts(&format!("{header}="), rest), "its header is not base64url");
    let claims = rest.split_once('.').unwrap().0;
    refuses(&sign_parts(header, &format!("{claims}==.")), "its claims is not base64url");
}

/// Parts as they are, signed.
fn sign_parts(header: &str, rest: &str) -> String {
    let message = format!("{header}.{}", rest.split_once('.').unwrap().0);
    let signature = URL_SAFE_NO_PAD.encode(pair(1).sign(message.as_bytes()));
    format!("{message}.{signature}")
}

#[test]
fn what_is_no_signed_verdict_at_all_is_refused() {
    for none in ["", ".", "a", "a.b", "a.b.c.d", "hr_1_secret"] {
        let why = refused(none);
        assert!(why.starts_with("it is no signed verdict") || why.contains("base64url"), "{why}");
    }
    refuses(&signed_with(&json!({"allow": false})), "it says `allow: false` of a verdict");
    refuses(&signed_with(&json!({"verdict": "perhaps"})), "unknown variant `perhaps`");
    let list = format!(
        "[{}]",
        claims().as_object().unwrap().values().map(Value::to_string).collect::<Vec<_>>().join(",")
    );
    refuses(&sign(&header().to_string(), &list), "its claims cannot be read: it is no JSON object");
    refuses(&sign("[\"EdDSA\",\"k1\",\"JWT\"]", "{}"), "its header cannot be read: it is no JSON");
}

#[test]
fn what_a_message_quotes_acts_on_no_terminal() {
    let strange = header().to_string().replace("k1", &format!("\\u001b[31m{}", "x".repeat(500)));
    let why = refused(&sign(&strange, "{}"));
    assert!(why.len() < 300 && !why.contains('\u{1b}'), "{why}");
}

#[test]
fn keys_that_no_engine_serves_are_refused() {
    let one = || Jwk::of(public(1), "k1".to_owned());
    let listed = serde_json::to_string(&one()).unwrap();
    for (text, words) in [
        ("{\"keys\":[]}".to_owned(), "there is no key in it"),
        ("[]".to_owned(), "it is no JSON object"),
        (format!("{{\"keys\":[{listed}],\"keys\":[]}}"), "duplicate field `keys`"),
        (format!("{{\"keys\":[{}]}}", listed.replace("OKP", "oct")), "is no Ed25519 key"),
        (format!("{{\"keys\":[{}]}}", listed.replace("EdDSA", "HS256")), "is no Ed25519 key"),
        (format!("{{\"keys\":[{}]}}", listed.replace(&public(1), "AAAA")), "is not 32 bytes"),
        (format!("{{\"keys\":[{}]}}", listed.replace(&public(1), &(public(1) + "="))), "not 32"),
    ] {
        let why = Keys::read(text.as_bytes()).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    let other = Jwk::of(public(2), "k1".to_owned());
    assert_eq!(Keys::read(&jwks(vec![one(), other])), Err("two keys are called `k1`".to_owned()));
    assert!(Keys::read(&jwks(vec![one(), one()])).is_ok());
}

proptest! {
    #[test]
    fn a_signed_verdict_with_any_letter_changed_proves_nothing(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let token = signed_with(&json!({}));
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(checked(&String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn no_text_proves_anything(parts in prop::collection::vec(".{0,40}", 0..5)) {
        prop_assert!(checked(&parts.join(".")).is_err());
        let encoded: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        prop_assert!(checked(&encoded.join(".")).is_err());
    }
}
