"""`cm burst` as a batch system calls it: again and again, with hardly any environment, and with a
token that has fewer rights than its person."""
import json
import os
import socket
import subprocess

import pytest

from conftest import BIN, a_deployment, wait_until
from http_client import Admin
from test_client_http import a_server

NODES = "vm-c-[00-02]"
# A /dev without devices but with a /dev/log, in a mount namespace of its own; no standard streams.
WITHOUT_STREAMS = """mount -t tmpfs none /dev && mknod /dev/null c 1 3 &&
mknod /dev/urandom c 1 9 && ln -s "$1" /dev/log && shift && exec "$@" <&- >&- 2>&-"""


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "3")
        yield Site(deployment, tmp_path_factory.mktemp("campus"))


@pytest.fixture(autouse=True)
def all_off(site):
    """No computeset is left from test to test."""
    yield
    site.burst("suspend", NODES)
    wait_until(lambda: not site.active(), "the end of all computesets")


class Site(Admin):
    """Cluster `c` with three computes, and a campus that has a token to start and stop them."""

    def __init__(self, deployment, folder):
        super().__init__(deployment)
        self.token_file = folder / "token"
        self.write_token(["read", "power"])
        # Not even PATH and HOME.
        self.env = {"NUCLEUS_URL": self.url, "NUCLEUS_TOKEN_FILE": str(self.token_file)}

    def write_token(self, rights):
        made = self.ask("POST", "/v2/me/tokens", json={"rights": rights})
        assert made.status_code == 201, made.text
        self.token_file.write_text(made.json()["token"] + "\n")
        self.token_file.chmod(0o600)

    def burst(self, *words, code=0):
        """(standard output, standard error)"""
        ran = subprocess.run([BIN / "cm", "burst", *words, "--cluster=c"], env=self.env, text=True,
                             capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
                             check=False)
        assert ran.returncode == code, ran
        return ran.stdout, ran.stderr

    def active(self):
        return self.get("/v2/computesets?state=submitted&state=running&state=ending")["computesets"]

    def nodes(self):
        """(computeset, state) of each compute."""
        nodes = self.get("/v2/clusters/c")["nodes"]
        return [(node["computeset_id"], node["state"]) for node in nodes
                if node["kind"] == "compute"]

    def wait_active(self, *numbers):
        """Each compute is active in this computeset; off if the number is 0."""
        def is_so():
            return all(number == wanted and (state == "active") == bool(wanted)
                       for (number, state), wanted in zip(self.nodes(), numbers))
        wait_until(is_so, f"computesets {numbers}")

    def used(self):
        return {one["computeset_id"]: one for one in self.get("/v2/usage")["entries"]}


def test_repeated_calls_do_nothing(site):
    output, _ = site.burst("resume", "vm-c-[00-01]", "--walltime=3h", "--allocation=demo")
    number = site.nodes()[0][0]
    assert output == f"vm-c-[00-01]: started as computeset {number}\n"
    started = site.get(f"/v2/computesets/{number}")
    assert (started["walltime_mins"], started["allocation_id"]) == (180, "demo")
    assert site.burst("resume", "vm-c-[00-01]") == ("", "")
    site.wait_active(number, number, 0)
    assert site.burst("resume", "vm-c-01,vm-c-00") == ("", "")

    output, _ = site.burst("resume", NODES)
    assert output == f"vm-c-02: started as computeset {number + 1}\n"
    site.wait_active(number, number, number + 1)
    output, _ = site.burst("suspend", "vm-c-01")
    assert output == f"vm-c-01: removed from computeset {number}\n"
    site.wait_active(number, 0, number + 1)
    assert site.burst("suspend", "vm-c-01") == ("", "")

    output, _ = site.burst("suspend", NODES)
    assert output == (f"vm-c-00: ended computeset {number}\n"
                      f"vm-c-02: ended computeset {number + 1}\n")
    site.burst("suspend", NODES)
    site.wait_active(0, 0, 0)
    assert site.burst("suspend", NODES) == ("", "")
    assert site.get(f"/v2/computesets/{number}")["state"] == "completed"
    assert all(one["end_unix_s"] for one in site.used().values())


def test_a_node_that_stops_is_started_when_it_is_off(site):
    site.burst("resume", "vm-c-[00-01]")
    [(first, _), *_] = site.nodes()
    site.wait_active(first, first, 0)
    site.burst("suspend", "vm-c-[00-01]")
    site.burst("resume", "vm-c-[00-01]")
    site.wait_active(first + 1, first + 1, 0)


