"""Deployments for the tests: each in its own state directory, always brought down."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NUCLEUS_BIN", ROOT / "build" / "bin"))
PATIENCE_S = 20


def wait_until(is_true, what, patience_s=PATIENCE_S):
    """Returns what `is_true` gave once it is true; fails after the patience with `what`."""
    until = time.monotonic() + patience_s
    while True:
        result = is_true()
        if result:
            return result
        assert time.monotonic() < until, f"waited {patience_s} s for: {what}"
        time.sleep(0.02)


def start_time(pid):
    """The pid's start in ticks, or None where there is no such process (or only its zombie)."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if words[0] in "ZX" else int(words[19])


class Deployment:
    """One `nucleus up`: its state directory and its command."""

    def __init__(self, state, *options):
        self.state = pathlib.Path(state)
        self.options = options

    def nucleus(self, *arguments, check=True, timeout=90):
        command, *rest = arguments
        words = [command]
        if command in ("cluster", "person", "image", "host"):
            words.append(rest.pop(0))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUCLEUS_")}
        ran = subprocess.run([BIN / "nucleus", *words, "--state", self.state, *rest], text=True,
                             capture_output=True, timeout=timeout, env=environment,
                             stdin=subprocess.DEVNULL)
        if check:
            assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}{self.last_words()}"
        return ran

    def up(self, **more):
        return self.nucleus("up", *self.options, **more)

    def down(self, **more):
        return self.nucleus("down", **more)

    def status(self):
        return json.loads(self.nucleus("status", "--json", check=False).stdout)

    def process(self, name):
        return next(p for p in self.status()["processes"] if p["name"] == name)

    def pids(self):
        """The pid of each process, by name, as DIR/pids says."""
        return {f.name: int(f.read_text()) for f in (self.state / "pids").iterdir()}

    def processes(self):
        """(pid, start) of each process."""
        return {name: (pid, start_time(pid)) for name, pid in self.pids().items()}

    def env(self):
        """What a shell has after sourcing DIR/env."""
        told = subprocess.run(["sh", "-c", '. "$0" && env -0', self.state / "env"], env={},
                              check=True, capture_output=True, text=True).stdout
        return dict(pair.split("=", 1) for pair in told.split("\0") if "=" in pair)

    def last_words(self):
        logs = sorted((self.state / "logs").glob("*.log"))
        return "".join(f"\n--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-5:])
                       for log in logs)


@pytest.fixture(name="make_deployment")
def make_deployment_fixture():
    """Makes deployments that are not up yet; at the end all are down and gone."""
    made = []

    def make(*options):
        # Unix sockets need short paths, shorter than pytest's own folders.
        deployment = Deployment(tempfile.mkdtemp(prefix="nuc-"), *options)
        made.append(deployment)
        return deployment

    yield make
    for deployment in made:
        deployment.down(check=False)
        shutil.rmtree(deployment.state)


@pytest.fixture(name="deployment")
def deployment_fixture(make_deployment):
    """Four simulated hosts, up."""
    deployment = make_deployment("--simulated", "--hosts", "4")
    deployment.up()
    return deployment
