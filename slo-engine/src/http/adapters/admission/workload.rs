//! What a change of a workload says about a deploy: which images are new, and what the workload says of
//! itself in labels and annotations.

use serde_json::Value;

use crate::http::adapters::flagger::kind_of;
use crate::http::adapters::mapping::Whereabouts;
use crate::http::adapters::{Question, told};
use crate::http::problem::Problem;

/// Labels that name the service, the first that is there counts; else it is called as the workload.
const SERVICE: [&str; 2] = ["headroom/service", "app.kubernetes.io/name"];
/// The label that names the environment.
const ENVIRONMENT: &str = "headroom/environment";
/// The annotations of a claim.
const KIND: &str = "headroom/kind";
const REASON: &str = "headroom/reason";

/// Where pod specs are: of pods themselves, of cron jobs, of everything else that makes pods.
const PODS: [&str; 3] = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec", "/spec"];

/// A workload that is to run an image that it did not run before.
#[derive(Debug)]
pub(super) struct Change<'a> {
    object: &'a Value,
    old: Option<&'a Value>,
    /// Containers whose image is new, with it.
    new: Vec<Container<'a>>,
}

/// A container and its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Container<'a> {
    name: &'a str,
    image: &'a str,
    is_init: bool,
}

impl<'a> Change<'a> {
    /// What changes; `None` where no image does.
    ///
    /// # Errors
    /// When the object has no pods to look at: then nobody can say that nothing changes.
    pub(super) fn of(
        object: &'a Value,
        old: Option<&'a Value>,
        kind: &str,
    ) -> Result<Option<Self>, Problem> {
        let Some(after) = containers(object) else {
            // The pods of such a rollout are those of a deployment, which is asked about itself.
            if kind == "Rollout" && object.pointer("/spec/workloadRef/name").is_some() {
                return Ok(None);
            }
            let said = format!(
                "a {kind:.60} without containers cannot be judged; name workloads only in the rules \
                 of the ValidatingWebhookConfiguration"
            );
            return Err(Problem::bad("object", said));
        };
        let before = old.and_then(containers).unwrap_or_default();
        let is_new = |one: &Container<'_>| {
            !before.iter().any(|was| (was.name, was.image) == (one.name, one.image))
        };
        let new: Vec<_> = after.into_iter().filter(is_new).collect();
        Ok((!new.is_empty()).then_some(Self { object, old, new }))
    }

    /// What the gate is asked about it.
    ///
    /// # Errors
    /// When it claims a kind that there is not.
    pub(super) fn question(
        &self,
        name: Option<String>,
        namespace: Option<String>,
    ) -> Result<Question, Problem> {
        let label = |key: &str| said(self.object, "labels", key);
        let service = SERVICE.into_iter().find_map(label).or_else(|| self.name(name));
        let service = service.unwrap_or_default();
        let (version, digest) = build(self.image(&service));
        let is_claimed = self.claims();
        let claimed = |key| said(self.object, "annotations", key).filter(|_| is_claimed);
        Ok(Question {
            version: version.map(str::to_owned),
            digest: digest.map(str::to_owned),
            kind: claimed(KIND).map(|kind| kind_of(&kind)).transpose()?,
            reason: claimed(REASON),
            at: Whereabouts { named: label(ENVIRONMENT), namespace: told(namespace) },
            is_partial: !self.is_of_one_image(),
            service,
            ..Question::default()
        })
    }

    /// The name, or what it is to begin with.
    fn name(&self, name: Option<String>) -> Option<String> {
        let text = |at| self.object.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let generated =
            || text("/metadata/generateName").map(|n| n.trim_end_matches('-').to_owned());
        told(name).or_else(|| told(text("/metadata/name"))).or_else(|| told(generated()))
    }

    /// The image that stands for the deploy: that of the container called as the service, else of the
    /// first that is not there only to begin.
    fn image(&self, service: &str) -> &'a str {
        let of = |is: &dyn Fn(&Container<'_>) -> bool| self.new.iter().find(|one| is(one));
        let found = of(&|one| one.name == service).or_else(|| of(&|one| !one.is_init));
        found.or_else(|| self.new.first()).map_or("", |one| one.image)
    }

    /// Whether one container changes to another build of the image that it had: then alone its tag says
    /// what is deployed.
    fn is_of_one_image(&self) -> bool {
        let [one] = self.new[..] else { return false };
        let before = self.old.and_then(containers).unwrap_or_default();
        let before = before.iter().find(|was| was.name == one.name);
        before.is_some_and(|was| repository(was.image) == repository(one.image))
    }

    /// Whether the annotations that claim a kind are of this change. Left over from an earlier one they
    /// would make a hotfix of every release to come.
    fn claims(&self) -> bool {
        let Some(old) = self.old else { return true };
        [KIND, REASON]
            .iter()
            .any(|key| said(self.object, "annotations", key) != said(old, "annotations", key))
    }
}

