//! How what a caller knows becomes a service and an environment: the section `adapters` of the
//! configuration, and the rule for what it does not name.

use budget_gate::policy::scalar::Word;
use budget_gate::select::matches;
use serde::{Deserialize, Serialize};

use super::alertmanager::Alertmanager;
use super::github::GitHub;
use super::gitlab::GitLab;
use super::terraform::Terraform;
use crate::declared::Declared;
use crate::http::problem::Problem;

/// The section `adapters`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Adapters {
    /// Flagger, Argo Rollouts and admission: canaries, workloads and namespaces.
    pub kubernetes: Mapping,
    /// Alerts that become incidents.
    pub alertmanager: Alertmanager,
    /// Deployment protection rules.
    pub github: GitHub,
    /// External status checks, and approvals of deployments.
    pub gitlab: GitLab,
    /// Run tasks.
    pub terraform: Terraform,
}

impl Adapters {
    /// Whether there is an adapter that answers by a call of its own.
    pub(super) fn call_back(&self) -> bool {
        self.github.webhook_secret.is_some()
            || self.gitlab.secret.is_some()
            || !self.gitlab.projects.is_empty()
            || self.terraform.hmac_key.is_some()
    }
}

/// What the caller's names mean here; the first rule that matches counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mapping {
    /// What canaries, workloads and labels call a service; others are called as they are here.
    pub services: Vec<Renamed>,
    /// What namespaces and labels call an environment.
    pub environments: Vec<Renamed>,
}

/// One name for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Renamed {
    /// What the caller says, in which `*` stands for any letters.
    pub from: String,
    /// What it is called here.
    pub to: Word,
}

/// Where a caller is: what it says outright, else what it can be guessed from.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Whereabouts {
    /// The environment that the caller names.
    pub(in crate::http) named: Option<String>,
    /// The namespace that it is in.
    pub(in crate::http) namespace: Option<String>,
}

impl Mapping {
    /// The service that a caller means.
    pub(in crate::http) fn service(&self, said: String) -> String {
        renamed(&self.services, said)
    }

    /// The environment that a caller means; `None` where only the service can tell.
    ///
    /// A namespace that no rule names is an environment where one is called so. Any other says
    /// nothing, because most clusters name namespaces after teams and products.
    pub(in crate::http) fn environment(
        &self,
        at: Whereabouts,
        declared: &Declared,
    ) -> Option<String> {
        if let Some(named) = at.named {
            return Some(renamed(&self.environments, named));
        }
        let namespace = at.namespace?;
        let ruled = ruled(&self.environments, &namespace);
        ruled.or_else(|| declared.has_environment(&namespace).then_some(namespace))
    }
}

impl Mapping {
    /// # Errors
    /// When a workload names another environment than its namespace is: whoever may change a label would
    /// choose whose budget counts.
    pub(super) fn agrees(&self, at: &Whereabouts, declared: &Declared) -> Result<(), Problem> {
        let named = Whereabouts { namespace: None, ..at.clone() };
        let inside = Whereabouts { named: None, ..at.clone() };
        match (self.environment(named, declared), self.environment(inside, declared)) {
            (Some(named), Some(inside)) if named != inside => {
                let said = format!("the label says {named}, and the namespace is {inside}");
                Err(Problem::bad("environment", said))
            }
            _ => Ok(()),
        }
    }
}

/// What something is called here.
pub(super) fn renamed(rules: &[Renamed], said: String) -> String {
    ruled(rules, &said).unwrap_or(said)
}

fn ruled(rules: &[Renamed], said: &str) -> Option<String> {
    let rule = rules.iter().find(|rule| matches(&rule.from, said))?;
    Some(rule.to.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::world::snapshot;

    fn mapping() -> Mapping {
        serde_json::from_value(serde_json::json!({
            "services": [{"from": "shop-orders", "to": "orders"}],
            "environments": [{"from": "*-staging", "to": "staging"}, {"from": "*", "to": "production"}],
        }))
        .unwrap()
    }

    fn at(named: Option<&str>, namespace: Option<&str>) -> Whereabouts {
        Whereabouts { named: named.map(str::to_owned), namespace: namespace.map(str::to_owned) }
    }

    #[test]
    fn the_first_rule_that_matches_renames_and_what_none_matches_keeps_its_name() {
        let mapping = mapping();
        assert_eq!(mapping.service("shop-orders".to_owned()), "orders");
        assert_eq!(mapping.service("payment".to_owned()), "payment");
        let declared = &snapshot().declared;
        let environment = |named, namespace| mapping.environment(at(named, namespace), declared);
        assert_eq!(environment(None, Some("shop-staging")).as_deref(), Some("staging"));
        assert_eq!(environment(None, Some("shop")).as_deref(), Some("production"));
        assert_eq!(environment(Some("eu-staging"), Some("shop")).as_deref(), Some("staging"));
    }

    #[test]
    fn without_rules_a_namespace_is_an_environment_only_where_one_is_called_so() {
        let (mapping, declared) = (Mapping::default(), &snapshot().declared);
        let environment = |named, namespace| mapping.environment(at(named, namespace), declared);
        assert_eq!(environment(None, Some("staging")).as_deref(), Some("staging"));
        assert_eq!(environment(None, Some("shop")), None);
        assert_eq!(environment(Some("qa"), Some("staging")).as_deref(), Some("qa"));
        assert_eq!(environment(None, None), None);
    }

    #[test]
    fn a_rule_that_leads_to_no_name_is_refused() {
        let wrong = serde_json::json!({"services": [{"from": "a", "to": "No Name"}]});
        assert!(serde_json::from_value::<Mapping>(wrong).is_err());
    }
}
