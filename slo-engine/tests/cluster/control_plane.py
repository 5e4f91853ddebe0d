"""A Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, one node of kwok's whose pods pretend
to run, and the controller of Argo Rollouts."""
import base64
import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from processes import Failure, eventually, free_port, run

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "pretended", "annotations": {"kwok.x-k8s.io/node": "fake"}},
    "status": {
        "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "100"},
        "capacity": {"cpu": "8", "memory": "16Gi", "pods": "100"},
    },
}


class ControlPlane:
    """Started by `start`; asked through `kubectl`, `get` and `apply`, or raw through `ask`."""

    def __init__(self, folder, programs, authority, binaries, crds, credentials):
        """`credentials` are the tokens that the API server sends to webhooks, by host."""
        self.folder = pathlib.Path(folder)
        self.programs = programs
        self.authority = authority
        self.binaries = pathlib.Path(binaries)
        self.crds = pathlib.Path(crds)
        self.credentials = credentials
        self.kubeconfig = self.folder / "kubeconfig"
        self.url = f"https://127.0.0.1:{free_port()}"

    def start(self):
        self.store()
        self.server()
        self.controllers()
        for file in sorted(self.crds.glob("*.yaml")):
            self.kubectl("create", "-f", file)
        for file in sorted(self.crds.glob("*.yaml")):
            self.kubectl("wait", "--for=condition=established", "--timeout=60s", "-f", file)
        self.apply(NODE)
        self.rollouts()

    def store(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.etcd = client
        self.programs.start(
            "etcd", ["etcd", "--data-dir", self.folder / "etcd", "--listen-client-urls", client,
                     "--advertise-client-urls", client, "--listen-peer-urls", peer,
                     "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                     "--unsafe-no-fsync"])  # fmt: skip

    def server(self):
        certificate, key = self.authority.issue(
            "apiserver", "/CN=kube-apiserver", "IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes.default.svc")  # fmt: skip
        self.authority.issue("admin", "/O=system:masters/CN=admin")
        self.authority.openssl("genrsa", "-out", "accounts.key", 2048)
        self.authority.openssl("rsa", "-in", "accounts.key", "-pubout", "-out", "accounts.pub")
        self.programs.start(
            "kube-apiserver",
            [self.binaries / "kube-apiserver", f"--etcd-servers={self.etcd}", "--bind-address=127.0.0.1",
             "--advertise-address=127.0.0.1", f"--secure-port={urllib.parse.urlsplit(self.url).port}",
             f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
             f"--client-ca-file={self.authority.certificate}", "--service-account-key-file=accounts.pub",
             "--service-account-signing-key-file=accounts.key", f"--service-account-issuer={self.url}",
             "--service-cluster-ip-range=10.96.0.0/24", "--authorization-mode=RBAC",
             "--endpoint-reconciler-type=none", f"--audit-policy-file={self.audit_policy()}",
             f"--audit-log-path={self.folder / 'audit.json'}",
             f"--admission-control-config-file={self.admission_configuration()}"])  # fmt: skip
        self.kubeconfig.write_text(json.dumps(self.administrator()))
        # What kubectl learns of the server is kept beside it, not in the home of whoever runs this.
        os.environ.update(KUBECONFIG=str(self.kubeconfig), KUBECACHEDIR=str(self.folder / "kubectl"))
        self.tls = ssl.create_default_context(cafile=self.authority.certificate)
        self.tls.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        self.programs.wait("kube-apiserver", "the API server is ready", lambda: self.ask("GET", "/readyz") == "ok")

    def admission_configuration(self):
        """With which token the API server asks which webhook; only who starts it can say so."""
        users = [{"name": host, "user": {"token": token}} for host, token in self.credentials.items()]
        tokens = self.written("webhook-tokens.json", {"apiVersion": "v1", "kind": "Config", "users": users})
        plugin = {
            "name": "ValidatingAdmissionWebhook",
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "WebhookAdmissionConfiguration",
                "kubeConfigFile": str(tokens),
            },
        }
        whole = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [plugin]}
        return self.written("admission-configuration.json", whole)

    def written(self, name, content):
        file = self.folder / name
        file.write_text(json.dumps(content))
        return file

    def audit_policy(self):
        """Only what webhooks of admission may have annotated."""
        written = {"level": "Metadata", "omitStages": ["RequestReceived"], "verbs": ["create", "update", "patch"],
                   "resources": [{"group": "apps"}, {"group": "argoproj.io"}]}  # fmt: skip
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [written, {"level": "None"}]}
        return self.written("audit-policy.json", policy)

    def audited(self):
        """The annotations of all requests so far, those without any left out."""
        events = map(json.loads, (self.folder / "audit.json").read_text().splitlines())
        return [event["annotations"] for event in events if event.get("annotations")]

    def administrator(self):
        cluster = {"server": self.url, "certificate-authority": str(self.authority.certificate)}
        user = {"client-certificate": str(self.folder / "admin.crt"), "client-key": str(self.folder / "admin.key")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }

    def controllers(self):
        alone = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"]
        self.programs.start(
            "kube-controller-manager",
            [self.binaries / "kube-controller-manager", *alone, f"--secure-port={free_port()}",
             "--use-service-account-credentials", "--service-account-private-key-file=accounts.key",
             f"--root-ca-file={self.authority.certificate}",
             # kwok's node tells of itself once a minute, which is too rare for the default.
             "--node-monitor-grace-period=24h",
             "--controllers=*,-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller"])  # fmt: skip
        self.programs.start(
            "kube-scheduler", [self.binaries / "kube-scheduler", *alone, f"--secure-port={free_port()}"])  # fmt: skip
        self.programs.start(
            "kwok",
            [self.binaries / "kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true",
             "--cidr=10.0.0.1/24", "--node-ip=127.0.0.1"])  # fmt: skip

    def rollouts(self):
        self.programs.start(
            "rollouts-controller",
            [self.binaries / "rollouts-controller", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false",
             f"--metricsport={free_port()}", f"--healthzPort={free_port()}"],
            SSL_CERT_FILE=str(self.authority.certificate))  # fmt: skip

    def ask(self, method, path, body=None, kind="application/json"):
        """The answer to a raw request, as JSON where it is JSON."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Content-Type": kind})
        if body is not None:
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.tls) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise Failure(f"{method} {path} is answered {error.code}: {error.read().decode()}") from error
        return json.loads(text) if text.startswith("{") else text

    def kubectl(self, *words):
        return run(["kubectl", *map(str, words)])

    def refused(self, *words):
        """What kubectl says when the command is refused; a failure when it is not."""
        command = ["kubectl", *map(str, words)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            raise Failure(f"`{' '.join(command)}` passed: {done.stdout.strip()}")
        return done.stderr.strip()

    def get(self, kind, name, namespace="default"):
        return json.loads(self.kubectl("get", kind, name, "--namespace", namespace, "--output", "json"))

    def apply(self, *objects):
        """Creates or changes objects."""
        for item in objects:
            self.kubectl("apply", "--filename", self.written("applied.json", item))

    def namespace(self, name, labels=None):
        """A namespace with these labels, ready for pods."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        eventually(f"the namespace {name} has its service account",
                   lambda: self.get("serviceaccount", "default", name))  # fmt: skip

    def path(self, item):
        """Where the API server keeps an object."""
        group, _, version = item["apiVersion"].rpartition("/")
        at = f"/apis/{group}/{version}" if group else f"/api/{version}"
        kinds = self.ask("GET", at)["resources"]
        [kind] = [kind for kind in kinds if kind["kind"] == item["kind"] and "/" not in kind["name"]]
        if kind["namespaced"]:
            at += f"/namespaces/{item['metadata'].get('namespace', 'default')}"
        return f"{at}/{kind['name']}/{item['metadata']['name']}"

    def documents(self, file):
        """The objects of a YAML file."""
        text = self.kubectl("create", "--dry-run=client", "--validate=false", "--output", "json", "--filename", file)
        decoder, objects, at = json.JSONDecoder(), [], 0
        while at < len(text.rstrip()):
            item, at = decoder.raw_decode(text, at)
            objects += item["items"] if item["kind"] == "List" else [item]
            at += len(text[at:]) - len(text[at:].lstrip())
        return objects

    def bundle(self):
        """The authority's certificate as a webhook's caBundle."""
        return base64.b64encode(self.authority.certificate.read_bytes()).decode()
