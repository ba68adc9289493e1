"""The files of compose/ with podman: built, healthy, used, killed, removed."""
import json
import os
import re
import subprocess

import pytest

from containers import Podman
from conftest import BIN, SERVICES as ALL_SERVICES, wait_until

TIMEOUT_S = 120
MONITORING = {"prometheus", "alertmanager"}
SERVICES = {"redis", *ALL_SERVICES, "operator", *MONITORING}
HOSTS = ("host-1", "host-2")
URL = "http://127.0.0.1:8080"


class Deployment:
    """All containers, as `podman-compose up -d` starts them."""

    def __init__(self, podman):
        self.podman = podman
        self.files, self.services = ["compose.yml"], SERVICES

    def start(self):
        self.compose("up", "-d")
        self.wait_healthy(self.services)
        answer = self.operator("cat", "/var/lib/nucleus/env").stdout
        self.env = dict(re.findall(r"^export (\w+)='(.*)'$", answer, re.M))

    def compose(self, *words, **more):
        return self.podman.compose(*words, files=self.files, **more)

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
        return self.podman.exec("operator", *words, **more)

    def curl(self, path, *words):
        return self.podman.inside("curl", "-sS", "--max-time", "20", "-H",
                                  f"Authorization: Token {self.env['NUCLEUS_TOKEN']}", *words,
                                  URL + path).stdout

    def comet(self, *words):
        return self.podman.inside(BIN / "cm", "comet", *words, env={**os.environ, **self.env})


@pytest.fixture(name="deployment", scope="module")
def deployment_fixture():
    podman = Podman()
    try:
        podman.build()
        deployment = Deployment(podman)
        deployment.start()
        yield deployment
    finally:
        podman.remove()


@pytest.fixture(name="joined", scope="module")
def joined_fixture(deployment):
    """The same after `down`, with two joined hosts in place of the simulated ones."""
    deployment.operator("nucleus", "cluster", "remove", "vc1")
    deployment.operator("nucleus", "cluster", "create", "kept", "--computes", "2")
    deployment.compose("down", "-t", "5")
    assert deployment.podman.containers() == {}
    deployment.files = ["compose.yml", "hosts.yml"]
    deployment.services = SERVICES - {"provisioner"} | set(HOSTS)
    deployment.start()
    return deployment


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
    refused = deployment.podman.exec("console", "nucleus", "host", "list",
                                     "--state", "/etc/nucleus", check=False, timeout=60)
    assert refused.returncode != 0
    listed = deployment.podman.exec("console", "sh", "-c",
                                    "ls /etc/nucleus /keys/* 2>/dev/null").stdout
    assert re.findall(r"\S+\.yaml", listed) == ["settings.yaml"], listed


def prometheus(deployment, path):
    return json.loads(deployment.podman.inside(
        "curl", "-sS", "http://127.0.0.1:9090/api/v1/" + path).stdout)["data"]


def test_prometheus_scrapes_all_of_them_by_name(deployment):
    def up():
        return {t["labels"]["process"] for t in prometheus(deployment, "targets")["activeTargets"]
                if t["health"] == "up"}
    scraped = SERVICES - {"redis", "operator"} - MONITORING
    wait_until(lambda: up() == scraped, "all targets are up", TIMEOUT_S)


def test_prometheus_sends_its_alerts_to_alertmanager(deployment):
    def found():
        return [one["url"] for one in
                prometheus(deployment, "alertmanagers")["activeAlertmanagers"]]
    wait_until(lambda: found() == ["http://alertmanager:9093/api/v2/alerts"], "it is found",
               TIMEOUT_S)


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


def test_data_outlive_down(joined):
    assert set(states(joined, "kept")) == {"kept", "vm-kept-00", "vm-kept-01"}


def hosts(deployment):
    """State and number of nodes of each joined host, by name."""
    lines = deployment.operator("nucleus", "host", "list").stdout.splitlines()[1:]
    return {words[0]: (words[1], int(words[2])) for words in map(str.split, lines)
            if words[0].startswith("host-")}


def wait_hosts(deployment, expected):
    wait_until(lambda: hosts(deployment) == expected, f"hosts are {expected}", TIMEOUT_S)


def test_nodes_of_a_cluster_start_on_both_joined_hosts(joined):
    wait_hosts(joined, {"host-1": ("up", 0), "host-2": ("up", 0)})
    # Two of these nodes fill a host.
    joined.operator("nucleus", "cluster", "create", "vc1", "--computes", "2", "--cpus", "32")
    joined.comet("power", "on", "vc1")
    joined.comet("start", "vc1", "--count=2")
    wait_until(lambda: set(states(joined, "vc1").values()) == {"active"},
               "all nodes are active", TIMEOUT_S)
    assert sorted(nodes for _, nodes in hosts(joined).values()) == [1, 2]


