//! `budget-gate verify`: checks a signed verdict without asking the engine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use budget_gate::Verdict;
use budget_gate::harmless::harmless;
use budget_gate::signed::Claims;
use budget_gate::signed::verify::{Expected, Keys, verify as prove};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Args};
use serde::Deserialize;

use super::{Exit, args, output};

/// Larger files are not read.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Args)]
#[command(group(ArgGroup::new("what").args(["version", "digest", "any_version"]).required(true).multiple(true)))]
pub(crate) struct Verify {
    /// The signed verdict, or a decision's JSON that holds it [default: the standard input]
    #[arg(value_name = "VERDICT", conflicts_with = "file")]
    verdict: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The engine's public keys: a copy of what it serves at /.well-known/jwks.json
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// Who must have signed: the engine's `server.publicUrl`
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The service that is deployed
    #[arg(long, value_name = "S", value_parser = args::name)]
    service: String,
    /// Where it is deployed
    #[arg(long, value_name = "E", value_parser = args::name)]
    environment: String,
    /// The version that is deployed
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// The digest of the image that is deployed
    #[arg(long, value_name = "sha256:...", value_parser = args::digest)]
    digest: Option<String>,
    /// A verdict about any version will do
    #[arg(long, conflicts_with_all = ["version", "digest"])]
    any_version: bool,
    /// How long ago the gate may have looked, also where the verdict still holds
    #[arg(long, value_name = "LENGTH", value_parser = args::length)]
    max_age: Option<Duration>,
}

/// As much of a decision as matters here.
#[derive(Deserialize)]
struct Holding {
    id: Option<String>,
    verdict: Verdict,
    token: Option<String>,
}

/// Why there is no verdict.
enum Fault {
    /// What was asked for cannot be done.
    Usage(String),
    /// What was given proves nothing.
    Unproven(String),
}

pub(super) fn verify(verify: &Verify, now: DateTime<Utc>) -> Exit {
    match verify.claims(now) {
        Ok(claims) => shown(&claims),
        Err(Fault::Usage(why)) => output::wrong(&why),
        Err(Fault::Unproven(why)) => {
            output::diagnostic(&format!("NOT PROVEN: {why}"));
            Exit::Unproven
        }
    }
}

impl Verify {
    fn claims(&self, now: DateTime<Utc>) -> Result<Claims, Fault> {
        let keys = read(&self.jwks).and_then(|jwks| {
            Keys::read(&jwks).map_err(|why| format!("{}: {why}", self.jwks.display()))
        });
        let keys = keys.map_err(Fault::Usage)?;
        let given = self.given().map_err(Fault::Usage)?;
        let unproven = |why: String| Fault::Unproven(why);
        match given.trim_start().starts_with('{') {
            false => self.proven(given.trim(), &keys, now).map_err(unproven),
            true => {
                let held = held(&given).map_err(unproven)?;
                let token = held.token.as_deref().unwrap_or_default();
                let claims = self.proven(token, &keys, now).map_err(unproven)?;
                match held.id.as_ref() == Some(&claims.jti) && held.verdict == claims.verdict {
                    true => Ok(claims),
                    false => Err(unproven("the decision beside it is another one".to_owned())),
                }
            }
        }
    }

    fn given(&self) -> Result<String, String> {
        let bytes = match (&self.verdict, &self.file) {
            (Some(verdict), _) => return Ok(verdict.clone()),
            (None, Some(file)) => read(file)?,
            (None, None) => whole(io::stdin().lock(), "the standard input")?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn proven(&self, token: &str, keys: &Keys, now: DateTime<Utc>) -> Result<Claims, String> {
        let expected = Expected {
            issuer: self.issuer.as_deref().map(|issuer| issuer.trim_end_matches('/')),
            service: &self.service,
            environment: &self.environment,
            version: self.version.as_deref(),
            digest: self.digest.as_deref(),
            max_age: self.max_age.and_then(|age| TimeDelta::from_std(age).ok()),
        };
        prove(token, keys, &expected, now).map_err(|refusal| refusal.to_string())
    }
}

fn held(json: &str) -> Result<Holding, String> {
    let held: Holding = serde_json::from_str(json)
        .map_err(|e| format!("it is no decision: {}", harmless(&e.to_string())))?;
    match held.token {
        Some(_) => Ok(held),
        None => Err("the decision holds no signed verdict: it is not recorded, or was asked for \
                     when it was too old to go by"
            .to_owned()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| format!("cannot read {name}: {e}"))?;
    whole(file, &name)
}

fn whole(from: impl Read, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    match read.map_err(|e| format!("cannot read {name}: {e}"))? as u64 > MAX_BYTES {
        true => Err(format!("{name} is larger than 1 MiB")),
        false => Ok(bytes),
    }
}

fn shown(claims: &Claims) -> Exit {
    let Claims { service, seq, exp, iss, jti, .. } = claims;
    let loud = claims.verdict.as_str().to_uppercase();
    let version = claims.version.as_ref().map_or_else(String::new, |v| format!(" {v}"));
    let place = claims.environment.as_ref().map_or_else(String::new, |e| format!(" in {e}"));
    let lines = [
        format!("{loud}  {service}{version}{place}"),
        format!("recorded {jti}, number {seq}"),
        format!("signed   by {iss}, holds until {}", exp.format("%F %T UTC")),
    ];
    let text: String = lines.iter().map(|line| harmless(line) + "\n").collect();
    if let Err(error) = output::answer(&text) {
        return output::wrong(&format!("cannot write the answer ({loud}): {error}"));
    }
    match claims.verdict {
        Verdict::Allow | Verdict::Warn => Exit::Go,
        Verdict::Unknown => Exit::Unknown,
        Verdict::Deny => Exit::Denied,
    }
}
