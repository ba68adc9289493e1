"""A running computeset of real nodes grows and shrinks on a rack: the nodes that stay are not
touched, and the charge follows to the second."""
import os
import re
import subprocess

import pytest

from conftest import BIN, Machines, a_deployment, start_time, wait_until
from machines import Host
from rack import hosts_of, state_of

BOOT_S = 120  # of an emulated guest on a loaded machine


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest, tmp_path_factory):
    """Two hosts, and cluster `c` with three computes."""
    with a_deployment("--rack", "2") as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("c", 3)
        yield Site(machines, tmp_path_factory.mktemp("home"))


class Site:
    def __init__(self, rack, home):
        self.rack, self.rest = rack, rack.rest
        self.hosts = [Host.joined(state_of(rack, name)) for name in ("rack-1", "rack-2")]
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), **rack.env}

    def comet(self, *words, code=0):
        ran = subprocess.run([BIN / "comet", *map(str, words)], env=self.environment, text=True,
                             capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
        assert ran.returncode == code, f"{words}: {ran.stdout}{ran.stderr}"
        return ran.stdout if code == 0 else ran.stderr

    def pid(self, node):
        """Pid and start of its QEMU process."""
        [pid] = [host.emulators()[f"c/{node}"] for host in self.hosts
                 if f"c/{node}" in host.emulators()]
        return pid

    def runs(self, *nodes):
        self.rest.wait_state("c", "active", nodes, timeout_s=BOOT_S)

    def post(self, number, path, body, **headers):
        return self.rest.ask("POST", f"/v2/computesets/{number}/{path}", json=body,
                             headers={k.replace("_", "-"): v for k, v in headers.items()})

    def nodes(self, number):
        ids = {node["node_id"]: name for name, node in self.rest.v2_nodes("c").items()}
        return [ids[node] for node in self.rest.get(f"/v2/computesets/{number}")["nodes"]]

    def time_of(self, text, path):
        """When this step of a timeline was taken."""
        [unix_s] = [step["unix_s"] for step in self.rest.get(path + "/why")["timeline"]
                    if step["text"] == text]
        return unix_s

    def used_core_s(self, number):
        [used] = [entry["used_core_s"] for entry in self.rest.get("/v2/usage")["entries"]
                  if entry["computeset_id"] == number]
        return used


def test_a_computeset_grows_and_shrinks_while_its_other_nodes_run(site):
    number = site.rest.start("c", count=1, walltime_mins=60)
    path = f"/v2/computesets/{number}"
    site.runs("vm-c-00")
    first = site.pid("vm-c-00")
    cpus = site.rest.v2_nodes("c")["vm-c-00"]["cpus"]

    planned = site.comet("grow", number, "vm-c-01", "--plan")
    assert re.search(r"Nodes: vm-c-01 on rack-[12]\nIt would be grown by vm-c-01\n", planned)
    assert site.nodes(number) == ["vm-c-00"]
    grown = [site.post(number, "nodes", {"names": ["vm-c-01"]}, Idempotency_Key="grow-1")
             for _ in range(2)]
    assert [answer.status_code for answer in grown] == [200, 200], grown[0].text
    assert grown[0].json() == grown[1].json()
    site.runs("vm-c-00", "vm-c-01")
    assert site.pid("vm-c-00") == first
    refused = site.post(number, "nodes", {"names": ["vm-c-01"]})
    assert (refused.status_code, refused.json()["field"]) == (400, "names")

    second = site.pid("vm-c-01")
    host = hosts_of(site.rack, "c")["vm-c-01"]
    assert "leave" in site.comet("shrink", number, "vm-c-01", "--poweroff")
    wait_until(lambda: site.nodes(number) == ["vm-c-00"], "the node leaves", BOOT_S)
    assert start_time(second[0]) != second[1], "it left when its domain was gone"
    assert hosts_of(site.rack, "c")["vm-c-01"] == ""
    assert site.pid("vm-c-00") == first
    grown_s = site.time_of("running: grown by vm-c-01", path)
    off_s = site.time_of("vm-c-01 was off", "/v2/clusters/c/nodes/vm-c-01")

    started = site.rest.ask("POST", "/v2/computesets", json={
        "cluster_id": "c", "names": ["vm-c-01"], "walltime_mins": 60})
    assert started.status_code == 201, started.text
    other = started.json()["computeset_id"]
    site.runs("vm-c-01")
    assert hosts_of(site.rack, "c")["vm-c-01"] == host, "it has room again"
    moved = site.pid("vm-c-01")

    # A growth until the end of a walltime that is over soon costs what its plan says.
    start_s = site.rest.get(path)["start_unix_s"]
    plan = site.post(number, "nodes", {"count": 1, "plan": True}).json()
    mins = (plan["expected_start_unix_s"] - start_s) // 60 + 2
    assert site.rest.ask("PATCH", path, json={"walltime_mins": mins}).status_code == 200
    end_s = start_s + mins * 60
    plan = site.post(number, "nodes", {"count": 1, "plan": True}).json()
    assert (plan["names"], plan["cores"]) == (["vm-c-02"], cpus)
    assert plan["core_s_max"] == cpus * (end_s - plan["expected_start_unix_s"])
    assert site.comet("grow", number, "--count=1") == f"Computeset {number} has 2 nodes.\n"
    again_s = site.time_of("running: grown by vm-c-02", path)
    assert site.rest.get(path)["state"] == "running"
    wait_until(lambda: site.rest.get(path)["state"] == "completed", "the end of its walltime",
               180 + BOOT_S)
    late_s = again_s - plan["expected_start_unix_s"]
    assert site.used_core_s(number) == (
        cpus * (end_s - start_s) + cpus * (off_s - grown_s) + plan["core_s_max"] - cpus * late_s)
    assert site.pid("vm-c-01") == moved, "the node that left was not touched at the end"
    ended = site.rest.get(path)
    assert len(ended["nodes"]) == 2
    [sacct] = [line for line in site.rest.ask("GET", "/v2/usage?format=sacct").text.splitlines()
               if line.startswith(f"{number}|")]
    assert "vm-c-[00,02]" in sacct.split("|")

    assert "ends" in site.comet("shrink", other, "vm-c-01", "--poweroff")
    wait_until(lambda: site.rest.get(f"/v2/computesets/{other}")["state"] == "completed",
               "the end of a computeset without nodes", BOOT_S)
