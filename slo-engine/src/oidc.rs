//! Job tokens of GitHub Actions and GitLab CI: who asks, without a secret that anybody keeps. A job is
//! known by the id of its repository or project, never by a name, which may change hands; environment and
//! ref must be those of the configuration; a job of a pull request may only look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use budget_gate::select::Glob;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::RateLimit;
use crate::token::{Bucket, Principal, Scope};
use claims::Claims;
use keys::Keys;

mod claims;
mod jws;
mod keys;

/// The section `oidc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Oidc {
    /// Whose job tokens are accepted.
    pub issuers: Vec<Issuer>,
}

/// Somebody who signs job tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// What its claims are called.
    pub kind: IssuerKind,
    /// Its address, exactly as the claim `iss` has it.
    pub issuer: String,
    /// What the claim `aud` must name: this server.
    pub audience: String,
    /// Where its keys are, if not where GitHub and GitLab have them.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whose jobs may do what.
    pub jobs: Vec<Job>,
}

/// Whose claims they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
}

/// What jobs of a repository or project may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// The id of the repository or project.
    pub id: String,
    /// For which services.
    pub services: Vec<Glob>,
    /// The environments of the jobs, in small letters, and those that they may ask about; without any a
    /// job needs none.
    #[serde(default)]
    pub environments: Vec<Glob>,
    /// Their refs, in which `*` stands for any letters; without any all are meant.
    #[serde(default)]
    pub refs: Vec<String>,
    /// What they may do.
    #[serde(default = "usual")]
    pub scopes: Vec<Scope>,
}

fn usual() -> Vec<Scope> {
    vec![Scope::Decide, Scope::Deploy]
}

/// Why a job token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// It is none, or none that holds.
    #[error("the job token is not accepted: {0}")]
    Wrong(String),
    /// It asks too often.
    #[error("the jobs of {who} ask too often")]
    TooOften {
        /// Whose jobs.
        who: String,
        /// When they may ask again.
        retry_after: Duration,
    },
    /// Nobody can say now.
    #[error("the keys of {0} cannot be read now")]
    Unreadable(String),
}

fn wrong(why: impl Into<String>) -> NotAccepted {
    NotAccepted::Wrong(why.into())
}

/// Checks job tokens.
#[derive(Debug)]
pub struct Verifier {
    known: Vec<(Issuer, Keys)>,
    limit: RateLimit,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Verifier {
    /// What checks the tokens of the configured issuers.
    #[must_use]
    pub fn new(config: &Oidc, limit: RateLimit) -> Self {
        let known = config.issuers.iter().map(|one| (one.clone(), Keys::of(one.jwks_url())));
        Self { known: known.collect(), limit, buckets: Mutex::default() }
    }

    /// Who sends a job token.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn check(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Arc<Principal>, NotAccepted> {
        let token = jws::Token::read(token).map_err(wrong)?;
        let claims: Claims = token.claims().map_err(wrong)?;
        let (issuer, keys) = self
            .known
            .iter()
            .find(|(one, _)| one.issuer == claims.iss)
            .ok_or_else(|| wrong("nobody configured its issuer (oidc.issuers)"))?;
        let key = keys.find(&token.kid, now).await.map_err(|unreadable| match unreadable {
            true => NotAccepted::Unreadable(issuer.issuer.clone()),
            false => wrong("its issuer has no such key (kid)"),
        })?;
        token.verify(&key).map_err(wrong)?;
        claims.hold(&issuer.audience, now).map_err(wrong)?;
        let principal = issuer.principal(&claims)?;
        self.admit(&principal, now)?;
        Ok(Arc::new(principal))
    }

    fn admit(&self, principal: &Principal, now: DateTime<Utc>) -> Result<(), NotAccepted> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // No more of them than repositories are configured.
        let bucket = buckets.entry(principal.id.clone());
        let bucket = bucket.or_insert_with(|| Bucket::full(self.limit, now));
        bucket.take(self.limit, now).map_err(|wait| NotAccepted::TooOften {
            who: principal.name.clone(),
            retry_after: wait.to_std().unwrap_or_default(),
        })
    }
}

impl Issuer {
    fn jwks_url(&self) -> String {
        let base = self.issuer.trim_end_matches('/');
        self.jwks_url.clone().unwrap_or_else(|| match self.kind {
            IssuerKind::GitHub => format!("{base}/.well-known/jwks"),
            IssuerKind::GitLab => format!("{base}/oauth/discovery/keys"),
        })
    }

    /// What the job may do, by the first entry that it fits.
    fn principal(&self, claims: &Claims) -> Result<Principal, NotAccepted> {
        let (kind, id) = match self.kind {
            IssuerKind::GitHub => ("github", claims.repository_id.as_ref()),
            IssuerKind::GitLab => ("gitlab", claims.project_id.as_ref()),
        };
        let id = id.ok_or_else(|| wrong("it has no repository_id or project_id"))?;
        let environment = claims.environment.as_deref().map(str::to_lowercase);
        let fits = |job: &&Job| {
            job.id == *id && job.takes_environment(environment.as_deref()) && job.takes_ref(claims)
        };
        let job = self.jobs.iter().find(fits).ok_or_else(|| {
            let place = environment.as_deref().unwrap_or("no environment");
            let at = claims.reference.as_deref().unwrap_or("no ref");
            wrong(format!("no entry of oidc.issuers.jobs fits id {id}, {place}, {at}"))
        })?;
        let only = environment.map(|name| Glob::parse(&name)).transpose();
        let only = only.ok().filter(|one| one.as_ref().is_none_or(Glob::is_exact));
        let only = only.ok_or_else(|| wrong("its environment cannot be one here"))?;
        let path = claims.repository.as_deref().or(claims.project_path.as_deref()).unwrap_or(id);
        Ok(Principal {
            name: format!("{kind}:{}", budget_gate::harmless::harmless(path)),
            id: format!("{kind}:{id}"),
            scopes: if claims.is_of_a_pull_request() { Vec::new() } else { job.scopes.clone() },
            services: job.services.clone(),
            environments: only.map_or_else(|| job.environments.clone(), |one| vec![one]),
        })
    }
}

impl Job {
    fn takes_environment(&self, environment: Option<&str>) -> bool {
        let matches = |name: &str| self.environments.iter().any(|glob| glob.matches(name));
        self.environments.is_empty() || environment.is_some_and(matches)
    }

    fn takes_ref(&self, claims: &Claims) -> bool {
        let given = [claims.reference.as_deref(), claims.ref_path.as_deref()];
        let is_given = |pattern: &String| {
            given.iter().flatten().any(|one| budget_gate::select::matches(pattern, one))
        };
        self.refs.is_empty() || self.refs.iter().any(is_given)
    }
}

#[cfg(test)]
mod tests;
