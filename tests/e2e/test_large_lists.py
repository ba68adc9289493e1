"""What was accepted can be listed: a cluster of 4,096 computes, whole and in pages, by both APIs
and by the command; computesets of 2,000 nodes while they run and after; hundreds of clusters in
pages."""
import os
import subprocess

import pytest

from conftest import BIN, a_deployment, session_of, wait_until

COMPUTES = 4096


class Site:
    """Project demo has cluster `big`, and its admin a session."""

    def __init__(self, deployment, home):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), **deployment.env()}
        self.url = deployment.env()["NUCLEUS_URL"]
        self.session = session_of(deployment.env()["NUCLEUS_TOKEN"])
        deployment.nucleus("cluster", "create", "big", "--computes", str(COMPUTES))

    def get(self, path):
        answer = self.session.get(path if path.startswith("http") else self.url + path, timeout=60)
        assert answer.status_code == 200, answer.text[:300]
        return answer

    def pages(self, path, name):
        """All entries, following the links from page to page."""
        entries, url = [], path
        while url:
            answer = self.get(url)
            entries += answer.json()[name]
            url = answer.links.get("next", {}).get("url")
        return entries


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "40") as deployment:
        yield Site(deployment, tmp_path_factory.mktemp("home"))


def test_the_list_of_clusters_counts_the_nodes(site):
    listed = site.get("/v2/clusters").json()["clusters"]
    assert [(c["cluster_id"], c["node_count"]) for c in listed] == [("big", COMPUTES + 1)]
    assert "nodes" not in listed[0]


def test_the_nodes_are_listed_in_pages(site):
    nodes = site.pages("/v2/clusters/big/nodes?limit=1000", "nodes")
    assert [node["index"] for node in nodes] == list(range(COMPUTES + 1))
    wait_until(lambda: all(node["ports"] for node in
                           site.pages("/v2/clusters/big/nodes?limit=1000", "nodes")),
               "ports of all nodes", timeout_s=120)


def test_the_cluster_is_whole_in_both_apis(site):
    assert len(site.get("/v2/clusters/big").json()["nodes"]) == COMPUTES + 1
    for path in ("/v1/cluster/", "/v1/cluster/big/"):
        reply = site.get(path).json()
        cluster = reply[0] if isinstance(reply, list) else reply
        assert cluster["frontend"]["name"] == "big"
        assert len(cluster["computes"]) == COMPUTES
        assert cluster["computes"][-1]["name"] == "vm-big-4095"
    assert site.get("/v1/cluster/big/compute/vm-big-4095/").json()["name"] == "vm-big-4095"


def test_the_command_lists_it(site):
    ran = subprocess.run([BIN / "cm", "comet", "ll"], env=site.env, text=True, capture_output=True,
                         stdin=subprocess.DEVNULL, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "vm-big-[0000-4095]" in ran.stdout and str(COMPUTES) in ran.stdout


def test_computesets_of_two_thousand_nodes_are_listed_while_they_run_and_after(site):
    def comet(*words):
        ran = subprocess.run([BIN / "comet", *words], env=site.env, text=True, capture_output=True,
                             stdin=subprocess.DEVNULL, timeout=120)
        assert (ran.returncode, ran.stderr) == (0, ""), ran
        return ran.stdout

    def listed():
        first = site.get("/v2/computesets?limit=1").json()["computesets"]
        assert len(first) == 1 and len(first[0]["nodes"]) == 2000
        sets = site.pages("/v2/computesets?limit=1000", "computesets")
        assert {len(one["nodes"]) for one in sets} == {2000}
        return [one["state"] for one in sets]

    for number in (1, 2, 3):
        comet("start", "big", "--count=2000", "--walltime=1h", "--wait")
        assert listed() == ["completed"] * (number - 1) + ["running"]
        assert len(site.get(f"/v1/computeset/{number}/").json()["computes"]) == 2000
        assert "running" in comet("computeset")
        comet("terminate", str(number), "--wait")
    assert listed() == ["completed"] * 3
    assert [one["id"] for one in site.get("/v1/computeset/?state=completed").json()] == [1, 2, 3]


def test_many_clusters_are_listed_in_pages(site):
    for i in range(250):
        made = site.session.post(site.url + "/v2/clusters", json={"cluster_id": f"c{i:03}"},
                                 timeout=60)
        assert made.status_code == 201, made.text
    expected = ["big"] + [f"c{i:03}" for i in range(250)]
    for limit in ("", "?limit=7", "?limit=1000"):
        listed = site.pages("/v2/clusters" + limit, "clusters")
        assert [cluster["cluster_id"] for cluster in listed] == expected
    assert [c["name"] for c in site.get("/v1/cluster/").json()] == expected
