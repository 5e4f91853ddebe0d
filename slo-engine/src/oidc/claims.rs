//! What a job token says, as far as it is read: ids and booleans of GitLab are texts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

/// Clocks differ by so many seconds.
const LEEWAY: i64 = 60;

#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    #[serde(deserialize_with = "one_or_many")]
    aud: Vec<String>,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default, deserialize_with = "text")]
    pub(super) repository_id: Option<String>,
    #[serde(default)]
    pub(super) repository: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) project_id: Option<String>,
    #[serde(default)]
    pub(super) project_path: Option<String>,
    #[serde(default, rename = "ref")]
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) ref_path: Option<String>,
    #[serde(default)]
    pub(super) environment: Option<String>,
    #[serde(default)]
    event_name: Option<String>,
    #[serde(default)]
    pipeline_source: Option<String>,
    #[serde(default)]
    ref_protected: Option<String>,
}

impl Claims {
    /// # Errors
    /// When it is for somebody else, or not of this time.
    pub(super) fn hold(&self, audience: &str, now: DateTime<Utc>) -> Result<(), String> {
        let now = now.timestamp();
        if !self.aud.iter().any(|one| one == audience) {
            return Err(format!("it is not for {audience} (aud)"));
        }
        if self.exp.saturating_add(LEEWAY) <= now {
            return Err("it has expired".to_owned());
        }
        let begins = self.nbf.into_iter().chain(self.iat).max();
        if begins.is_some_and(|at| at > now.saturating_add(LEEWAY)) {
            return Err("it does not hold yet".to_owned());
        }
        Ok(())
    }

    /// Whether anybody may have written what the job runs; one that does not say where it comes from is
    /// taken for such a job, and so is a pipeline of a pipeline at a ref that nobody protects.
    pub(super) fn is_of_a_pull_request(&self) -> bool {
        let is_protected = self.ref_protected.as_deref() == Some("true");
        let is_child = |name: &str| name.contains("pipeline") && !is_protected;
        let is_event = |name: &str| name.starts_with("pull_request");
        let is_source =
            |name: &str| name.contains("merge_request") || name.contains("pull_request");
        let refs = [self.reference.as_deref(), self.ref_path.as_deref()];
        let is_ref =
            |name: &str| name.starts_with("refs/pull/") || name.starts_with("refs/merge-requests/");
        self.event_name.is_none() && self.pipeline_source.is_none()
            || self.event_name.as_deref().is_some_and(is_event)
            || self.pipeline_source.as_deref().is_some_and(|name| is_source(name) || is_child(name))
            || refs.into_iter().flatten().any(is_ref)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<TextOrNumber>::deserialize(from)?.map(|id| match id {
        TextOrNumber::Text(text) => text,
        TextOrNumber::Number(number) => number.to_string(),
    }))
}
