"""Programs that end when this one does, however it ends; their logs, ports and certificates."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

# The kernel ends what was started when this process is gone, also after SIGKILL.
ENDING = ["setpriv", "--pdeathsig", "KILL"]


class Failure(Exception):
    """What was expected and what was found, in one sentence for people."""


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, **options):
    """The output of a command; a failure with what it said."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(map(str, command))}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def eventually(what, ask, seconds=60):
    """The first true answer of `ask`; failures of it are asked again until the time is over."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
            error = f"it answers {answer}"
        except (Failure, OSError, KeyError, ValueError) as failure:
            answer, error = None, str(failure)
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"after {seconds} s still not: {what}; {error}")
        time.sleep(0.25)


class Programs:
    """What was started, by name; the youngest ends first."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.running = {}

    def start(self, name, command, **environment):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [*ENDING, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | environment,
            )

    def wait(self, name, what, ask, seconds=120):
        """Until `ask` answers; at once a failure when the program ends."""

        def unless_ended():
            if self.running[name].poll() is not None:
                return True
            return ask()

        eventually(what, unless_ended, seconds)
        if self.running[name].poll() is not None:
            raise Failure(f"{name} ended; the end of its log:\n{self.tail(name)}")

    def tail(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def kill(self, name):
        """At once, as a crash would."""
        program = self.running.pop(name)
        program.kill()
        program.wait()

    @contextlib.contextmanager
    def paused(self, name):
        """It keeps its port and says nothing."""
        self.running[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.running[name].send_signal(signal.SIGCONT)

    def stop(self):
        for program in reversed(self.running.values()):
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self.running.clear()


class Authority:
    """A certificate authority for a day."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.certificate = self.folder / "ca.crt"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=headroom-test",
                     "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip

    def openssl(self, *words):
        run(["openssl", *map(str, words)], cwd=self.folder)

    def issue(self, name, subject, addresses="IP:127.0.0.1,DNS:localhost"):
        """NAME.crt and NAME.key."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={addresses}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", 2, "-out", f"{name}.crt", "-extfile", f"{name}.ext")  # fmt: skip
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"
