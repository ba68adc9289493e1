"""A computeset that starts with fewer nodes than it names, as its admin asks for it."""
import pytest

from comet import run_comet
from conftest import a_deployment, wait_until
from http_client import Admin, operator_of


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "1") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "3")
        yield Site(deployment, tmp_path_factory.mktemp("home"))


class Site(Admin):
    """One host with room for two of the three computes of cluster `c`."""

    def __init__(self, deployment, home):
        super().__init__(deployment)
        self.home = home
        host = operator_of(deployment).get("/v2/hosts")["hosts"][0]
        for node in ("vm-c-00", "vm-c-01", "vm-c-02"):
            changed = self.ask("PATCH", f"/v2/clusters/c/nodes/{node}",
                               json={"cpus": host["cpus"] * 4 // 2})  # overcommitted
            assert changed.status_code == 200, changed.text

    def cm(self, *words, code=0):
        return run_comet(self.home, self.deployment.env(), *words, code=code)


def test_a_computeset_starts_with_as_many_nodes_as_fit_and_the_others_are_free(site):
    refused = site.ask("POST", "/v2/computesets",
                       json={"cluster_id": "c", "count": 3, "node_count_min": 4})
    assert (refused.status_code, refused.json()["field"]) == (400, "node_count_min")
    assert "node_count_min" in site.cm("start", "c", "--count=3", "--at-least=4", code=1)
    planned = site.cm("start", "c", "--count=3", "--at-least=2", "--walltime=1h", "--plan")
    assert "Nodes: vm-c-[00-01] on sim-0001" in planned
    assert "It would be started with 2 of its 3 nodes, without vm-c-02" in planned
    assert site.get("/v2/computesets")["computesets"] == []
    site.cm("start", "c", "--count=3", "--at-least=2", "--walltime=1h", "--wait")
    started = site.get("/v2/computesets/1")
    assert started["state"] == "running" and len(started["nodes"]) == 2
    assert started["reason"] == "started with 2 of its 3 nodes, without vm-c-02"
    [usage] = site.get("/v2/usage")["entries"]
    assert usage["node_count"] == 2
    nodes = {node["name"]: node for node in site.get("/v2/clusters/c")["nodes"]}
    assert nodes["vm-c-02"]["computeset_id"] == 0
    waiting = site.ask("POST", "/v2/computesets",
                       json={"cluster_id": "c", "names": ["vm-c-02"], "node_count_min": 1}).json()
    assert waiting["state"] == "submitted"
    site.cm("terminate", "1")
    wait_until(lambda: site.get("/v2/computesets/2")["state"] == "running", "it starts")
