#!/usr/bin/env python3
"""Shows on a real Kubernetes control plane what the gate does for its callers: run.py ENGINE [PART...]

ENGINE is the program slo-engine, with budget-gate beside it. The parts are pieces, analysis, progressive, admission and
outage; all of them when none is named. Each check is one line; exit 1 when one fails, and the logs are kept then."""
import importlib
import inspect
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

from control_plane import ControlPlane
from engine import Engine
from processes import Authority, Failure, Programs, run

HERE = pathlib.Path(__file__).resolve().parent
# Outage comes last: it goes on with what admission has prepared.
PARTS = {part: [part] for part in ("pieces", "analysis", "progressive", "admission")} | {"outage": ["admission", "outage"]}


class Stage:
    """The control plane, the engine, and the ready-made pieces."""

    def __init__(self, folder, binary):
        self.folder = folder
        self.pieces = HERE.parents[2] / "budget-gate" / "ci"
        self.binaries, crds, self.schemas = (pathlib.Path(kept(what)) for what in ("bin", "crds", "schemas"))
        self.programs = Programs(folder)
        authority = Authority(folder)
        self.engine = Engine(folder / "engine", self.programs, authority, binary)
        self.cluster = ControlPlane(folder, self.programs, authority, self.binaries, crds, self.engine.webhooks)

    def start(self):
        threading.Thread(target=self.engine.ship, daemon=True).start()
        self.engine.start()
        self.cluster.start()

    def stop(self):
        self.engine.shipping.set()
        self.programs.stop()

    def piece(self, name, replaced=None):
        """The one object of a ready-made piece, with other words in it, asking this engine."""
        [item] = self.cluster.documents(self.pieces / "kubernetes" / name)
        text = json.dumps(item)
        for old, new in {"https://headroom.headroom.svc": self.engine.url, **(replaced or {})}.items():
            if old not in text and replaced and old in replaced:
                raise Failure(f"{name} does not say {old}")
            text = text.replace(old, new)
        return json.loads(text)


def kept(what):
    """A folder of the cache."""
    return run(["bash", HERE / "programs.sh", what]).strip()


def checks(module):
    """The checks of a module, in the order in which they are written."""
    own = [item for item in vars(module).values() if inspect.isfunction(item) and item.__module__ == module.__name__]
    return [item for item in own if list(inspect.signature(item).parameters) == ["stage"] and item.__name__ != "prepare"]


def show(stage, name, act):
    """Runs one step; whether it held."""
    begun = time.monotonic()
    try:
        told = act(stage)
        print(f"ok    {name} ({time.monotonic() - begun:.1f} s)" + (f": {told}" if told else ""), flush=True)
        return True
    except Failure as failure:
        print(f"FAIL  {name}: {failure}", flush=True)
    except Exception:
        print(f"FAIL  {name}:\n{traceback.format_exc()}", flush=True)
    return False


def show_all(stage, chosen):
    """How many checks held and how many did not."""
    held, failed = 0, []
    for name in chosen:
        print(f"\n{name}", flush=True)
        module = importlib.import_module(f"checks.{name}")
        steps = [module.prepare, *checks(module)]
        for step in steps:
            if show(stage, step.__name__.replace("_", " "), step):
                held += 1
                continue
            failed.append(f"{name}: {step.__name__.replace('_', ' ')}")
            if step is module.prepare:
                break
    return held, failed


def conclude(held, failed, began):
    took = f"{time.monotonic() - began:.0f} s"
    if not failed:
        print(f"\nall {held} steps held in {took}")
        return 0
    print(f"\n{len(failed)} of {held + len(failed)} steps failed in {took}:", *failed, sep="\n  ")
    return 1


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(PARTS):
        sys.exit(f"usage: run.py ENGINE [PART...]; the parts: {', '.join(PARTS)}")
    chosen = list(dict.fromkeys(module for part in sys.argv[2:] or PARTS for module in PARTS[part]))
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="headroom-cluster-"))
    stage = Stage(folder, sys.argv[1])
    status = 1
    try:
        if show(stage, "the control plane, Argo Rollouts and the engine start", Stage.start):
            status = conclude(*show_all(stage, chosen), began)
    finally:
        stage.stop()
        if status == 0:
            shutil.rmtree(folder)
        else:
            print(f"the logs are in {folder}")
    sys.exit(status)


main()
