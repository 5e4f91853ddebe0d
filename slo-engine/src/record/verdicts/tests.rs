use std::os::unix::fs::PermissionsExt;

use base64::engine::general_purpose::STANDARD;
use budget_gate::signed::verify::{Expected, Keys, Refusal, verify};
use budget_gate::signed::{ALGORITHM, TYPE};
use tempfile::TempDir;

use super::*;

const WARNED: &str = include_str!("../../../../budget-gate/tests/it/overridden.json");

fn now() -> DateTime<Utc> {
    "2026-11-21T10:00:00.750Z".parse().unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn decision() -> Decision {
    serde_json::from_str(WARNED).unwrap()
}

fn open(folder: &TempDir, at: DateTime<Utc>) -> Result<Verdicts, KeyError> {
    let database = folder.path().join("headroom.db");
    Verdicts::open(&Signing::default(), &database, "https://h.example".to_owned(), at)
}

/// A key that signs from an instant on, put there as an operator does.
fn put(folder: &TempDir, from: DateTime<Utc>) -> PathBuf {
    let path = folder.path().join(from.format(NAME).to_string());
    SigningKey::make(&path).unwrap();
    path
}

fn keys(jwks: &Jwks) -> Keys {
    Keys::read(&serde_json::to_vec(jwks).unwrap()).unwrap()
}

fn checked(token: &str, jwks: &Jwks, at: DateTime<Utc>) -> Result<Claims, Refusal> {
    let decision = decision();
    let expected = Expected {
        issuer: Some("https://h.example"),
        service: &decision.service,
        environment: decision.environment.as_deref().unwrap(),
        version: decision.version.as_deref(),
        digest: None,
        max_age: None,
    };
    verify(token, &keys(jwks), &expected, at)
}

fn header(token: &str) -> Header {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

#[test]
fn the_first_start_makes_a_key_that_signs_at_once_and_the_next_one_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = open(&folder, now()).unwrap();
    let path = folder.path().join("verdicts-20261121T100000Z.pem");
    assert_eq!(verdicts.files(), std::slice::from_ref(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = verdicts.token(&decision(), now(), now()).unwrap();
    let claims = checked(&token, &verdicts.jwks(), now()).unwrap();
    assert_eq!((claims.jti, claims.verdict), (decision().id.unwrap(), decision().verdict));
    let Header { alg, kid, typ } = header(&token);
    assert_eq!((alg.as_str(), typ.as_deref()), (ALGORITHM, Some(TYPE)));
    assert_eq!(kid.as_ref(), Some(&verdicts.jwks().keys[0].kid));
    let again = open(&folder, after(3_600)).unwrap();
    assert_eq!(again.jwks(), verdicts.jwks());
}

#[test]
fn a_key_is_called_by_its_rfc_7638_thumbprint() {
    // The example of RFC 8037, appendix A.3.
    let name = thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(name, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_signed_verdict_holds_for_a_quarter_of_an_hour_after_the_gate_looked() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = open(&folder, now()).unwrap();
    let at = |seconds: i64| verdicts.token(&decision(), now(), after(seconds));
    assert_eq!(at(0), at(899), "the same question has the same answer");
    assert_eq!(at(900), None);
    let token = at(0).unwrap();
    assert!(checked(&token, &verdicts.jwks(), after(929)).is_ok());
    assert!(matches!(checked(&token, &verdicts.jwks(), after(930)), Err(Refusal::Expired(_))));
    let unrecorded = Decision { recorded: None, ..decision() };
    assert_eq!(verdicts.token(&unrecorded, now(), now()), None);
}

#[test]
fn a_new_key_is_shown_at_once_signs_from_its_time_on_and_the_old_one_still_proves() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = open(&folder, now()).unwrap();
    let (old, before) = (verdicts.files().remove(0), verdicts.jwks());
    put(&folder, after(3_600));
    assert_eq!(verdicts.jwks(), before, "nobody has read the folder again");
    verdicts.read_again(after(1)).unwrap();
    let both = verdicts.jwks();
    assert_eq!((both.keys.len(), &both.keys[1]), (2, &before.keys[0]));
    let name = |at| header(&verdicts.token(&decision(), at, at).unwrap()).kid.unwrap();
    assert_eq!(name(after(3_599)), before.keys[0].kid);
    assert_eq!(name(after(3_600)), both.keys[0].kid);
    let last = verdicts.token(&decision(), after(3_599), after(3_599)).unwrap();
    assert!(checked(&last, &both, after(4_000)).is_ok(), "the old key is in the JWKS");
    fs::remove_file(old).unwrap();
    verdicts.read_again(after(4_500)).unwrap();
    let new = verdicts.jwks();
    assert_eq!(new.keys, both.keys[..1]);
    assert!(matches!(checked(&last, &new, after(4_000)), Err(Refusal::UnknownKey(_))));
}

#[test]
fn what_is_wrong_with_the_keys_leaves_those_from_before() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = open(&folder, now()).unwrap();
    let (first, before) = (verdicts.files().remove(0), verdicts.jwks());
    let refused = |words: &str| {
        let why = verdicts.read_again(after(1)).unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
        assert_eq!(verdicts.jwks(), before);
        assert!(verdicts.token(&decision(), now(), after(1)).is_some());
    };
    let other = put(&folder, after(60));
    fs::set_permissions(&other, fs::Permissions::from_mode(0o640)).unwrap();
    refused("can be read by others (mode 0640)");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&other, "-----BEGIN PRIVATE KEY-----\nMC4C").unwrap();
    refused("is no Ed25519 key in PEM");
    fs::rename(&other, folder.path().join("verdicts-new.pem")).unwrap();
    refused("it says from when the key signs: verdicts-20261121T100000Z.pem");
    fs::remove_file(folder.path().join("verdicts-new.pem")).unwrap();
    fs::remove_file(first).unwrap();
    put(&folder, after(60));
    refused("no key in ");
    assert!(open(&folder, after(2)).is_ok(), "a start makes one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_key_that_openssl_made_signs_and_one_under_two_names_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    // What `openssl genpkey -algorithm ed25519` writes: PKCS#8 without the public key.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([7; 32]);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
    );
    for from in [after(-60), after(60)] {
        let path = folder.path().join(from.format(NAME).to_string());
        fs::write(&path, &pem).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let verdicts = open(&folder, now()).unwrap();
    assert_eq!(verdicts.jwks().keys.len(), 1);
    let token = verdicts.token(&decision(), now(), now()).unwrap();
    assert!(checked(&token, &verdicts.jwks(), now()).is_ok());
}

#[test]
fn keys_of_verdicts_and_the_key_of_heads_leave_each_other_alone() {
    let folder = tempfile::tempdir().unwrap();
    let heads = folder.path().join("heads.pem");
    let key = SigningKey::make(&heads).unwrap();
    let verdicts = open(&folder, now()).unwrap();
    let shown = verdicts.jwks();
    assert!(shown.keys.iter().all(|jwk| jwk.x != encoded(&key)), "{shown:?}");
    assert_eq!(SigningKey::read(&heads).unwrap().unwrap().public(), key.public());
}
