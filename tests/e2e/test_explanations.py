"""`--plan` and `why` as the members of a project and the operator use them."""
import re

import pytest

from comet import run_comet
from conftest import a_deployment, wait_until
from http_client import Admin, Client, operator_of


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "1") as deployment:
        for cluster in ("busy", "c", "d"):
            deployment.nucleus("cluster", "create", cluster, "--computes", "2")
        yield Site(deployment, tmp_path_factory.mktemp("home"))


class Site(Admin):
    """One host; cluster `busy` holds all of it for 20 minutes."""

    def __init__(self, deployment, home):
        super().__init__(deployment)
        self.home = home
        self.operator = operator_of(deployment)
        self.stranger = Client(self.url, deployment.add_person("eve", "physics"))
        cpus = self.operator.get("/v2/hosts")["hosts"][0]["cpus"] * 4  # overcommitted
        for cluster in ("busy", "c"):
            for node in (f"vm-{cluster}-00", f"vm-{cluster}-01"):
                changed = self.ask("PATCH", f"/v2/clusters/{cluster}/nodes/{node}",
                                   json={"cpus": cpus // 2})
                assert changed.status_code == 200, changed.text
        self.busy = self.start(cluster_id="busy", count=2, walltime_mins=20).json()

    def start(self, **body):
        return self.ask("POST", "/v2/computesets", json=body)

    def sets(self):
        return self.get("/v2/computesets?fields=computeset_id,state")

    def cm(self, *words, code=0, token=None):
        env = self.deployment.env()
        if token:
            env["NUCLEUS_TOKEN"] = env[token]
        return run_comet(self.home, env, *words, code=code)

    def subjects(self, path, client=None):
        return [cause["subject"] for cause in (client or self).get(path)["causes"]]


def test_a_plan_shows_price_and_start_and_changes_nothing(site):
    wait_until(lambda: site.get("/v2/computesets/1")["state"] == "running", "busy runs")
    before = site.sets()
    planned = site.start(cluster_id="c", count=2, walltime_mins=60, plan=True)
    assert planned.status_code == 200
    plan = planned.json()
    assert plan["computeset"]["state"] == "submitted"
    assert plan["names"] == ["vm-c-00", "vm-c-01"] and plan["hosts"] == []
    assert plan["core_s_max"] == plan["cores"] * 3600
    assert plan["expected_start_unix_s"] == site.get("/v2/computesets/1")["start_unix_s"] + 20 * 60
    assert [cause["subject"] for cause in plan["causes"]] == ["this computeset", "computeset 1"]
    shown = site.cm("start", "c", "vm-c-00", "--walltime=1h", "--plan")
    assert "Nodes: vm-c-00\n" in shown and "core hours of allocation demo" in shown
    assert "computeset 1: running" in shown and "Nothing was changed" in shown
    assert site.sets() == before


def test_a_plan_is_refused_as_the_start_would_be(site):
    before = site.sets()
    refused = site.start(cluster_id="c", count=3, plan=True)
    assert refused.status_code == 400 and refused.json()["field"] == "count"
    assert "3 were requested" in refused.text
    wrong = site.start(cluster_id="c", count=1, plan="yes")
    assert wrong.status_code == 400 and wrong.json()["field"] == "plan"
    assert "--wait has no effect" in site.cm("start", "c", "--count=1", "--plan", "--wait", code=2)
    assert "no such cluster" in site.cm("start", "none", "--count=1", "--plan", code=1)
    hidden = site.stranger.ask("POST", "/v2/computesets",
                               json={"cluster_id": "c", "count": 1, "plan": True})
    assert hidden.status_code == 404
    assert site.sets() == before


def test_why_follows_a_wait_to_what_frees_it(site):
    waiting = site.start(cluster_id="c", count=2, walltime_mins=60).json()["computeset_id"]
    behind = site.start(cluster_id="d", count=1, walltime_mins=60).json()["computeset_id"]
    path = f"/v2/computesets/{waiting}/why"
    assert site.subjects(path) == [f"computeset {waiting}", "computeset 1"]
    explained = site.get(path)
    assert explained["queue"]["ahead"] == 0
    assert explained["expected_start_unix_s"] == site.get(
        f"/v2/computesets/{waiting}")["predicted_start_unix_s"]
    assert explained["timeline"][0]["text"] == "accepted"
    assert site.get(f"/v2/computesets/{behind}/why")["queue"]["ahead"] == 1
    node = site.cm("why", "c", "vm-c-00")
    assert node.startswith("node vm-c-00: ")
    assert f"computeset {waiting}: submitted" in node and "Expected start: 2" in node
    assert f"computeset {waiting}: submitted" in site.cm("why", str(waiting))
    assert re.search(r"; priority \d+\.\d\d \(age \d\.\d\d, fair share \d\.\d\d\)\n",
                     site.cm("why", str(waiting)))
    assert site.stranger.ask("GET", path).status_code == 404
    assert "no such thing" in site.cm("why", "999", code=1)
    for number in (behind, waiting):
        site.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
    ended = site.get(path)
    assert [cause["state"] for cause in ended["causes"]] == ["cancelled"]
    assert ended["timeline"][-1]["text"].startswith("cancelled")
    assert "queue" not in ended


def test_a_host_is_explained_to_operators_alone(site):
    host = site.operator.get("/v2/hosts")["hosts"][0]["host_id"]
    site.deployment.nucleus("host", "drain", host, "--reason", "bad DIMM")
    waiting = site.start(cluster_id="d", count=1, walltime_mins=60).json()["computeset_id"]
    try:
        assert site.subjects(f"/v2/computesets/{waiting}/why") == [f"computeset {waiting}"]
        assert site.subjects(f"/v2/computesets/{waiting}/why", site.operator) == [
            f"computeset {waiting}", f"host {host}"]
        assert site.ask("GET", f"/v2/hosts/{host}/why").status_code == 403
        shown = site.cm("why", f"--host={host}", token="NUCLEUS_OPERATOR_TOKEN")
        assert f"host {host}: drained: bad DIMM" in shown
        assert f"nucleus host resume {host}" in shown
    finally:
        site.deployment.nucleus("host", "resume", host)
        site.ask("POST", f"/v2/computesets/{waiting}/power", json={"action": "off"})


def test_shares_are_set_and_why_shows_the_place_in_the_queue(site):
    operator = site.operator
    for name, shares in (("heavy", 1), ("light", 9)):
        made = operator.ask("PUT", f"/v2/allocations/{name}",
                            json={"project_id": "demo", "shares": shares})
        assert made.json()["shares"] == shares
    changed = site.ask("PATCH", "/v2/clusters/c", json={"allocations": ["heavy", "light"]})
    assert changed.status_code == 200, changed.text
    first = site.start(cluster_id="c", names=["vm-c-00"], allocation_id="heavy").json()
    second = site.start(cluster_id="c", names=["vm-c-01"], allocation_id="light").json()
    whys = [site.get(f"/v2/computesets/{one['computeset_id']}/why")["queue"]
            for one in (first, second)]
    assert whys[0]["fair_share"] == whys[1]["fair_share"] == 1, "neither has used anything"
    assert [why["ahead"] for why in whys] == [0, 1]
    for one in (first, second):
        site.ask("POST", f"/v2/computesets/{one['computeset_id']}/power", json={"action": "off"})
    wrong = operator.ask("PUT", "/v2/allocations/heavy",
                         json={"project_id": "demo", "shares": 0})
    assert wrong.status_code == 400 and wrong.json()["field"] == "shares"
