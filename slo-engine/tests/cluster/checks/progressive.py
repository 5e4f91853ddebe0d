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
    for service in ("calm", "silent", "spent"):
        begin(stage, service)
    # The same question, of a canary that only waits, and of one that fails.
    begin(stage, "waiting", service="spent", kept=1)
    begin(stage, "failing", service="spent", kept=1, kind="pre-rollout")
    for name in ("calm", "silent", "spent", "waiting", "failing"):
        eventually(f"{name} is initialized", lambda name=name: phase(stage, name) == "Initialized", WAIT)
        item = deployment(name, "2.0")
        stage.cluster.apply(item)


def deployment(name, version):
    item = workload("deployment", name, version, NAMESPACE)
    # Flagger needs selectors of one label.
    item["metadata"]["labels"] = {"app": name}
    item["spec"]["selector"]["matchLabels"] = item["spec"]["template"]["metadata"]["labels"] = {"app": name}
    return item


def begin(stage, name, service=None, kept=2, kind="confirm-rollout"):
    """A Deployment and the piece for it, with as many of its webhooks."""
    canary = stage.piece("flagger-canary.yaml", {"orders": name, "1.4.2": "2.0", "hr-secret": stage.engine.adapter})
    canary["metadata"]["namespace"] = NAMESPACE
    analysis = canary["spec"]["analysis"]
    for weight in ("maxWeight", "stepWeight"):
        del analysis[weight]
    analysis.update(interval="10s", iterations=1, threshold=1)
    analysis["webhooks"] = analysis["webhooks"][:kept]
    analysis["webhooks"][0]["type"] = kind
    for hook in analysis["webhooks"]:
        hook["metadata"]["service"] = service or name
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
    if primary(stage, "calm") != "2.0":
        raise Failure(f"the primary is {primary(stage, 'calm')}; {events(stage, 'calm')}")
    if stage.engine.latest("calm", "2.0")["verdict"] != "allow":
        raise Failure(f"recorded: {stage.engine.latest('calm', '2.0')}")


def a_canary_waits_while_the_gate_denies(stage):
    reaches(stage, "waiting", "Waiting")
    if primary(stage, "waiting") != "1.0" or stage.engine.latest("spent", "2.0")["verdict"] != "deny":
        raise Failure(f"the primary is {primary(stage, 'waiting')}; {events(stage, 'waiting')}")


def a_canary_waits_while_the_gate_does_not_know_and_is_not_rolled_back(stage):
    reaches(stage, "silent", "Waiting")
    eventually("the hook for a rollback was asked", lambda: any("headroom-watch not signaling" in said for said in events(stage, "silent")))
    if (phase(stage, "silent"), primary(stage, "silent")) != ("Waiting", "1.0"):
        raise Failure(f"it is {phase(stage, 'silent')}; {events(stage, 'silent')}")


def a_canary_is_rolled_back_while_the_budget_burns(stage):
    reaches(stage, "spent", "Failed")
    if not any("headroom-watch passed" in said for said in events(stage, "spent")):
        raise Failure(f"it failed by itself: {events(stage, 'spent')}")


def a_pre_rollout_hook_shows_the_gates_reason_in_the_events(stage):
    reaches(stage, "failing", "Failed")
    reasons = [said for said in events(stage, "failing") if "budget is spent" in said]
    if not reasons:
        raise Failure(f"no reason in the events: {events(stage, 'failing')}")
    return reasons[0]
