//! The body of `POST /faults` and what makes it valid.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FaultKind, FaultSpec};
use crate::checks::Checks;
use crate::problem::{Problem, ProblemKind};

const MAX_SECONDS: u64 = 3_600;
const MAX_LATENCY_MS: u64 = 30_000;

/// Every field may be absent, so that one answer names all that is wrong.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultForm {
    #[schema(required = true, nullable = false)]
    pub kind: Option<FaultKind>,
    /// Share of requests to hit, 0 to 1
    #[schema(required = true, nullable = false, example = 0.05)]
    pub share: Option<f64>,
    /// 1 to 30,000; required for latency and both, refused for errors
    pub latency_ms: Option<u64>,
    /// A route as `/docs` lists it, such as `/products/{id}`, or `unmatched`; all when absent
    pub route: Option<String>,
    /// 1 to 3,600; the fault ends by itself
    #[schema(required = true, nullable = false, example = 60)]
    pub seconds: Option<u64>,
    /// The same seed hits the same ordinals; 0 when absent
    pub seed: Option<u64>,
}

impl FaultForm {
    /// The fault this form asks for, or every field that is wrong with it.
    pub(crate) fn check(self, routes: &[String]) -> Result<FaultSpec, Problem> {
        let mut checks = Checks::default();
        checks.require(self.kind.is_some(), "kind", "is required: errors, latency or both");
        let spec = FaultSpec {
            kind: self.kind.unwrap_or(FaultKind::Errors),
            share: checks.given("share", self.share),
            latency_ms: self.latency_ms,
            route: self.route,
            seconds: checks.given("seconds", self.seconds),
            seed: self.seed.unwrap_or(0),
        };
        checks.require((0.0..=1.0).contains(&spec.share), "share", "is between 0 and 1");
        let bounded = (1..=MAX_SECONDS).contains(&spec.seconds);
        checks.require(bounded, "seconds", format!("is between 1 and {MAX_SECONDS}"));
        if self.kind.is_some() {
            check_latency(&spec, &mut checks);
        }
        let known = spec.route.as_ref().is_none_or(|route| routes.contains(route));
        checks.require(known, "route", format!("is one of {}", routes.join(", ")));
        checks.done(ProblemKind::Invalid)?;
        Ok(spec)
    }
}

fn check_latency(spec: &FaultSpec, checks: &mut Checks) {
    match (spec.kind, spec.latency_ms) {
        (FaultKind::Errors, Some(_)) => {
            checks.require(false, "latencyMs", "goes with the kinds latency and both only");
        }
        (FaultKind::Latency | FaultKind::Both, None) => {
            checks.require(false, "latencyMs", "is required for the kinds latency and both");
        }
        (_, Some(ms)) => {
            let bounded = (1..=MAX_LATENCY_MS).contains(&ms);
            checks.require(bounded, "latencyMs", format!("is between 1 and {MAX_LATENCY_MS}"));
        }
        (FaultKind::Errors, None) => {}
    }
}
