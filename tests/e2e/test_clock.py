"""The machine's clock jumps while everything runs: leases hold, and charges stay right."""
import os
import pathlib
import time

import pytest

from conftest import a_deployment, wait_until
from http_client import Admin, operator_of

HOUR_S = 3600


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    offset = folder / "offset"
    offset.write_text("+0s\n")
    # Redis does not start with the library: its allocator asks for the time too early.
    redis = folder / "redis-server"
    redis.write_text('#!/bin/sh\nunset LD_PRELOAD\nexec /usr/bin/redis-server "$@"\n')
    redis.chmod(0o755)
    [library] = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    settings = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": 1,
                "FAKETIME_DONT_FAKE_MONOTONIC": 1, "PATH": f"{folder}:{os.environ['PATH']}"}
    with a_deployment("--simulated", "--hosts", "2", settings=settings) as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "4")
        yield Site(deployment, offset)


class Site(Admin):
    def __init__(self, deployment, offset):
        super().__init__(deployment)
        self.operator = operator_of(deployment)
        self.offset = offset

    def jump(self, seconds):
        """Sets the clock of every process of the deployment this far from the machine's."""
        self.offset.write_text(f"{seconds:+d}s\n")
        wait_until(lambda: abs(self.head_unix_s() - time.time() - seconds) < 60, "the jump")

    def head_unix_s(self):
        """The scheduler's clock, at the last heartbeat."""
        hosts = self.operator.get("/v2/hosts")["hosts"]
        return max(host["last_heartbeat_unix_ms"] for host in hosts) // 1000

    def start(self, walltime_mins):
        answer = self.ask("POST", "/v2/computesets", json={
            "cluster_id": "c", "count": 1, "walltime_mins": walltime_mins})
        assert answer.status_code == 201, answer.text
        number = answer.json()["computeset_id"]
        self.wait(number, "running")
        return number

    def wait(self, number, state):
        wait_until(lambda: self.get(f"/v2/computesets/{number}")["state"] == state, state)

    def charged(self, number):
        [entry] = [one for one in self.get("/v2/usage")["entries"]
                   if one["computeset_id"] == number]
        return entry["used_core_s"] / entry["cores"]

    def placements(self):
        nodes = self.get("/v2/clusters/c/nodes")["nodes"]
        return {node["name"]: node["host_id"] for node in nodes if node["state"] == "active"}

    def host_states(self):
        return {host["state"] for host in self.operator.get("/v2/hosts")["hosts"]}


def test_a_clock_that_jumps_ahead_ends_walltimes_and_nothing_else(site):
    short, long = site.start(30), site.start(600)
    wait_until(lambda: len(site.placements()) == 2, "both nodes run")
    kept = {name: host for name, host in site.placements().items()
            if site.get(f"/v2/clusters/c/nodes/{name}")["computeset_id"] == long}
    site.jump(HOUR_S)
    site.wait(short, "completed")
    assert site.charged(short) == 30 * 60, "its walltime, not the hour"
    assert site.host_states() == {"up"}
    assert site.get(f"/v2/computesets/{long}")["state"] == "running"
    assert HOUR_S <= site.charged(long) < HOUR_S + 600
    assert site.placements() == kept, "its node was not touched"
    assert site.deployment.nucleus("verify", check=False).returncode == 0


def test_a_clock_that_jumps_back_charges_nothing_twice(site):
    site.jump(0)
    running = site.start(600)
    site.jump(-HOUR_S)
    assert site.charged(running) == 0
    assert site.host_states() == {"up"}
    assert site.get(f"/v2/computesets/{running}")["state"] == "running"
    new = site.start(600)
    assert site.charged(new) < 60
    site.ask("POST", f"/v2/computesets/{running}/power", json={"action": "off"})
    site.wait(running, "completed")
    assert site.charged(running) == 0, "it ended before its start"
    site.jump(0)
    assert site.charged(new) >= HOUR_S, "it is charged by the clock"
    assert site.host_states() == {"up"}
    assert site.deployment.nucleus("verify", check=False).returncode == 0
