//! Callers with a wire of their own, a few at once as controllers are, while ticks run: each adapter
//! against a trivial route of the same process. Each question is new, so its decision is on the disk
//! before the answer.

use std::time::Duration;

use anyhow::Context;

use super::answers::{Round, Server, median, post};
use crate::output;
use crate::report::{Figure, Must, Outcome};
use crate::world::{Size, World};

const SLOS: Size = Size(10_000, 1_000);
const PAIRS: Size = Size(15, 3);
const CALLERS: usize = 4;
const ROUND: Duration = Duration::from_millis(500);
const ADAPTERS: [&str; 4] = ["flagger", "argo-rollouts", "admission", "alertmanager"];

pub(crate) fn run(world: &World) -> anyhow::Result<Outcome> {
    let (slos, pairs) = (world.sizes.services(SLOS) as usize, world.sizes.repeat(PAIRS));
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let server = runtime.block_on(Server::start(&world.fresh("adapters")?, slos))?;
    let mut outcome =
        Outcome { measure: "adapters against a trivial route".to_owned(), ..Outcome::default() };
    for (name, count) in [("callers", CALLERS), ("rounds", pairs as usize), ("slos", slos)] {
        outcome.workload.insert(name.to_owned(), i64::try_from(count)?);
    }
    for adapter in ADAPTERS {
        output::say(&format!("  {adapter}: {pairs} pairs of rounds"));
        let (path, body) = asked(adapter, 0, "first");
        runtime.block_on(server.imitate(post(&path, &server.token, &body)))?;
        outcome.figures.extend(figures(&server, adapter, slos, pairs)?);
    }
    runtime.block_on(server.stop());
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(outcome)
}

fn figures(server: &Server, adapter: &str, slos: usize, pairs: u32) -> anyhow::Result<[Figure; 3]> {
    let (mut took, mut slower) = (Vec::new(), Vec::new());
    // The first pair warms up.
    for pair in 0..=pairs {
        let new = |caller: usize, at: usize| {
            asked(adapter, (caller * 7_919 + at) % slos, &format!("{pair}.{caller}.{at}"))
        };
        let ask = |caller, at| {
            let (path, body) = new(caller, at);
            post(&path, &server.token, &body)
        };
        let trivial = |caller, at| post("/trivial", &server.token, &new(caller, at).1);
        let ours = Round::of(server.address, CALLERS, ROUND, &ask)?;
        let theirs = Round::of(server.address, CALLERS, ROUND, &trivial)?;
        if pair > 0 {
            slower.push(ours.p99() / theirs.p99());
            took.extend(ours.took);
        }
    }
    took.sort_by(f64::total_cmp);
    let all = Round { took, rate: 0.0 };
    let said = |what: &str| format!("{what}, {adapter}");
    let half = all.took[all.took.len() / 2] * 1e3;
    Ok([
        Figure::new(&said("p99"), all.p99() * 1e3, "ms", Must::AtMost(5.0)),
        Figure::new(&said("median"), half, "ms", Must::Nothing),
        Figure::new(&said("p99 against it"), median(slower), "x", Must::Nothing),
    ])
}

/// Path and body of a question that nobody asked before.
fn asked(adapter: &str, service: usize, version: &str) -> (String, String) {
    let service = format!("svc-{service}");
    let (path, body) = match adapter {
        "flagger" => {
            let metadata = format!(r#"{{"environment": "p", "version": "{version}"}}"#);
            let of = r#""namespace": "shop", "phase": "Progressing", "checksum": "85d557f47b""#;
            (
                "flagger".to_owned(),
                format!(r#"{{"name": "{service}", {of}, "metadata": {metadata}}}"#),
            )
        }
        "argo-rollouts" => {
            let body = format!(r#"{{"environment": "p", "version": "{version}"}}"#);
            (format!("argo-rollouts/{service}"), body)
        }
        "admission" => ("admission".to_owned(), review(&service, version)),
        _ => {
            let alert = format!(
                r#"{{"status": "firing", "labels": {{"alertname": "Slow", "service": "{service}",
                    "severity": "warning"}}, "annotations": {{"summary": "answers take long"}},
                    "startsAt": "2026-11-21T09:50:00Z", "fingerprint": "{version}"}}"#
            );
            let body = format!(
                r#"{{"version": "4", "groupKey": "{version}", "status": "firing", "receiver": "headroom",
                    "alerts": [{alert}]}}"#
            );
            ("alertmanager".to_owned(), body)
        }
    };
    (format!("/v1/adapters/{path}"), body)
}

fn review(service: &str, version: &str) -> String {
    let of = |version: &str| {
        format!(
            r#"{{"metadata": {{"name": "{service}", "labels": {{"headroom/environment": "p"}}}},
                "spec": {{"template": {{"spec": {{"containers": [
                    {{"name": "app", "image": "registry:5000/{service}:{version}"}}]}}}}}}}}"#
        )
    };
    let (object, old) = (of(version), of("before"));
    format!(
        r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": {{"kind": "Deployment"}},
            "operation": "UPDATE", "name": "{service}", "namespace": "shop",
            "object": {object}, "oldObject": {old}}}}}"#
    )
}
