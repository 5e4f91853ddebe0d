//! A decision as SARIF 2.1.0: one run, one rule per rule of the policy that speaks, one result per
//! rule and SLO. Nothing is an error where the deploy may go.

use serde_json::{Value, json};

use crate::decision::{Decision, RuleResult, Verdict};
use crate::harmless::{harmless, harmless_json};
use crate::summary;
use crate::text::headline;

/// The name of the rule whose result is the verdict itself, where no rule of the policy spoke.
const VERDICT: &str = "verdict";

/// The whole log.
#[must_use]
pub fn sarif(decision: &Decision) -> String {
    let mut results: Vec<Value> = summary::worst_first(decision)
        .into_iter()
        .filter(|rule| rule.verdict != Verdict::Allow)
        .map(|rule| of_rule(decision, rule))
        .collect();
    if results.is_empty() && !decision.allow {
        results.push(of_verdict(decision));
    }
    let rules: Vec<Value> = rule_ids(&results).into_iter().map(rule).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "budget-gate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules
            }},
            "results": results,
            "properties": {
                "headline": harmless(&headline(decision)),
                "verdict": decision.verdict,
                "allow": decision.allow,
                "id": decision.id.as_deref().map(harmless),
                "permalink": summary::permalink(decision)
            }
        }]
    });
    harmless_json(&format!("{log:#}\n"))
}

/// Each id once, in the order of its first result.
fn rule_ids(results: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for id in results.iter().filter_map(|result| result["ruleId"].as_str()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn rule(id: &str) -> Value {
    let text = match id {
        VERDICT => "The verdict of the gate".to_owned(),
        id => format!("The rule `{id}` of the policy"),
    };
    json!({"id": id, "shortDescription": {"text": text}})
}

fn of_rule(decision: &Decision, rule: &RuleResult) -> Value {
    let slo = summary::looked_at(rule);
    let place = match &rule.slo {
        Some(slo) => format!("{}/{slo}", decision.service),
        None => decision.service.clone(),
    };
    let mut result = result(decision, &rule.rule, rule.verdict, &rule.reason, &place);
    result["properties"] = json!({
        "verdict": rule.verdict,
        "observed": rule.observed,
        "threshold": rule.threshold,
        "unblocks": rule.unblocks,
        "evidence": summary::evidence(decision, rule)
    });
    let whole = format!("{} {} {slo}", rule.rule, decision.service);
    result["partialFingerprints"] = json!({"ruleAndSlo/v1": harmless(whole.trim_end())});
    result
}

fn of_verdict(decision: &Decision) -> Value {
    let reasons = match decision.reasons.is_empty() {
        true => headline(decision),
        false => decision.reasons.join("; "),
    };
    result(decision, VERDICT, decision.verdict, &reasons, &decision.service)
}

fn result(decision: &Decision, rule: &str, verdict: Verdict, why: &str, place: &str) -> Value {
    json!({
        "ruleId": harmless(rule),
        "level": level(verdict, decision.allow),
        "message": {"text": harmless(why)},
        "locations": [{"logicalLocations": [{
            "fullyQualifiedName": harmless(place),
            "kind": "resource"
        }]}]
    })
}

fn level(verdict: Verdict, open: bool) -> &'static str {
    match verdict {
        Verdict::Allow => "none",
        Verdict::Unknown | Verdict::Deny if !open => "error",
        Verdict::Warn | Verdict::Unknown | Verdict::Deny => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{denied, evil, recorded};

    fn log(decision: &Decision) -> Value {
        serde_json::from_str(&sarif(decision)).unwrap()
    }

    #[test]
    fn what_speaks_is_a_result_with_its_level_and_place() {
        let log = log(&denied());
        let run = &log["runs"][0];
        assert_eq!(
            (&log["version"], &run["tool"]["driver"]["name"]),
            (&json!("2.1.0"), &json!("budget-gate"))
        );
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        let results = run["results"].as_array().unwrap();
        let short: Vec<_> = results
            .iter()
            .map(|r| {
                let place = &r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"];
                (
                    r["ruleId"].as_str().unwrap(),
                    r["level"].as_str().unwrap(),
                    place.as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [("budget", "error", "orders/availability"), ("budget", "warning", "orders/latency")]
        );
    }

    #[test]
    fn nothing_is_an_error_where_the_deploy_may_go() {
        let log = log(&recorded());
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        assert!(results.iter().all(|r| r["level"] == "warning"), "{log}");
        assert_eq!(
            results[0]["properties"]["evidence"],
            "https://headroom.example/slos/orders/availability?at=2026-11-21T10:00:00Z&environment=production"
        );
    }

    #[test]
    fn a_shut_gate_without_rules_is_one_error() {
        let mut decision = denied();
        decision.rules.clear();
        decision.reasons = vec!["no policy applies".to_owned()];
        let log = log(&decision);
        let result = &log["runs"][0]["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("verdict"), &json!("error")));
        assert_eq!(result["message"]["text"], "no policy applies");
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][0]["id"], "verdict");
    }

    #[test]
    fn no_text_acts_on_a_terminal() {
        let said = sarif(&evil("a\u{1b}[2J\n\"},##[error]{\u{202e}"));
        assert!(
            !said.chars().any(|c| c.is_control() && c != '\n') && !said.contains("##"),
            "{said}"
        );
        assert!(!said.contains('\u{202e}'));
        serde_json::from_str::<Value>(&said).unwrap();
    }
}
