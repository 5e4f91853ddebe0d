//! `budget-gate verify`, and the script that deploys only what it proves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use budget_gate::signed::{Header, Jwk, Jwks};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::engine::{code, folder, gate, recorded, stderr, stdout};

const ISSUER: &str = "https://headroom.example";

fn digest() -> String {
    format!("sha256:{}", "0a".repeat(32))
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// The engine's key in a file.
fn jwks(folder: &Path) -> PathBuf {
    let key = Jwk::of(URL_SAFE_NO_PAD.encode(pair().public_key()), "k1".to_owned());
    let file = folder.join("jwks.json");
    std::fs::write(&file, serde_json::to_vec(&Jwks { keys: vec![key] }).unwrap()).unwrap();
    file
}

#[expect(clippy::disallowed_methods, reason = "the program reads the system clock, too")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs().try_into().unwrap()
}

fn signed(verdict: &str, age: i64) -> String {
    let begin = now() - age;
    let claims = json!({
        "iss": ISSUER, "iat": begin, "nbf": begin, "exp": begin + 900, "jti": "01JDECISION",
        "service": "orders", "environment": "production", "version": "1.4.2", "digest": digest(),
        "kind": "release", "verdict": verdict, "allow": matches!(verdict, "allow" | "warn"),
        "seq": 812, "hash": "sha256:11",
    });
    let parts = [serde_json::to_vec(&Header::of("k1")).unwrap(), claims.to_string().into_bytes()];
    let message = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair().sign(message.as_bytes())))
}

/// The decision that the engine answers with a signed verdict.
fn decision(verdict: &str) -> Value {
    let mut decision: Value = serde_json::from_str(&recorded(verdict)).unwrap();
    decision["token"] = signed(verdict, 0).into();
    decision
}

/// `verify` about orders 1.4.2 in production.
fn verify(jwks: &Path, more: &[&str]) -> Output {
    let about = ["--service", "orders", "--environment", "production", "--version", "1.4.2"];
    let jwks = ["verify", "--jwks", jwks.to_str().unwrap()];
    gate(&[&jwks[..], &about, more].concat(), &[])
}

