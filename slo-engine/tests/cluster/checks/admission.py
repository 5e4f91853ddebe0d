"""The API server asks the gate by the ready-made ValidatingWebhookConfiguration."""
import json
import time

from processes import Failure, eventually

NAMESPACE = "guarded"
OPTED_IN = {"headroom/gate": "enabled"}
REASON = "budget is spent"
KINDS = ("deployment", "statefulset", "daemonset", "rollout")
IMAGE_PATH = "/spec/template/spec/containers/0/image"


def workload(kind, service, version, namespace=NAMESPACE):
    """An object of a kind in KINDS, of two pods where the kind counts them."""
    labels = {"app": f"{service}-{kind}", "app.kubernetes.io/name": service}
    named = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "rollout": "Rollout"}
    item = {
        "apiVersion": "argoproj.io/v1alpha1" if kind == "rollout" else "apps/v1",
        "kind": named[kind],
        "metadata": {"name": service, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image(service, version)}]}},
        },
    }
    if kind != "daemonset":
        item["spec"]["replicas"] = 2
    if kind == "statefulset":
        item["spec"]["serviceName"] = service
    if kind == "rollout":
        item["spec"]["strategy"] = {"canary": {}}
    return item


def image(service, version):
    return f"registry.example/team/{service}:{version}"


def change(kind, service, version, *options, namespace=NAMESPACE):
    """The words of a kubectl that gives the object another image."""
    patch = [{"op": "replace", "path": IMAGE_PATH, "value": image(service, version)}]
    return ["patch", kind, service, "--namespace", namespace, "--type", "json", "--patch", json.dumps(patch), *options]


def webhook(stage, policy="Fail", secret=True):
    """The piece as it is shipped, but for where the engine listens; without a secret the API server sends its own token."""
    [hook] = (item := stage.piece("validating-webhook.yaml"))["webhooks"]
    client = hook["clientConfig"]
    path = client.pop("service")["path"]
    path = path.replace("hr-secret", stage.engine.adapter) if secret else path.removesuffix("/t/hr-secret")
    client.update(url=stage.engine.url + path, caBundle=stage.cluster.bundle())
    hook["failurePolicy"] = policy
    return item


def settled(stage, kind, service):
    """All pods of the object run its newest template."""
    stage.cluster.kubectl("rollout", "status", kind, service, "--namespace", NAMESPACE, "--timeout=60s")


def prepare(stage):
    stage.cluster.namespace(NAMESPACE, OPTED_IN)
    for kind in KINDS:
        for version in ("1.0", "1.1"):
            stage.cluster.apply(workload(kind, "spent", version))
    for service in ("calm", "silent"):
        stage.cluster.apply(workload("deployment", service, "1.1"))
    for service in ("calm", "spent", "silent"):
        settled(stage, "deployment", service)
    stage.engine.ran("spent", "1.0", "1.1")
    in_force(stage, webhook(stage))


def in_force(stage, item):
    """Applies the webhook and waits until the API server asks it."""
    stage.cluster.apply(item)
    # What an API server holds of its webhooks is a second old at most.
    time.sleep(1.5)
    probe = change("deployment", "spent", "0.0", "--dry-run=server")
    eventually("the webhook is in force", lambda: REASON in stage.cluster.refused(*probe))


def unchanged(stage, kind, service, expected="1.1"):
    spec = stage.cluster.get(kind, service, NAMESPACE)["spec"]["template"]["spec"]
    if spec["containers"][0]["image"] != image(service, expected):
        raise Failure(f"{kind} {service} is now {spec['containers'][0]['image']}")


def a_new_image_is_refused_with_the_gates_reason_while_the_budget_is_gone(stage):
    for kind in KINDS:
        said = stage.cluster.refused(*change(kind, "spent", f"1.2-{kind}"))
        if REASON not in said:
            raise Failure(f"the refusal of a {kind} gives no reason: {said}")
        unchanged(stage, kind, "spent")
        decision = stage.engine.latest("spent", f"1.2-{kind}")
        if decision["verdict"] != "deny":
            raise Failure(f"recorded: {decision}")
    return said.splitlines()[0]


def a_new_object_is_refused_while_the_budget_is_gone(stage):
    file = stage.folder / "new.json"
    item = workload("deployment", "spent", "1.3")
    item["metadata"]["name"] = "another"
    file.write_text(json.dumps(item))
    said = stage.cluster.refused("create", "--filename", file)
    if REASON not in said:
        raise Failure(f"the refusal gives no reason: {said}")


