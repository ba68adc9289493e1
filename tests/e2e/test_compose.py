"""compose/compose.yml with podman: built, healthy, used, killed, removed."""
import json
import os
import re
import subprocess

import pytest

from containers import Podman
from conftest import BIN, SERVICES as ALL_SERVICES, wait_until

TIMEOUT_S = 120
SERVICES = {"redis", *ALL_SERVICES, "operator", "prometheus"}
URL = "http://127.0.0.1:8080"


class Deployment:
    """All containers, as `podman-compose up -d` starts them."""

    def __init__(self):
        self.podman = Podman()

    def start(self):
        self.podman.build()
        self.podman.compose("up", "-d")
        self.wait_healthy(SERVICES)
        answer = self.operator("cat", "/var/lib/nucleus/env").stdout
        self.env = dict(re.findall(r"^export (\w+)='(.*)'$", answer, re.M))

    def wait_healthy(self, services):
        waiting = set(services)

        def is_done():
            waiting.difference_update([s for s in waiting if self.podman.is_healthy(s)])
            return not waiting
        try:
            wait_until(is_done, f"healthy: {waiting}", TIMEOUT_S)
        except AssertionError as error:
            raise AssertionError(f"not healthy: {waiting}{self.podman.log_tail()}") from error

    def operator(self, *words, **more):
        """Runs a command in the container with the operator's key."""
        return self.podman.compose("exec", "-T", "operator", *words, **more)

    def curl(self, path, *words):
        return self.podman.inside("curl", "-sS", "--max-time", "20", "-H",
                                  f"Authorization: Token {self.env['NUCLEUS_TOKEN']}", *words,
                                  URL + path).stdout

    def comet(self, *words):
        return self.podman.inside(BIN / "cm", "comet", *words, env={**os.environ, **self.env})


@pytest.fixture(name="deployment", scope="module")
def deployment_fixture():
    deployment = Deployment()
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.podman.remove()


def states(deployment, cluster):
    answer = json.loads(deployment.curl(f"/v1/cluster/{cluster}/"))
    return {node["name"]: node["state"] for node in [answer["frontend"], *answer["computes"]]}


def test_a_request_passes_through_every_service(deployment):
    events = subprocess.Popen(
        [*deployment.podman.entering("net"), "curl", "-sSN", "-H",
         f"Authorization: Token {deployment.env['NUCLEUS_TOKEN']}", URL + "/v2/events"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        deployment.operator("nucleus", "cluster", "create", "vc1", "--computes", "2")
        deployment.comet("power", "on", "vc1")
        deployment.comet("start", "vc1", "--count=2")
        wait_until(lambda: set(states(deployment, "vc1").values()) == {"active"},
                   "all nodes are active", TIMEOUT_S)
        seen = set()
        for line in events.stdout:
            if line.startswith("event:"):
                seen.add(line.split(":", 1)[1].strip())
            if any("domain-changed" in one for one in seen):
                break
        assert any("cluster-defined" in one for one in seen), seen
    finally:
        events.kill()
        events.wait()
        events.stdout.close()


def test_the_operators_commands_work_over_the_bus(deployment):
    hosts = deployment.operator("nucleus", "host", "list").stdout
    assert len(re.findall(r"\bup\b", hosts)) == 4, hosts
    processes = deployment.operator("nucleus", "process", "list").stdout
    assert len(re.findall(r"\bserving\b", processes)) == 8, processes
    config = deployment.operator("nucleus", "process", "config", "scheduler").stdout
    assert "bus.secret_key: (set)" in config


def test_a_container_has_only_the_rights_of_its_own_key(deployment):
    """From the console's container: its key is not an operator's, and it can read no other key."""
    refused = deployment.podman.podman(
        "exec", "nucleus_console_1", "nucleus", "host", "list", "--state", "/etc/nucleus",
        check=False, timeout=60)
    assert refused.returncode != 0
    listed = deployment.podman.podman("exec", "nucleus_console_1", "sh", "-c",
                                      "ls /etc/nucleus /keys/* 2>/dev/null").stdout
    assert re.findall(r"\S+\.yaml", listed) == ["settings.yaml"], listed


def test_prometheus_scrapes_all_of_them_by_name(deployment):
    def up():
        url = "http://127.0.0.1:9090/api/v1/targets"
        answer = json.loads(deployment.podman.inside("curl", "-sS", url).stdout)
        return {t["labels"]["process"] for t in answer["data"]["activeTargets"]
                if t["health"] == "up"}
    scraped = SERVICES - {"redis", "operator", "prometheus"}
    wait_until(lambda: up() == scraped, "all targets are up", TIMEOUT_S)


@pytest.mark.parametrize("service", ["bus", "redis", "scheduler"])
def test_a_killed_process_is_restarted_and_nothing_is_lost(deployment, service):
    before = deployment.podman.pid(service)
    deployment.podman.inside("kill", "-KILL", before)
    wait_until(lambda: deployment.podman.pid(service) not in (0, before), f"{service} runs again",
               TIMEOUT_S)
    deployment.wait_healthy(SERVICES)
    assert set(states(deployment, "vc1").values()) == {"active"}
    for verb, is_active in (("off", False), ("on", True)):
        deployment.comet("power", verb, "vc1")
        wait_until(lambda: (states(deployment, "vc1")["vc1"] == "active") is is_active,
                   f"the frontend is {verb}", TIMEOUT_S)


def test_data_outlive_down_and_down_with_volumes_leaves_nothing(deployment):
    podman = deployment.podman
    podman.compose("down", "-t", "5")
    assert podman.containers() == {}
    podman.compose("up", "-d")
    deployment.wait_healthy(SERVICES)
    assert set(states(deployment, "vc1")) == {"vc1", "vm-vc1-00", "vm-vc1-01"}
    podman.compose("down", "-t", "5", "-v")
    assert podman.containers() == {}
    assert podman.podman("volume", "ls", "-q").stdout.split() == []
    podman.podman("network", "prune", "-f")
    assert podman.podman("network", "ls", "--format", "{{.Name}}").stdout.split() == ["podman"]
    podman.wait_for_no_process(TIMEOUT_S)