def mounts(deployment, service):
    inspected = deployment.podman.podman("inspect", f"nucleus_{service}_1").stdout
    return {mount["Destination"]: mount["Name"] for mount in json.loads(inspected)[0]["Mounts"]}


def addresses(deployment, service):
    inspected = deployment.podman.podman("inspect", f"nucleus_{service}_1").stdout
    networks = json.loads(inspected)[0]["NetworkSettings"]["Networks"]
    return {name: network["IPAddress"] for name, network in networks.items()}


def can_connect(deployment, service, address, port):
    script = "exec 3<>/dev/tcp/$0/$1"
    # A name is asked for again after 5 s.
    ran = deployment.podman.exec(service, "timeout", "30", "bash", "-c", script, address, port,
                                 check=False)
    return ran.returncode == 0


def fetch_by_tls(deployment, host, url):
    """The HTTP status as the host sees it, if the certificate is one of the CA of its join file."""
    return deployment.podman.exec(host, "curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w",
                                  "%{http_code}", "--cacert", "/var/lib/nucleus/ca.pem", url).stdout


def test_a_host_reaches_what_listens_for_hosts_and_nothing_else(joined):
    for host in HOSTS:
        assert mounts(joined, host) == {"/etc/nucleus": f"nucleus_join_{host}",
                                        "/var/lib/nucleus": f"nucleus_state_{host}"}
        assert set(addresses(joined, host)) == {"nucleus_hosts"}
        assert can_connect(joined, host, "bus", 5570)
        assert can_connect(joined, host, "bus", 5571)
        assert fetch_by_tls(joined, host, "https://console:5572/") == "404"
        assert fetch_by_tls(joined, host, "https://image_store:5573/") == "401"
        for service, port in (("gateway", 8080), ("console", 8081), ("registry", 9400)):
            address = addresses(joined, service)["nucleus_default"]
            assert can_connect(joined, "operator", address, port)
            assert not can_connect(joined, host, address, port)
            # The console has a part for hosts, which finds it by name: with all its ports.
            assert can_connect(joined, host, service, port) is (service == "console")
    keys = {joined.podman.exec(host, "grep", "bus.secret_key", "/etc/nucleus/host.join").stdout
            for host in HOSTS}
    assert len(keys) == len(HOSTS)


def test_a_host_whose_container_was_replaced_is_back_with_its_grants(joined):
    """Its simulated hypervisor ended with the container, and so did its nodes."""
    before = hosts(joined)
    ended = [name for name, (_, nodes) in before.items() if nodes == 1][0]
    joined.podman.podman("rm", "-f", f"nucleus_{ended}_1")
    assert ended not in joined.podman.containers()
    joined.compose("up", "-d", ended)
    joined.wait_healthy({ended})
    wait_hosts(joined, {**before, ended: ("up", 0)})
    node, = [name for name, state in states(joined, "vc1").items() if state == "shutoff"]
    joined.comet("power", "on", "vc1", *([] if node == "vc1" else [node]))
    wait_hosts(joined, before)
    assert set(states(joined, "vc1").values()) == {"active"}


def test_a_host_on_another_machine_joins_this_head(joined, tmp_path):
    """As the page says: with the address of the published ports, from outside of the containers."""
    before = hosts(joined)
    path = "/var/lib/nucleus/host-07.join"
    joined.operator("nucleus", "host", "add", "host-07", "--head-address", "127.0.0.1", "--file",
                    path)
    file = tmp_path / "host-07.join"
    file.write_text(joined.operator("cat", path).stdout)
    inside, state = joined.podman.inside, tmp_path / "s"
    try:
        inside(BIN / "nucleus", "join", file, "--simulated", "--state", state)
        wait_hosts(joined, {**before, "host-07": ("up", 0)})
        for port in (5572, 5573):
            inside("curl", "-sS", "--cacert", state / "ca.pem", f"https://127.0.0.1:{port}/")
        removed = joined.operator("nucleus", "host", "remove", "host-07")
        assert removed.stdout == "host host-07 is removed\n"
        wait_hosts(joined, before)
    finally:
        inside(BIN / "nucleus", "down", "--state", state)


def test_a_host_ends_when_its_key_is_revoked(joined):
    joined.operator("nucleus", "cluster", "remove", "vc1")
    wait_hosts(joined, {"host-1": ("up", 0), "host-2": ("up", 0)})
    joined.operator("nucleus", "host", "remove", "host-2")
    wait_hosts(joined, {"host-1": ("up", 0)})


def test_down_with_volumes_leaves_nothing(joined):
    podman = joined.podman
    joined.compose("down", "-t", "5", "-v")
    assert podman.containers() == {}
    assert podman.podman("volume", "ls", "-q").stdout.split() == []
    podman.podman("network", "prune", "-f")
    assert podman.podman("network", "ls", "--format", "{{.Name}}").stdout.split() == ["podman"]
    podman.wait_for_no_process(TIMEOUT_S)
