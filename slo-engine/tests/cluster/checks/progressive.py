"""Flagger asks the gate by the ready-made Canary; without a service mesh it goes blue and green."""
import json

from checks.admission import image, workload
from processes import Failure, eventually, free_port

NAMESPACE = "progressive"
# Flagger looks no oftener than every 10 s.
WAIT = 90


def prepare(stage):
    stage.cluster.namespace(NAMESPACE)
    cluster = stage.cluster
    stage.programs.start(
        "flagger",
        [stage.binaries / "flagger", f"-kubeconfig={cluster.kubeconfig}", "-mesh-provider=kubernetes", f"-port={free_port()}",
         "-selector-labels=app", "-control-loop-interval=1s", f"-namespace={NAMESPACE}"],
        SSL_CERT_FILE=str(cluster.authority.certificate))  # fmt: skip
    begin(stage, "calm", "calm")
    begin(stage, "waiting", "spent")
    begin(stage, "unsure", "silent")
    begin(stage, "failing", "spent", "pre-rollout", slice(1))
    begin(stage, "burning", "spent", hooks=slice(1, None))
    for name in ("calm", "waiting", "unsure", "failing", "burning"):
        eventually(f"{name} is initialized", lambda name=name: phase(stage, name) == "Initialized", WAIT)
        stage.cluster.apply(deployment(name, "2.0"))


def deployment(name, version):
    item = workload("deployment", name, version, NAMESPACE)
    # Flagger needs selectors of one label.
    item["metadata"]["labels"] = {"app": name}
    item["spec"]["selector"]["matchLabels"] = item["spec"]["template"]["metadata"]["labels"] = {"app": name}
    return item


def begin(stage, name, service, first="confirm-rollout", hooks=slice(None)):
    """A Deployment and the piece for it, with some of its webhooks and another type of the first."""
    canary = stage.piece("flagger-canary.yaml", {"orders": name, "1.4.2": "2.0", "hr-secret": stage.engine.adapter})
    canary["metadata"]["namespace"] = NAMESPACE
    analysis = canary["spec"]["analysis"]
    for weight in ("maxWeight", "stepWeight"):
        del analysis[weight]
    analysis.update(interval="10s", iterations=1, threshold=1)
    analysis["webhooks"][0]["type"] = first
    analysis["webhooks"] = analysis["webhooks"][hooks]
    for hook in analysis["webhooks"]:
        hook["metadata"]["service"] = service
    stage.cluster.apply(deployment(name, "1.0"), canary)


def phase(stage, name):
    return stage.cluster.get("canary", name, NAMESPACE).get("status", {}).get("phase")


def reaches(stage, name, wanted):
    eventually(f"the canary {name} is {wanted}", lambda: phase(stage, name) == wanted, WAIT)


def primary(stage, name):
    """The version that has the traffic."""
    pod = stage.cluster.get("deployment", f"{name}-primary", NAMESPACE)["spec"]["template"]["spec"]
    return pod["containers"][0]["image"].removeprefix(image(name, ""))


def events(stage, name):
    found = json.loads(stage.cluster.kubectl("get", "events", "--namespace", NAMESPACE, "--output", "json"))["items"]
    return [event["message"] for event in found if event["involvedObject"]["name"] == name]


def a_canary_is_promoted_when_the_gate_allows(stage):
    reaches(stage, "calm", "Succeeded")
    # The piece's hook for a rollback was asked, and its refusal let the canary go on.
    if "Rollback hook headroom-watch not signaling a rollback" not in events(stage, "calm"):
        raise Failure(f"it was not asked whether to roll back: {events(stage, 'calm')}")
    if primary(stage, "calm") != "2.0":
        raise Failure(f"the primary is {primary(stage, 'calm')}; {events(stage, 'calm')}")
    if stage.engine.latest("calm", "2.0")["verdict"] != "allow":
        raise Failure(f"recorded: {stage.engine.latest('calm', '2.0')}")


def a_canary_waits_while_the_gate_denies(stage):
    waits(stage, "waiting", "spent", "deny")


def a_canary_waits_while_the_gate_does_not_know(stage):
    waits(stage, "unsure", "silent", "unknown")


def waits(stage, name, service, verdict):
    reaches(stage, name, "Waiting")
    found = (primary(stage, name), stage.engine.latest(service, "2.0")["verdict"])
    if found != ("1.0", verdict):
        raise Failure(f"primary and verdict are {found}; {events(stage, name)}")


def a_canary_is_rolled_back_while_the_budget_burns(stage):
    reaches(stage, "burning", "Failed")
    if primary(stage, "burning") != "1.0" or "Rollback check headroom-watch passed" not in events(stage, "burning"):
        raise Failure(f"it failed by itself: {events(stage, 'burning')}")


def a_pre_rollout_hook_shows_the_gates_reason_in_the_events(stage):
    reaches(stage, "failing", "Failed")
    reasons = [said for said in events(stage, "failing") if "budget is spent" in said]
    if not reasons:
        raise Failure(f"no reason in the events: {events(stage, 'failing')}")
