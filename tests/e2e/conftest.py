"""Deployments for the tests, each in its own state directory, stopped at the end."""
import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from http_client import Admin, Client, operator_of
from http_client import session_of  # noqa: F401, re-exported

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NUCLEUS_BIN", ROOT / "build" / "bin"))
TIMEOUT_S = 20

sys.path.insert(0, str(ROOT / "tools"))
import services  # noqa: E402, in tools/

SERVICES = services.names()


def wait_until(is_true, what, timeout_s=TIMEOUT_S):
    """Returns the first true result of `is_true`; fails with `what` if there is none in time."""
    until = time.monotonic() + timeout_s
    while True:
        result = is_true()
        if result:
            return result
        assert time.monotonic() < until, f"waited {timeout_s} s for: {what}"
        time.sleep(0.02)


claims = []  # sockets that hold the ports of this process, until it ends


def free_port():
    """A loopback port that no other test gets while this process runs, and that the kernel gives to
    no connection: tests/support/free_port.hpp."""
    while True:
        port = random.randrange(10_000, 20_000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            claim.bind(f"\0nucleus-test-port-{port}")
            claims.append(claim)
            return port
        claim.close()


def start_time(pid):
    """The start of the process in ticks; None if there is no such process, or only a zombie."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if words[0] in "ZX" else int(words[19])


def pids_in(state):
    """The pid of each process, by name, from DIR/pids."""
    found = {}
    for file in (state / "pids").glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            found[file.name] = int(file.read_text())
    return found


class Deployment:
    """One state directory, and the command `nucleus` for it."""

    def __init__(self, state, *options, settings=None):
        self.state = pathlib.Path(state)
        self.options = options
        # The environment of its processes, for example {"NUCLEUS_GATEWAY_IDLE_S": 2}.
        self.settings = {name: str(value) for name, value in (settings or {}).items()}

    def nucleus(self, *arguments, check=True, timeout=90):
        command, *rest = arguments
        words = [command]
        if command in ("cluster", "person", "image", "host", "process", "allocation",
                       "reservation", "class", "fabric", "project"):
            words.append(rest.pop(0))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUCLEUS_")}
        environment |= self.settings
        ran = subprocess.run([BIN / "nucleus", *words, "--state", self.state, *rest], text=True,
                             capture_output=True, timeout=timeout, env=environment,
                             stdin=subprocess.DEVNULL)
        if check:
            assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}{self.log_tail()}"
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
        """The pid of each process, by name."""
        return pids_in(self.state)

    def processes(self):
        """(pid, start) of each process."""
        return {name: (pid, start_time(pid)) for name, pid in self.pids().items()}

    def add_person(self, name, project):
        """Creates an admin of the project; returns the token."""
        printed = self.nucleus("person", "create", name, "--project", project).stdout
        return next(word for word in printed.split() if len(word) == 40)

    def env(self):
        """The environment of a shell that has sourced DIR/env."""
        printed = subprocess.run(["sh", "-c", '. "$0" && env -0', self.state / "env"], env={},
                              check=True, capture_output=True, text=True).stdout
        return dict(pair.split("=", 1) for pair in printed.split("\0") if "=" in pair)

    def log_tail(self):
        logs = sorted((self.state / "logs").glob("*.log"))
        return "".join(f"\n--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-5:])
                       for log in logs)


@contextlib.contextmanager
def a_deployment(*options, settings=None):
    """A running deployment, removed at the end. What its tests left must be free of
    contradictions."""
    # Unix sockets need short paths, shorter than pytest's own folders.
    deployment = Deployment(tempfile.mkdtemp(prefix="nuc-"), *options, settings=settings)
    try:
        deployment.up()
        yield deployment
        verified = deployment.nucleus("verify", check=False)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        deployment.down(check=False)
        shutil.rmtree(deployment.state)


@pytest.fixture(name="make_deployment")
def make_deployment_fixture():
    """Creates deployments that do not run yet, and removes them at the end."""
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
    """A running deployment with four simulated hosts."""
    deployment = make_deployment("--simulated", "--hosts", "4")
    deployment.up()
    return deployment


@pytest.fixture(name="shared", scope="module")
def shared_fixture():
    """One deployment for all tests of a module, which leave cluster `mine` of project demo as it
    is."""
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "mine", "--computes", "3")
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(shared):
    return Admin(shared)


@pytest.fixture(name="operator", scope="module")
def operator_fixture(shared):
    return operator_of(shared)


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(shared, admin):
    """An admin of another project."""
    return Client(admin.url, shared.add_person("eve", "physics"))


class Machines:
    """A deployment whose host is this machine, with the tiny image and clients. `word` is added to
    the kernel's command line."""

    def __init__(self, deployment, tiny, word=""):
        from machines import CMDLINE, Host, Rest  # these modules import conftest
        self.deployment = deployment
        self.env = deployment.env()
        self.rest = Rest(self.env)
        self.operator = Rest(self.env, self.env["NUCLEUS_OPERATOR_TOKEN"])
        self.host = Host.of(deployment) if "NUCLEUS_NETNS" in self.env else None
        self.boots = ["--kernel", tiny / "vmlinuz", "--initramfs", tiny / "initramfs", "--cmdline",
                      f"{CMDLINE} {word}".strip()]
        deployment.nucleus("image", "import", "tiny", *self.boots)

    def create(self, cluster, computes, image="tiny"):
        self.deployment.nucleus("cluster", "create", cluster, "--computes", str(computes),
                                "--memory-mb", "128", "--image", image)

    def boot(self, cluster, computes):
        """Creates a cluster and powers all of it on; returns before it runs."""
        self.create(cluster, computes)
        self.rest.power(cluster, "poweron")
        if computes:
            self.rest.start(cluster, count=computes)

    def boot_pair(self):
        """Boots the clusters `left` and `right`, each with a frontend and a compute; returns once
        all nodes are active."""
        for cluster in ("left", "right"):
            self.boot(cluster, 1)
        for cluster in ("left", "right"):
            self.rest.wait_state(cluster, "active")


@pytest.fixture(name="shell", scope="module")
def shell_fixture(tmp_path_factory):
    """The `cm` shell on four simulated hosts, with the cluster `amber` of two computes."""
    from shell import Shell  # it imports conftest
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        deployment.nucleus("cluster", "create", "amber", "--computes", "2")
        yield Shell(deployment, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session", name="tiny_guest")
def tiny_guest_fixture():
    """The folder with kernel and initramfs of a guest that boots in a few seconds."""
    out = ROOT / "build" / "guest" / "tiny"
    made = subprocess.run([ROOT / "guest" / "make_tiny", out], text=True, capture_output=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return out


@pytest.fixture(scope="session", name="demo_guest")
def demo_guest_fixture():
    """The folder of the demo image; its MPI probe is installed beside the programs."""
    out = ROOT / "build" / "guest" / "demo"
    made = subprocess.run([ROOT / "guest" / "make_demo", out], text=True, capture_output=True,
                          check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    subprocess.run(["install", "-m", "755", out / "nucleus-pingpong", BIN], check=True)
    return out


@pytest.fixture(scope="session", name="machines")
def machines_fixture(tiny_guest):
    """Shared by tests that do not change it: clusters `left` and `right`, each with a frontend and
    a compute, all active. Tests may add clusters of their own."""
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.boot_pair()
        yield machines


@pytest.fixture(name="own_machines")
def own_machines_fixture(tiny_guest):
    """For a test that breaks it; without clusters."""
    with a_deployment() as deployment:
        yield Machines(deployment, tiny_guest)