#[test]
fn the_exit_code_is_that_of_the_signed_verdict() {
    let folder = folder("verify-codes");
    let jwks = jwks(&folder);
    for (verdict, expected) in [("allow", 0), ("warn", 0), ("deny", 20), ("unknown", 30)] {
        let output = verify(&jwks, &[&signed(verdict, 0)]);
        assert_eq!(code(&output), expected, "{verdict}: {}", stderr(&output));
        let first = format!("{}  orders 1.4.2 in production\n", verdict.to_uppercase());
        assert!(stdout(&output).starts_with(&first), "{}", stdout(&output));
        assert!(stdout(&output).contains("recorded 01JDECISION, number 812\nsigned   by https://"));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_not_proven_exits_1_with_the_reason_and_no_answer() {
    let folder = folder("verify-unproven");
    let jwks = jwks(&folder);
    let (good, digest) = (signed("allow", 0), format!("sha256:{}", "0b".repeat(32)));
    let mut bent = decision("deny");
    bent["verdict"] = "allow".into();
    for (arguments, words) in [
        (
            vec![good.as_str(), "--issuer", "https://other.example"],
            "its issuer is `https://headroom",
        ),
        (vec![&good, "--digest", &digest], "its digest is `sha256:0a"),
        (vec![&signed("allow", 1_000)], "it has expired at "),
        (vec![&signed("allow", -100)], "are the clocks right?"),
        (vec![&signed("allow", 700), "--max-age", "10m"], "which is too long ago"),
        (vec![&good[..good.len() - 4]], "signature"),
        (vec![""], "it is no signed verdict"),
        (vec![&recorded("allow")], "the decision holds no signed verdict"),
        (vec![&bent.to_string()], "the decision beside it is another one"),
        (vec!["{\"token\": 1}"], "it is no decision"),
        (vec![&good.repeat(40)], "a signed verdict has at most 16384"),
    ] {
        let output = verify(&jwks, &arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{words}");
        let said = stderr(&output);
        assert!(said.starts_with("budget-gate: NOT PROVEN: ") && said.contains(words), "{said}");
    }
    let same = verify(&jwks, &[&good, "--issuer", &format!("{ISSUER}/"), "--max-age", "1m"]);
    assert_eq!(code(&same), 0, "{}", stderr(&same));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_verdict_comes_as_an_argument_in_a_file_or_on_the_standard_input_alone_or_in_its_decision() {
    let folder = folder("verify-inputs");
    let (jwks, file) = (jwks(&folder), folder.join("verdict"));
    for given in
        [signed("deny", 0), format!("{}\n", signed("deny", 0)), format!("{:#}\n", decision("deny"))]
    {
        std::fs::write(&file, &given).unwrap();
        assert_eq!(code(&verify(&jwks, &[&given])), 20);
        assert_eq!(code(&verify(&jwks, &["--file", file.to_str().unwrap()])), 20);
        let mut command = Command::new(env!("CARGO_BIN_EXE_budget-gate"));
        command.args(["verify", "--service", "orders", "--environment", "production"]);
        command.args(["--any-version", "--jwks"]).arg(&jwks);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(20));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_asked_exits_2() {
    let folder = folder("verify-usage");
    let (jwks, token) = (jwks(&folder), signed("allow", 0));
    std::fs::write(folder.join("none.json"), "{\"keys\": []}").unwrap();
    let none = folder.join("none.json");
    for (output, words) in [
        (verify(&folder.join("missing"), &[&token]), "cannot read"),
        (verify(&none, &[&token]), "there is no key in it"),
        (verify(&jwks, &["--file", "/no/such/file"]), "cannot read /no/such/file"),
        (verify(&jwks, &[&token, "--digest", "latest"]), "sha256:"),
        (verify(&jwks, &[&token, "--any-version"]), "--any-version"),
        (gate(&["verify", &token, "--jwks", jwks.to_str().unwrap()], &[]), "--service"),
        (unsaid(&jwks, &token), "--any-version"),
    ] {
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{words}");
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Nobody says which version is deployed.
fn unsaid(jwks: &Path, token: &str) -> Output {
    let about = ["--service", "orders", "--environment", "production", token];
    gate(&[&["verify", "--jwks", jwks.to_str().unwrap()], &about[..]].concat(), &[])
}

/// The shipped script, with a `kubectl` that writes down how it was called.
fn deploy(folder: &Path, image: &str, verdict: &str) -> (Output, String) {
    let (called, kubectl) = (folder.join("called"), folder.join("kubectl"));
    let _ = std::fs::remove_file(&called);
    std::fs::write(&kubectl, format!("#!/bin/sh\necho \"$@\" >'{}'\n", called.display())).unwrap();
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_budget-gate")).parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", folder.display(), program.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/kubernetes/deploy.sh");
    std::fs::write(folder.join("verdict.json"), verdict).unwrap();
    let mut command = Command::new("bash");
    command.args([script, "orders", "production", image]).arg(folder.join("verdict.json"));
    command.env_clear().env("PATH", path).env("HEADROOM_JWKS", jwks(folder));
    let output = command.env("HEADROOM_URL", ISSUER).output().unwrap();
    (output, std::fs::read_to_string(called).unwrap_or_default())
}

#[test]
fn the_script_sets_an_image_only_where_a_verdict_about_its_digest_is_proven_to_allow() {
    let folder = folder("verify-script");
    let image = format!("registry.example/orders@{}", digest());
    let (output, called) = deploy(&folder, &image, &decision("allow").to_string());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(called, format!("set image deployment/orders orders={image}\n"));
    let other = format!("registry.example/orders@sha256:{}", "0b".repeat(32));
    for (image, verdict, expected) in [
        (image.as_str(), decision("deny"), 20),
        (&image, decision("unknown"), 30),
        (&image, serde_json::from_str(&recorded("allow")).unwrap(), 1),
        (&other, decision("allow"), 1),
        ("registry.example/orders:1.4.2", decision("allow"), 2),
    ] {
        let (output, called) = deploy(&folder, image, &verdict.to_string());
        assert_eq!((code(&output), called.as_str()), (expected, ""), "{}", stderr(&output));
    }
    std::fs::remove_dir_all(folder).unwrap();
}
