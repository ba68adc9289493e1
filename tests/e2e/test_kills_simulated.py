"""kill -9 of each process at random moments of a power-on, with simulated hosts. test_kills_real.py
does the same with real machines, less often."""
import os
import random
import re
import subprocess
import time

import yaml

import pytest

from conftest import SERVICES, a_deployment, wait_until
from kills import CarefulClient, Killer, chosen_seed
from machines import TIMEOUT_S, Rest

PROCESSES = ["redis", *SERVICES, "supervisor"]
MOMENTS = int(os.environ.get("NUCLEUS_KILL_MOMENTS", 8))
COMPUTES = [f"vm-crew-{i:02}" for i in range(4)]


class Sweep:
    """A deployment with four simulated hosts and cluster `crew`, and its invariants."""

    def __init__(self, deployment):
        self.deployment = deployment
        env = deployment.env()
        self.rest = Rest(env)
        self.client = CarefulClient(self.rest)
        self.operator = CarefulClient(Rest(env, env["NUCLEUS_OPERATOR_TOKEN"]))
        settings = yaml.safe_load((deployment.state / "config" / "provisioner.yaml").read_text())
        self.provisioner = CarefulClient(Rest({"NUCLEUS_TOKEN": "", "NUCLEUS_URL":
                                               f"http://{settings['metrics.listen']}"}))
        self.kills = dict.fromkeys(PROCESSES, 0)
        self.made = []
        deployment.nucleus("cluster", "create", "crew", "--computes", str(len(COMPUTES)))
        self.rest.power("crew", "poweron")
        self.rest.wait_state("crew", "active", ["crew"])

    def redis(self, *words):
        return subprocess.run(["redis-cli", "-s", self.deployment.state / "run" / "redis.sock",
                               *words], capture_output=True, check=True).stdout

    def domains(self):
        """The number of domains, as the provisioner counts them."""
        text = self.provisioner.read("/metrics").text
        return int(float(re.search(r"(?m)^nucleus_provisioner_domains (\S+)$", text)[1]))

    def wait_all_active(self, number, killed):
        """Waits until all run. Simulated domains end with their provisioner, as after a power
        failure, and only then."""
        def is_settled():
            nodes = self.client.get("/v2/clusters/crew")["nodes"]
            for node in nodes:
                if node["state"] != "shutoff":
                    continue
                assert killed == "provisioner", f"{node['name']} ended: {node['reason']}"
                assert node["reason"] == "it ended while the provisioner was not watching"
                self.client.power_on("crew", node["name"] if node["index"] else None)
            return ({node["state"] for node in nodes} == {"active"}
                    and self.domains() == len(nodes))
        wait_until(is_settled, f"computeset {number} runs", TIMEOUT_S)

    def check_running(self, number):
        one = self.client.get(f"/nucleus/v1/computeset/{number}/")
        assert one["state"] == "running"
        assert sorted(node["name"] for node in one["computes"]) == COMPUTES
        assert {node["active_computeset"] for node in one["computes"]} == {number}
        self.check_counts(1 + len(COMPUTES))

    def check_counts(self, running):
        """As many domains as nodes, and the matching use of the hosts."""
        wait_until(lambda: self.domains() == running, f"{running} domains", TIMEOUT_S)
        hosts = self.operator.get("/v2/hosts")["hosts"]
        assert sum(host["cpus_used"] for host in hosts) == running
        assert sum(host["memory_used_mb"] for host in hosts) == running * 512

    def power_on_through(self, name, after_s):
        with Killer(self.deployment, name, after_s) as killer:
            number = self.client.start("crew", COMPUTES)
            killer.wait_back()
        self.kills[name] += 1
        self.made.append(number)
        self.wait_all_active(number, name)
        self.check_running(number)
        self.client.stop(number)
        self.check_counts(1)

    def time_of_power_on(self):
        began = time.monotonic()
        number = self.client.start("crew", COMPUTES)
        wait_until(lambda: {n["state"] for n in self.client.computes("crew").values()}
                   == {"active"}, "active")
        took = time.monotonic() - began
        self.made.append(number)
        self.client.stop(number)
        return took


@pytest.fixture(name="sweep")
def sweep_fixture():
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        yield Sweep(deployment)


def test_a_power_on_survives_the_kill_of_any_process_at_any_moment(sweep):
    rng = random.Random(chosen_seed())
    usual_s = max(sweep.time_of_power_on() for _ in range(3))
    began = time.monotonic()
    for round_number in range(MOMENTS):
        for name in rng.sample(PROCESSES, len(PROCESSES)):
            after_s = rng.uniform(0, usual_s)
            print(f"round {round_number}: kill {name} after {after_s * 1000:.1f} ms", flush=True)
            try:
                sweep.power_on_through(name, after_s)
            except AssertionError:
                print(sweep.client.get("/v2/clusters/crew"), sweep.deployment.log_tail())
                raise
    print(f"{MOMENTS * len(PROCESSES)} kills in {time.monotonic() - began:.0f} s;"
          f" a power-on takes {usual_s * 1000:.0f} ms")
    check_history(sweep)


def check_history(sweep):
    """In the end each request, event and lease exists once, and nothing died unexpectedly."""
    assert list(sweep.client.sets()) == sweep.made == list(range(1, len(sweep.made) + 1))
    restarts = {p["name"]: p["restarts"] for p in sweep.deployment.status()["processes"]}
    assert restarts == {name: count for name, count in sweep.kills.items() if name != "supervisor"}
    assert sweep.deployment.status()["is_ready"]
    last = int(sweep.redis("GET", "nucleus:sequence"))
    assert int(sweep.redis("XLEN", "nucleus:events")) == last  # no gaps: none lost, none twice
    ports = sweep.redis("--raw", "KEYS", "nucleus:network:ports:*").split()
    assert len(ports) == 1 + len(COMPUTES)
    nodes = sweep.client.get("/v2/clusters/crew")["nodes"]
    macs = [port["mac"] for node in nodes for port in node["ports"]]
    assert len(set(macs)) == len(macs) == 2 + len(COMPUTES)
    assert len(sweep.redis("--raw", "KEYS", "nucleus:network:network:*").split()) == 1