def a_new_image_is_refused_while_nothing_is_known(stage):
    said = stage.cluster.refused(*change("deployment", "silent", "1.2"))
    verdict = stage.engine.latest("silent", "1.2")["verdict"]
    if "gate.headroom.example" not in said or verdict != "unknown":
        raise Failure(f"{verdict} is recorded, and kubectl says: {said}")
    unchanged(stage, "deployment", "silent")


def a_new_image_passes_while_the_budget_lasts_and_the_audit_log_names_the_decision(stage):
    stage.cluster.kubectl(*change("deployment", "calm", "1.2"))
    settled(stage, "deployment", "calm")
    decision = stage.engine.latest("calm", "1.2")
    named = {"gate.headroom.example/decision": decision["id"], "gate.headroom.example/verdict": "allow"}
    if not any(named.items() <= annotations.items() for annotations in stage.cluster.audited()):
        raise Failure(f"{named} is not in the audit log")


def the_digest_of_an_image_is_recorded(stage):
    digest = "sha256:" + "ab" * 32
    stage.cluster.kubectl(*change("deployment", "calm", f"1.3@{digest}"))
    found = stage.engine.latest("calm", "1.3")
    if found["digest"] != digest:
        raise Failure(f"recorded: {found}")


def without_asking(stage, *commands):
    """The commands pass, and no decision is recorded."""
    before = len(stage.engine.decisions("spent"))
    for command in commands:
        stage.cluster.kubectl(*command, "--namespace", NAMESPACE)
    asked = stage.engine.decisions("spent")[: len(stage.engine.decisions("spent")) - before]
    if asked:
        raise Failure(f"it was asked: {asked}")


def a_restart_passes_while_the_budget_is_gone(stage):
    kinds = [kind for kind in KINDS if kind != "rollout"]
    without_asking(stage, *(["rollout", "restart", kind, "spent"] for kind in kinds))
    settled(stage, "deployment", "spent")
    now = json.dumps({"spec": {"restartAt": "2026-01-01T00:00:00Z"}})
    without_asking(stage, ["patch", "rollout", "spent", "--type", "merge", "--patch", now])


def scaling_passes_while_the_budget_is_gone(stage):
    replicas = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    without_asking(
        stage,
        ["scale", "deployment", "spent", "--replicas=3"],
        ["scale", "statefulset", "spent", "--replicas=3"],
        ["patch", "rollout", "spent", "--type", "json", "--patch", json.dumps(replicas)],
        ["patch", "deployment", "spent", "--type", "json", "--patch", json.dumps(replicas)],
    )
    settled(stage, "deployment", "spent")


def metadata_pass_while_the_budget_is_gone(stage):
    changes = [[verb, kind, "spent", "note=seen"] for verb in ("label", "annotate") for kind in KINDS]
    without_asking(stage, *changes)


def a_dry_run_is_answered_and_recorded_nowhere(stage):
    before = [len(stage.engine.decisions(service)) for service in ("calm", "spent")]
    said = stage.cluster.refused(*change("deployment", "spent", "1.4", "--dry-run=server"))
    stage.cluster.kubectl(*change("deployment", "calm", "1.4", "--dry-run=server"))
    after = [len(stage.engine.decisions(service)) for service in ("calm", "spent")]
    if REASON not in said or after != before:
        raise Failure(f"{before} decisions became {after}; kubectl says: {said}")


def a_rollback_to_an_image_that_ran_passes_while_the_budget_is_gone(stage):
    stage.cluster.kubectl(*change("statefulset", "spent", "1.0"))
    decision = stage.engine.latest("spent", "1.0")
    if (decision["allow"], decision["kind"]) != (True, "rollback"):
        raise Failure(f"recorded: {decision}")
    for kind in ("daemonset", "rollout"):
        stage.cluster.kubectl(*change(kind, "spent", "1.0"))


def kubectl_rollout_undo_passes_while_the_budget_is_gone(stage):
    # The restart above was a revision of its own: the first one ran the first image.
    stage.cluster.kubectl("rollout", "undo", "deployment", "spent", "--namespace", NAMESPACE, "--to-revision=1")
    settled(stage, "deployment", "spent")
    unchanged(stage, "deployment", "spent", "1.0")


def the_api_servers_own_token_asks_without_a_secret_in_the_address(stage):
    in_force(stage, webhook(stage, secret=False))
    said = stage.cluster.refused(*change("deployment", "spent", "1.5"))
    decision = stage.engine.latest("spent", "1.5")
    in_force(stage, webhook(stage))
    if REASON not in said or decision["principal"] != "token:api-server":
        raise Failure(f"{decision['principal']} asked, and kubectl says: {said}")
