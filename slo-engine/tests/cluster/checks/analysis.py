"""Argo Rollouts asks the gate by the ready-made template, from the ready-made Rollout."""
import json

from processes import Failure, eventually

NAMESPACE = "production"


def prepare(stage):
    stage.cluster.namespace(NAMESPACE)
    secret = {"token": stage.engine.token("rollouts", "decide"), "secret": stage.engine.adapter}
    stage.cluster.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "headroom", "namespace": NAMESPACE}, "stringData": secret},
        stage.piece("argo-rollouts-analysis-template.yaml"),
        by_secret(stage.piece("argo-rollouts-analysis-template.yaml")),
    )
    for service in ("calm", "spent", "silent"):
        deploy(stage, service, "1.0")
    for service in ("calm", "spent", "silent"):
        eventually(f"the first version of {service} runs", lambda name=service: phase(stage, name) == "Healthy")


def by_secret(template):
    """The template with the secret in the address and no header."""
    template["metadata"]["name"] = "by-secret"
    template["spec"]["args"][-1]["valueFrom"]["secretKeyRef"]["key"] = "secret"
    web = template["spec"]["metrics"][0]["provider"]["web"]
    del web["headers"]
    web["url"] += "/t/{{args.token}}"
    return template


def deploy(stage, service, version, template="headroom-gate"):
    rollout = stage.piece("argo-rollouts-rollout.yaml", {"orders": service, "1.4.2": version, "5m": "1s"})
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        for named in step.get("analysis", {}).get("templates", []):
            named["templateName"] = template
    stage.cluster.apply(rollout)


def status(stage, service):
    return stage.cluster.get("rollout", service, NAMESPACE)["status"]


def phase(stage, service):
    rollout = stage.cluster.get("rollout", service, NAMESPACE)
    seen = rollout["status"].get("observedGeneration") == str(rollout["metadata"]["generation"])
    return rollout["status"].get("phase") if seen else None


def runs(stage, service):
    """The analyses of a Rollout's newest revision, each with its phase and the gate's answer."""
    rollout = stage.cluster.get("rollout", service, NAMESPACE)
    label = f"rollouts-pod-template-hash={rollout['status']['currentPodHash']}"
    found = json.loads(stage.cluster.kubectl("get", "analysisruns", "--namespace", NAMESPACE, "--selector", label,
                                             "--output", "json"))["items"]  # fmt: skip
    results = [run["status"]["metricResults"][0] for run in found if run["status"].get("metricResults")]
    return [(result["phase"], json.loads(result["measurements"][-1]["value"])) for result in results]


def first_run(stage, service):
    """The one analysis that a revision which does not go on has had."""
    found = runs(stage, service)
    if len(found) != 1:
        raise Failure(f"the analyses of {service}: {found}")
    return found[0]


def running(stage, service):
    """How many pods run each version."""
    pods = json.loads(stage.cluster.kubectl("get", "pods", "--namespace", NAMESPACE, "--selector",
                                            f"app.kubernetes.io/name={service}", "--output", "json"))["items"]  # fmt: skip
    images = [pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {image.rpartition(":")[2]: images.count(image) for image in images}


def went(stage, service, version):
    """Waits until the Rollout is whole at this version; its analyses."""
    eventually(f"{service} {version} alone runs", lambda: running(stage, service) == {version: 3})
    eventually(f"{service} {version} is Healthy", lambda: phase(stage, service) == "Healthy")
    found = runs(stage, service)
    if [result for result, _ in found] != ["Successful"] * 2:
        raise Failure(f"the analyses of {service} {version}: {found}")
    return [answer for _, answer in found]


def a_rollout_goes_healthy_when_the_gate_allows(stage):
    deploy(stage, "calm", "1.1")
    answers = went(stage, "calm", "1.1")
    recorded = {item["id"] for item in stage.engine.decisions("calm") if item["version"] == "1.1"}
    if not {answer["id"] for answer in answers} <= recorded:
        raise Failure(f"the decisions of {answers} are not among {recorded}")


def a_secret_in_the_address_asks_as_a_header_does(stage):
    deploy(stage, "calm", "1.2", "by-secret")
    answers = went(stage, "calm", "1.2")
    if stage.engine.adapter in json.dumps(answers):
        raise Failure(f"an answer shows the secret: {answers}")


def a_rollout_pauses_when_the_gate_does_not_know(stage):
    deploy(stage, "silent", "1.1")
    eventually("silent is paused", lambda: phase(stage, "silent") == "Paused")
    causes = [cause["reason"] for cause in status(stage, "silent")["pauseConditions"]]
    result, answer = first_run(stage, "silent")
    if (causes, result, answer["verdict"]) != (["InconclusiveAnalysisRun"], "Inconclusive", "unknown"):
        raise Failure(f"paused by {causes}; the analysis is {result} with {answer}")
    if running(stage, "silent") != {"1.0": 3}:
        raise Failure(f"these run: {running(stage, 'silent')}")


def a_rollout_aborts_with_the_gates_reason_when_it_denies(stage):
    deploy(stage, "spent", "1.1")
    eventually("spent is Degraded", lambda: phase(stage, "spent") == "Degraded")
    result, answer = first_run(stage, "spent")
    if not status(stage, "spent").get("abort") or result != "Failed":
        raise Failure(f"not aborted; the analysis is {result} with {answer}")
    if not any("budget is spent" in reason for reason in answer["reasons"]):
        raise Failure(f"no reason in the analysis: {answer}")
    if running(stage, "spent") != {"1.0": 3}:
        raise Failure(f"these run: {running(stage, 'spent')}")
    return answer["reasons"][0]


def a_wrong_token_is_an_error_and_never_an_answer(stage):
    template = stage.piece("argo-rollouts-analysis-template.yaml")
    given = {"service": "calm", "environment": "production", "version": "1.3", "token": "hr_1_wrong"}
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "wrong-token", "namespace": NAMESPACE},
        "spec": {
            "args": [{"name": name, "value": value} for name, value in given.items()],
            "metrics": template["spec"]["metrics"],
        },
    }
    stage.cluster.apply(run)

    def measured():
        return stage.cluster.get("analysisrun", "wrong-token", NAMESPACE)["status"]["metricResults"][0]["measurements"]

    [first, *_] = eventually("there is a measurement", measured)
    if first["phase"] != "Error" or "401" not in first["message"]:
        raise Failure(f"the measurement: {first}")
    if any(item["version"] == "1.3" for item in stage.engine.decisions("calm")):
        raise Failure("a decision was recorded")
