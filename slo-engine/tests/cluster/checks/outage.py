"""What `failurePolicy` means while the engine is killed or says nothing."""
import json
import time

from checks.admission import NAMESPACE, OPTED_IN, REASON, change, settled, unchanged, webhook, workload
from processes import Failure, eventually

ELSEWHERE = {"kube-system": OPTED_IN, "headroom": OPTED_IN, "unlabelled": {}}
UNANSWERED = "failed calling webhook"


def prepare(stage):
    for namespace, labels in ELSEWHERE.items():
        stage.cluster.namespace(namespace, labels)
        stage.cluster.apply(workload("deployment", "calm", "1.0", namespace))
    stage.cluster.apply(workload("deployment", "calm", "1.2"))
    # A change that meets another one of the same object is asked about twice.
    settled(stage, "deployment", "calm")


def a_silent_engine_refuses_after_the_timeout_of_5_s(stage):
    with stage.programs.paused("slo-engine"):
        begun = time.monotonic()
        said = stage.cluster.refused(*change("deployment", "calm", "2.0"))
        took = time.monotonic() - begun
    if UNANSWERED not in said or not 4.5 < took < 9:
        raise Failure(f"after {took:.1f} s: {said}")
    return f"{took:.1f} s"


def a_killed_engine_refuses_in_a_namespace_that_opted_in(stage):
    stage.engine.kill()
    for command in (change("deployment", "calm", "2.1"), ["rollout", "restart", "deployment", "calm", "--namespace", NAMESPACE]):
        said = stage.cluster.refused(*command)
        if UNANSWERED not in said or "gate.headroom.example" not in said:
            raise Failure(f"it does not say who refuses: {said}")
    unchanged(stage, "deployment", "calm", "1.2")


def a_dead_engine_touches_no_other_namespace_and_neither_its_own_nor_kube_system(stage):
    for namespace in ELSEWHERE:
        stage.cluster.kubectl(*change("deployment", "calm", "2.1", namespace=namespace))


def scaling_and_lost_pods_go_on_without_the_engine(stage):
    stage.cluster.kubectl("scale", "deployment", "calm", "--replicas=3", "--namespace", NAMESPACE)
    everything = ["pods", "--namespace", NAMESPACE, "--selector", "app=calm-deployment"]
    eventually("a third pod runs", lambda: len(names(stage, everything)) == 3)
    lost = names(stage, everything)
    stage.cluster.kubectl("delete", *everything, "--wait=false")
    eventually("three others run", lambda: len(names(stage, everything) - lost) == 3)


def names(stage, chosen):
    found = json.loads(stage.cluster.kubectl("get", *chosen, "--output", "json"))["items"]
    return {pod["metadata"]["name"] for pod in found if pod["status"]["phase"] == "Running"}


def a_dead_engine_admits_everything_with_ignore(stage):
    stage.cluster.apply(webhook(stage, "Ignore"))
    eventually("it passes", lambda: stage.cluster.kubectl(*change("deployment", "spent", "2.1")))
    unchanged(stage, "deployment", "spent", "2.1")


def the_engine_decides_again_once_it_is_back(stage):
    stage.cluster.apply(webhook(stage))
    stage.engine.start()
    eventually("a new image is refused", lambda: REASON in stage.cluster.refused(*change("deployment", "spent", "2.2")))
    stage.cluster.kubectl(*change("deployment", "calm", "2.2"))
