//! What the adapters would make of their callers' names.

use std::collections::BTreeMap;

use super::Check;
use crate::cli::declare;
use crate::config::Config;
use crate::declared::{self, Declared};
use crate::http::{Adapters, Renamed};
use crate::source::config::Secret;

/// One check for each adapter; files with errors are told of elsewhere.
pub(super) fn checks(config: &Config) -> Vec<Check> {
    let scrape = config.sources.first().map(|source| source.scrape_interval);
    let declared = declared::read(&declare::paths(&[], config), scrape).unwrap_or_default();
    let adapters = &config.adapters;
    let mut checks = vec![kubernetes(adapters, &declared), alertmanager(adapters, &declared)];
    checks.extend(callers(adapters, &declared));
    checks
}

/// One that signs what it sends, and is told by a call.
struct Signing<'a> {
    name: &'static str,
    noun: &'static str,
    secrets: Vec<(&'static str, Option<&'a Secret>)>,
    url: &'a str,
    services: &'a [Renamed],
    environments: &'a [Renamed],
}

impl Signing<'_> {
    fn check(&self, declared: &Declared) -> Check {
        let check = format!("adapters.{}", self.name);
        if self.secrets.iter().all(|(_, secret)| secret.is_none()) {
            return Check::ok(&check, "off: no secret is configured");
        }
        for (key, secret) in &self.secrets {
            let read = secret.map_or_else(|| Err("it is not set".to_owned()), Secret::reveal);
            if let Err(why) = read {
                let said = format!("{check}.{key}: {why}");
                return Check::fail(&check, said, "set it: {file: PATH} or {env: NAME}");
            }
        }
        let (noun, url) = (self.noun, self.url);
        let mut said = vec![format!("{noun} is called as its service; verdicts are told to {url}")];
        said.extend(rules(self.services));
        said.extend(rules(self.environments).map(|rule| format!("environment {rule}")));
        checked(&check, said.join("; "), &lost(self.services, self.environments, declared))
    }
}

fn callers(adapters: &Adapters, declared: &Declared) -> Vec<Check> {
    let Adapters { github, gitlab, terraform, .. } = adapters;
    let secrets = vec![
        ("webhookSecret", github.webhook_secret.as_ref()),
        ("privateKey", github.private_key.as_ref()),
    ];
    let (services, environments) = (&github.services, &github.environments);
    let (name, noun, url) = ("github", "a repository", &github.url);
    let github = Signing { name, noun, secrets, url, services, environments };
    let secrets = vec![("secret", gitlab.secret.as_ref()), ("token", gitlab.token.as_ref())];
    let (services, environments) = (&gitlab.services, &gitlab.environments);
    let (name, noun, url) = ("gitlab", "a project", &gitlab.url);
    let gitlab = Signing { name, noun, secrets, url, services, environments };
    let secrets = vec![("hmacKey", terraform.hmac_key.as_ref())];
    let (services, environments) = (&terraform.services, &terraform.environments);
    let (name, noun, url) = ("terraform", "a workspace", &terraform.url);
    let terraform = Signing { name, noun, secrets, url, services, environments };
    [github, gitlab, terraform].iter().map(|caller| caller.check(declared)).collect()
}

fn kubernetes(adapters: &Adapters, declared: &Declared) -> Check {
    let of = &adapters.kubernetes;
    let mut said =
        vec!["a canary or workload is the service that it names or is called as".to_owned()];
    said.extend(rules(&of.services));
    said.extend(rules(&of.environments).map(|rule| format!("namespace {rule}")));
    let environments: Vec<&str> = environments(declared).into_keys().collect();
    said.push(match environments[..] {
        [] => "a namespace is the environment that is called so".to_owned(),
        _ => format!("other namespaces: {} are environments", environments.join(", ")),
    });
    said.push("elsewhere a service's only environment counts".to_owned());
    let lost = lost(&of.services, &of.environments, declared);
    checked("adapters.kubernetes", said.join("; "), &lost)
}

fn alertmanager(adapters: &Adapters, declared: &Declared) -> Check {
    let of = &adapters.alertmanager;
    let (service, environment) =
        (of.service_labels.join(" or "), of.environment_labels.join(" or "));
    let weight = |(label, weight)| format!("{label} is {weight:?}").to_lowercase();
    let mut said = vec![format!("an alert is an incident of the service in its label {service}")];
    said.extend(rules(&of.services));
    said.push(format!("in the environment of {environment}, else in all"));
    said.extend(rules(&of.environments));
    let severities: Vec<String> = of.severities.iter().map(weight).collect();
    let label = &of.severity_label;
    said.push(format!("by the label {label} {}, else major", severities.join(", ")));
    checked(
        "adapters.alertmanager",
        said.join("; "),
        &lost(&of.services, &of.environments, declared),
    )
}

fn rules(rules: &[Renamed]) -> impl Iterator<Item = String> {
    rules.iter().map(|rule| format!("{} is {}", rule.from, rule.to.as_str()))
}

fn environments(declared: &Declared) -> BTreeMap<&str, ()> {
    declared.services.iter().map(|service| (service.environment.as_str(), ())).collect()
}

/// Rules that lead to nothing that the files declare.
fn lost(services: &[Renamed], environments: &[Renamed], declared: &Declared) -> Vec<String> {
    let unknown_services =
        services.iter().filter(|rule| declared.named(rule.to.as_str()).is_empty());
    let unknown = environments.iter().filter(|rule| !declared.has_environment(rule.to.as_str()));
    unknown_services.chain(unknown).map(|rule| rule.to.as_str().to_owned()).collect()
}

fn checked(check: &str, message: String, lost: &[String]) -> Check {
    if lost.is_empty() {
        return Check::ok(check, message);
    }
    let message = format!("{message}; no file declares {}", lost.join(", "));
    Check::warn(check, message, "correct the rule's `to`, or declare what it names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Status;

    #[test]
    fn each_adapter_says_what_it_would_do_and_a_rule_that_leads_nowhere_is_a_warning() {
        let mut adapters = Adapters::default();
        let declared = Declared::default();
        let check = kubernetes(&adapters, &declared);
        assert_eq!(check.status, Status::Ok);
        let rule = serde_json::json!([{"from": "shop-*", "to": "production"}]);
        adapters.kubernetes.environments = serde_json::from_value(rule).unwrap();
        let check = kubernetes(&adapters, &declared);
        assert!(check.message.contains("namespace shop-* is production"), "{}", check.message);
        assert!(check.message.ends_with("no file declares production"), "{}", check.message);
        assert_eq!(check.status, Status::Warn);
        let states =
            |adapters: &Adapters| callers(adapters, &declared).into_iter().map(|c| c.status);
        assert!(states(&adapters).all(|status| status == Status::Ok));
        adapters.github.webhook_secret = Some(Secret::Text("x".to_owned()));
        let said: Vec<Status> = states(&adapters).collect();
        assert_eq!(said, [Status::Fail, Status::Ok, Status::Ok], "the private key is missing");
        let check = alertmanager(&adapters, &declared);
        assert!(
            check.message.contains("critical is critical, info is ignore"),
            "{}",
            check.message
        );
    }
}