def test_a_node_that_is_off_in_its_computeset_is_powered_on(site):
    site.burst("resume", "vm-c-[00-01]")
    [(number, _), *_] = site.nodes()
    site.wait_active(number, number, 0)
    done = site.ask("POST", "/v2/clusters/c/power", json={"nodes": ["vm-c-01"], "action": "off"})
    assert done.status_code == 204, done.text
    wait_until(lambda: site.nodes()[1] == (number, "shutoff"), "the node is off")
    output, _ = site.burst("resume", "vm-c-[00-01]")
    assert output == "vm-c-01: powered on\n"
    site.wait_active(number, number, 0)


def test_what_waits_is_left_and_is_cancelled_as_a_whole(site):
    before = site.used()
    for host in ("sim-0001", "sim-0002"):
        site.deployment.nucleus("host", "drain", host)
    try:
        site.burst("resume", "vm-c-[00-01]")
        [waiting] = site.active()
        assert waiting["state"] == "submitted"
        assert site.burst("resume", "vm-c-[00-01]") == ("", "")
        _, refused = site.burst("suspend", "vm-c-00", code=1)
        assert refused.startswith("cm: vm-c-00: not suspended: computeset "), refused
        output, _ = site.burst("suspend", "vm-c-[00-01]")
        assert output == f"vm-c-[00-01]: ended computeset {waiting['computeset_id']}\n"
    finally:
        for host in ("sim-0001", "sim-0002"):
            site.deployment.nucleus("host", "resume", host)
    wait_until(lambda: not site.active(), "it is cancelled")
    assert site.used() == before


def test_each_node_that_fails_is_named_and_the_others_start(site):
    output, failed = site.burst("resume", "vm-c-00,vm-c-77,c", code=1)
    assert output.startswith("vm-c-00: started as computeset ")
    assert failed == "cm: c,vm-c-77: not resumed: not a compute node of cluster c\n"
    _, failed = site.burst("suspend", "vm-c-77", code=1)
    assert failed == "cm: vm-c-77: not suspended: not a compute node of cluster c\n"


def test_a_token_without_the_right_power_is_refused(site):
    site.write_token(["read"])
    try:
        _, failed = site.burst("resume", "vm-c-[00-01]", code=1)
        assert failed.startswith("cm: vm-c-[00-01]: not resumed: ") and "power" in failed, failed
    finally:
        site.write_token(["read", "power"])
    assert site.active() == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_token_that_others_may_use_is_refused(site, mode):
    site.token_file.chmod(mode)
    try:
        _, failed = site.burst("resume", "vm-c-00", code=1)
    finally:
        site.token_file.chmod(0o600)
    assert failed == (f"cm: vm-c-00: not resumed: NUCLEUS_TOKEN_FILE: others may use "
                      f"{site.token_file}: run chmod 600\n")


def test_a_server_that_is_not_available_is_asked_again(site):
    node = {"name": "vm-c-00", "kind": "compute", "computeset_id": 0, "state": "shutoff"}
    answers = {"/v2/clusters/c": [(200, {}, json.dumps({"nodes": [node]})), (503, {}, "")],
               "/v2/computesets": [(201, {}, '{"computeset_id": 5}'), (503, {}, "")]}
    with a_server() as server:
        for path, listed in answers.items():  # the last one first; the first one is kept
            server.responses[path] = lambda _, listed=listed: (
                listed.pop() if len(listed) > 1 else listed[0])
        site.env["NUCLEUS_URL"] = server.url
        try:
            output, _ = site.burst("resume", "vm-c-00")
        finally:
            site.env["NUCLEUS_URL"] = site.url
    assert output == "vm-c-00: started as computeset 5\n"
    assert [path for _, path, *_ in server.requests] == [
        "/v2/clusters/c", "/v2/clusters/c", "/v2/computesets", "/v2/clusters/c", "/v2/computesets"]


def test_without_standard_streams_the_lines_go_to_syslog(site, tmp_path):
    """As slurmctld 22.05 runs it."""
    path = tmp_path / "log"
    command = ["unshare", "--mount", "sh", "-c", WITHOUT_STREAMS, "sh", path, BIN / "cm", "burst"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        ran = subprocess.run([*command, "resume", "vm-c-00,x", "--cluster=c"],
                             env={**site.env, "PATH": os.environ["PATH"]}, timeout=60, check=False)
        assert ran.returncode == 1
        log.setblocking(False)  # all is written
        lines = [log.recv(4096).decode() for _ in range(2)]
    assert " cm: vm-c-00: started as computeset " in lines[0]
    assert " cm: x: not resumed: not a compute node of cluster c" in lines[1]
