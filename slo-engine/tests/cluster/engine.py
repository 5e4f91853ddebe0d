"""The engine built from this tree, over HTTPS, with three services: `calm` has budget left, that of `spent` is gone, and of
`silent` nothing was heard for half an hour."""
import datetime
import json
import pathlib
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request

from processes import Failure, free_port, run

ENVIRONMENT = "production"
SERVICES = ("calm", "spent", "silent")
PAST = datetime.timedelta(minutes=50)
SILENCE = datetime.timedelta(minutes=30)
STEP = datetime.timedelta(seconds=5)

SERVICE = """\
apiVersion: headroom/v1
kind: Service
service: {name}
tier: 1
environment: {environment}
slos:
  - name: availability
    objective: 99%
    window: 1h
    alerts: none
    indicator: {{ratio: {{index: {name}, total: 'event : "request"', bad: 'status >= 500'}}}}
---
"""
POLICY = """\
apiVersion: headroom/v1
kind: Policy
policy: cluster
applies: {}
rules: [{budget: {denyBelow: 0%}}, {freshness: {max: 10m}}, {watch: {window: 30m, burn: 10, minBad: 10}}]
onUnknown: deny
noSlo: deny
kinds: {rollback: allow}
override: {allowed: false}
"""


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Engine:
    """Its files live below `folder`; it can be killed and started again."""

    def __init__(self, folder, programs, authority, binary):
        self.folder = pathlib.Path(folder)
        self.programs = programs
        self.authority = authority
        self.binary = pathlib.Path(binary)
        self.url = f"https://127.0.0.1:{free_port()}"
        self.tls = ssl.create_default_context(cafile=authority.certificate)
        self.shipping = threading.Event()
        self.prepare()

    def prepare(self):
        (self.folder / "logs").mkdir(parents=True)
        (self.folder / "slos").mkdir()
        services = "".join(SERVICE.format(name=name, environment=ENVIRONMENT) for name in SERVICES)
        (self.folder / "slos" / "all.yaml").write_text(services + POLICY)
        certificate, key = self.authority.issue("engine", "/CN=headroom")
        config = {
            "server": {
                "listen": urllib.parse.urlsplit(self.url).netloc,
                "publicUrl": self.url,
                "tls": {"certFile": str(certificate), "keyFile": str(key)},
            },
            "store": {"url": f"sqlite://{self.folder}/headroom.db"},
            "specs": {"paths": [str(self.folder / "slos")]},
            "sources": [{"name": "logs", "kind": "jsonlog", "files": [f"{self.folder}/logs/*.json"]}],
            "schedule": {"tick": "2s"},
        }
        self.config = self.folder / "config.yaml"
        self.config.write_text(json.dumps(config))
        for name in SERVICES:
            self.write_past(name)
        self.reader = self.token("cluster-test", "decide", "deploy")
        self.adapter = self.token("cluster-adapter", "adapter")
        self.webhooks = {urllib.parse.urlsplit(self.url).netloc: self.token("api-server", "decide")}

    def token(self, name, *scopes):
        """A new machine token."""
        asked = [word for scope in scopes for word in ("--scope", scope)]
        return run([self.binary, "--config", self.config, "token", "create", "--name", name, *asked]).strip()

    def line(self, name, at, bad):
        event = {"@timestamp": at.isoformat(), "event": "request", "status": 503 if bad else 200}
        with open(self.folder / "logs" / f"{name}.json", "a") as log:
            log.write(json.dumps(event) + "\n")

    def write_past(self, name):
        """Almost an hour in which every second request of `spent` failed."""
        begin, end = now() - PAST, now() - (SILENCE if name == "silent" else STEP)
        for number in range((end - begin) // STEP):
            self.line(name, begin + number * STEP, name == "spent" and number % 2 == 0)

    def ship(self):
        """New lines until the test ends; nothing new of `silent`."""
        while not self.shipping.wait(1):
            for name in ("calm", "spent"):
                self.line(name, now(), False)

    def start(self):
        self.programs.start("slo-engine", [self.binary, "--config", self.config, "serve"])
        self.programs.wait("slo-engine", "the engine knows its services", self.evaluated)

    def evaluated(self):
        """The gate has an opinion on each service, and it is the one that the checks count on."""
        expected = {"calm": "allow", "spent": "deny", "silent": "unknown"}
        found = {name: self.ask("GET", f"/v1/gate/{name}")["verdict"] for name in SERVICES}
        if found != expected:
            raise Failure(f"the gate says {found}")
        return True

    def kill(self):
        self.programs.kill("slo-engine")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self.reader}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.tls) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Failure(f"{method} {path} is answered {error.code}: {error.read().decode()}") from error

    def ran(self, service, *versions):
        """Tells the engine which versions ran, the oldest first."""
        for number, version in enumerate(versions):
            at = now() - datetime.timedelta(minutes=10 - number)
            told = {"service": service, "version": version, "at": at.isoformat()}
            self.ask("POST", "/v1/deployments", told)

    def decisions(self, service):
        """Recorded ones, the newest first."""
        return self.ask("GET", f"/v1/gate/decisions?limit=500&service={service}")["items"]

    def latest(self, service, version):
        """The newest decision about a version."""
        found = [item for item in self.decisions(service) if item["version"] == version]
        if not found:
            raise Failure(f"no decision about {service} {version} is recorded")
        return found[0]
