"""The ready-made pieces against the schemas of Kubernetes and of the CRDs, and against the API server."""
import json
import re
import subprocess

from processes import Failure

STRICTLY = "?fieldManager=check&dryRun=All&fieldValidation=Strict"


def prepare(stage):
    stage.cluster.namespace("production")


def files(pieces):
    """All Kubernetes objects below budget-gate/ci."""
    found = sorted(file for file in pieces.rglob("*.y*ml")
                   if {"apiVersion", "kind"} <= set(re.findall(r"^(\w+):", file.read_text(), re.MULTILINE)))  # fmt: skip
    if len(found) < 5:
        raise Failure(f"only these pieces were found: {found}")
    return found


def misspelt(stage, file):
    """A copy of a piece with a field that nobody declared."""
    [item] = stage.cluster.documents(file)
    item.get("spec", item.get("webhooks", [None])[0])["headroomMisspelt"] = 1
    copy = stage.folder / f"misspelt-{file.stem}.json"
    copy.write_text(json.dumps(item))
    return copy


def kubeconform(stage, chosen):
    """The status of each file."""
    core = stage.schemas / "core" / "{{.ResourceKind}}{{.KindSuffix}}.json"
    custom = stage.schemas / "crd" / "{{.Group}}" / "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    command = [stage.binaries / "kubeconform", "-strict", "-verbose", "-output", "json",
               "-schema-location", core, "-schema-location", custom, *chosen]  # fmt: skip
    done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout)["resources"]
    return {item["filename"].rpartition("/")[2]: (item["status"], item["msg"]) for item in found}


def try_out(stage, *items):
    """Shows objects to the API server, which reads them strictly and keeps none."""
    for item in items:
        stage.cluster.ask("PATCH", stage.cluster.path(item) + STRICTLY, item, "application/apply-patch+yaml")


def every_piece_is_valid_by_the_schemas_of_its_kinds(stage):
    chosen = files(stage.pieces)
    wrong = {name: said for name, said in kubeconform(stage, chosen).items() if said[0] != "statusValid"}
    if wrong:
        raise Failure(f"not valid: {wrong}")
    return f"{len(chosen)} pieces"


def a_field_that_nobody_declared_is_found_by_the_schemas(stage):
    chosen = [misspelt(stage, file) for file in files(stage.pieces)]
    passed = [name for name, said in kubeconform(stage, chosen).items() if said[0] != "statusInvalid"]
    if passed:
        raise Failure(f"valid with a misspelt field: {passed}")


def the_api_server_takes_every_piece_strictly(stage):
    for file in files(stage.pieces):
        try_out(stage, *stage.cluster.documents(file))


def the_api_server_refuses_a_field_that_nobody_declared(stage):
    for file in files(stage.pieces):
        try:
            try_out(stage, *stage.cluster.documents(misspelt(stage, file)))
        except Failure as refusal:
            if "headroomMisspelt" not in str(refusal):
                raise
        else:
            raise Failure(f"{file.name} passes with a misspelt field")


def the_api_server_takes_a_token_of_the_scope_adapter_in_a_webhooks_path(stage):
    item = stage.piece("validating-webhook.yaml", {"hr-secret": stage.engine.adapter})
    try_out(stage, item)


def the_command_of_the_presync_job_fails_unless_the_gate_allows(stage):
    for service, expected in {"calm": 0, "spent": 20, "silent": 30}.items():
        job = stage.piece("argo-cd-presync-job.yaml", {"orders": service, "30m": "1s"})
        [container] = job["spec"]["template"]["spec"]["containers"]
        given = {item["name"]: item.get("value", stage.engine.reader) for item in container["env"]}
        given["SSL_CERT_FILE"] = str(stage.engine.authority.certificate)
        command = [stage.engine.binary.with_name("budget-gate"), *container["args"]]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=given)
        if done.returncode != expected:
            raise Failure(f"{service} is answered {done.returncode}: {done.stdout}{done.stderr}")