/// A label or an annotation.
fn said(object: &Value, among: &str, key: &str) -> Option<String> {
    told(object.get("metadata")?.get(among)?.get(key)?.as_str().map(str::to_owned))
}

/// All containers; `None` where there is no pod spec.
fn containers(object: &Value) -> Option<Vec<Container<'_>>> {
    let specs = PODS.iter().filter_map(|at| object.pointer(at));
    let spec = specs.into_iter().find(|spec| has_containers(spec))?;
    let of = |list: &str, is_init: bool| {
        let all = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        all.map(move |one| {
            let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
            Container { name: text("name"), image: text("image"), is_init }
        })
    };
    Some(of("containers", false).chain(of("initContainers", true)).collect())
}

/// An image without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rfind('/').map_or(0, |at| at + 1);
    name[last..].find(':').map_or(name, |at| &name[..last + at])
}

/// Every pod has one at least.
fn has_containers(spec: &Value) -> bool {
    spec.get("containers").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
}

/// Tag and digest of an image. Without either it is the newest there is.
fn build(image: &str) -> (Option<&str>, Option<&str>) {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    // A registry may have a port; a tag has no slash.
    let last = name.rsplit('/').next().unwrap_or(name);
    match (last.split_once(':'), digest) {
        (Some((_, tag)), digest) => (Some(tag), digest),
        (None, Some(digest)) => (None, Some(digest)),
        (None, None) => (Some("latest"), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_has_a_tag_a_digest_both_or_is_the_latest() {
        for (image, version, digest) in [
            ("orders", Some("latest"), None),
            ("orders:1.4.2", Some("1.4.2"), None),
            ("registry:5000/shop/orders", Some("latest"), None),
            ("registry:5000/shop/orders:1.4.2", Some("1.4.2"), None),
            ("ghcr.io/shop/orders@sha256:ab", None, Some("sha256:ab")),
            ("registry:5000/orders:1.4.2@sha256:ab", Some("1.4.2"), Some("sha256:ab")),
        ] {
            assert_eq!(build(image), (version, digest), "{image}");
        }
    }

    fn deployment(images: &Value, annotations: &Value) -> Value {
        json!({"metadata": {"name": "orders", "annotations": annotations},
            "spec": {"replicas": 3, "template": {"spec": {"containers": images}}}})
    }

    fn one(image: &str) -> Value {
        json!([{"name": "app", "image": image}])
    }

    #[test]
    fn only_another_image_is_a_change() {
        let none = json!({});
        let old = deployment(&one("orders:1"), &none);
        let change = |new: &Value| Change::of(new, Some(&old), "Deployment").unwrap().is_some();
        assert!(!change(&old));
        let mut restarted = old.clone();
        restarted["spec"]["template"]["metadata"] = json!({"annotations": {"restartedAt": "now"}});
        restarted["spec"]["replicas"] = json!(9);
        assert!(!change(&restarted));
        assert!(change(&deployment(&one("orders:2"), &none)));
        let mut with_init = old.clone();
        with_init["spec"]["template"]["spec"]["initContainers"] = one("migrate:2");
        assert!(change(&with_init));
        let mut pod = json!({"spec": {"containers": one("orders:1")}});
        assert!(Change::of(&pod, Some(&pod.clone()), "Pod").unwrap().is_none());
        pod["spec"]["containers"] = json!([]);
        assert!(Change::of(&pod, None, "Pod").is_err());
    }

    #[test]
    fn what_has_no_containers_cannot_be_judged_save_a_rollout_of_a_deployment() {
        let map = json!({"data": {"a": "b"}});
        let said = Change::of(&map, None, "ConfigMap").unwrap_err();
        assert!(said.detail().contains("a ConfigMap without containers"), "{}", said.detail());
        let rollout = json!({"spec": {"workloadRef": {"kind": "Deployment", "name": "orders"}}});
        assert!(Change::of(&rollout, None, "Rollout").unwrap().is_none());
        assert!(Change::of(&rollout, None, "Deployment").is_err());
    }

    #[test]
    fn the_container_called_as_the_service_stands_for_the_deploy_else_the_first() {
        let images =
            json!([{"name": "proxy", "image": "envoy:9"}, {"name": "orders", "image": "orders:2"}]);
        let object = deployment(&images, &json!({}));
        let change = Change::of(&object, None, "Deployment").unwrap().unwrap();
        let question = change.question(None, Some("shop".to_owned())).unwrap();
        assert_eq!((question.service.as_str(), question.version.as_deref()), ("orders", Some("2")));
        assert_eq!(question.at.namespace.as_deref(), Some("shop"));
        let mut labelled = object.clone();
        labelled["metadata"]["labels"] = json!({"app.kubernetes.io/name": "cart",
            "headroom/service": "checkout", "headroom/environment": "production"});
        let change = Change::of(&labelled, None, "Deployment").unwrap().unwrap();
        let question = change.question(None, None).unwrap();
        assert_eq!(
            (question.service.as_str(), question.version.as_deref()),
            ("checkout", Some("9"))
        );
        assert_eq!(question.at.named.as_deref(), Some("production"));
    }

    #[test]
    fn only_another_build_of_one_image_may_be_a_rollback() {
        let two = |app: &str, side: &str| {
            let images = json!([{"name": "app", "image": app}, {"name": "side", "image": side}]);
            deployment(&images, &json!({}))
        };
        let old = two("shop:5000/orders:2", "proxy:1");
        let is_partial = |new: &Value, old: Option<&Value>| {
            let change = Change::of(new, old, "Deployment").unwrap().unwrap();
            change.question(None, None).unwrap().is_partial
        };
        assert!(!is_partial(&two("shop:5000/orders:1", "proxy:1"), Some(&old)));
        assert!(!is_partial(&two("shop:5000/orders:1@sha256:ab", "proxy:1"), Some(&old)));
        assert!(is_partial(&two("evil/orders:1", "proxy:1"), Some(&old)));
        assert!(is_partial(&two("shop:5000/orders:1", "proxy:9"), Some(&old)));
        assert!(is_partial(&two("shop:5000/orders:1", "proxy:1"), None));
    }

    #[test]
    fn a_claim_counts_in_the_change_that_makes_it_and_is_left_over_in_the_next() {
        let claim = json!({"headroom/kind": "hotfix", "headroom/reason": "the leak"});
        let first = deployment(&one("orders:1"), &json!({}));
        let second = deployment(&one("orders:2"), &claim);
        let third = deployment(&one("orders:3"), &claim);
        let kind = |new: &Value, old: &Value| {
            let change = Change::of(new, Some(old), "Deployment").unwrap().unwrap();
            change.question(None, None).unwrap().kind.map(budget_gate::Kind::as_str)
        };
        assert_eq!(kind(&second, &first), Some("hotfix"));
        assert_eq!(kind(&third, &second), None);
        let wrong = deployment(&one("orders:2"), &json!({"headroom/kind": "big"}));
        let change = Change::of(&wrong, Some(&first), "Deployment").unwrap().unwrap();
        assert!(change.question(None, None).unwrap_err().detail().contains("release, rollback"));
    }
}
