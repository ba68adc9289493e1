"""Classes of hosts and racks: who runs where, and at which price."""
import time

import pytest

from comet import run_comet
from conftest import a_deployment, wait_until
from http_client import Admin, operator_of


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "6") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "8")
        yield Site(deployment, tmp_path_factory.mktemp("home"))


class Site(Admin):
    """Six hosts: the last two are of class gpu, the others in two racks."""

    def __init__(self, deployment, home):
        super().__init__(deployment)
        self.home = home
        self.operator = operator_of(deployment)
        self.hosts = [host["host_id"] for host in self.operator.get("/v2/hosts")["hosts"]]
        deployment.nucleus("class", "set", "gpu", "--core", "2.5", "--memory-gib", "0.5")
        for rack, hosts in (("r1", self.hosts[:2]), ("r2", self.hosts[2:4])):
            deployment.nucleus("host", "set", ",".join(hosts), "--rack", rack)
        deployment.nucleus("host", "set", ",".join(self.hosts[4:]), "--class", "gpu")

    def cm(self, *words, code=0):
        return run_comet(self.home, self.deployment.env(), *words, code=code)

    def start(self, **body):
        answer = self.ask("POST", "/v2/computesets",
                          json={"cluster_id": "c", "walltime_mins": 60, **body})
        assert answer.status_code == 201, answer.text
        number = answer.json()["computeset_id"]
        wait_until(lambda: self.get(f"/v2/computesets/{number}")["state"] == "running", "it runs")
        return number

    def hosts_of(self, number):
        nodes = self.get("/v2/clusters/c/nodes")["nodes"]
        return {node["host_id"] for node in nodes if node["computeset_id"] == number}

    def end(self, number):
        self.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
        wait_until(lambda: self.get(f"/v2/computesets/{number}")["state"] == "completed", "it ends")
        return self.get("/v2/usage")["entries"][-1]


def test_a_computeset_runs_on_its_class_and_pays_its_price(site):
    plan = site.cm("start", "c", "--count=2", "--class=gpu", "--walltime=1h", "--plan")
    assert "(class gpu)" in plan
    number = site.start(count=2, host_class="gpu")
    assert site.hosts_of(number) <= set(site.hosts[4:])
    wait_until(lambda: time.time() - site.get(f"/v2/computesets/{number}")["start_unix_s"] >= 3,
               "some seconds are charged")
    usage = site.end(number)
    assert usage["host_class"] == "gpu"
    milli_su = usage["cores"] * 2500 + usage["memory_mb"] * 500 // 1024
    seconds = usage["end_unix_s"] - usage["start_unix_s"]
    assert usage["used_core_s"] == milli_su * seconds // 1000 > 0
    project = site.get("/v2/usage?by=project")["totals"][0]
    assert project["used_core_s"] == sum(
        entry["used_core_s"] for entry in site.get("/v2/usage")["entries"])


def test_what_names_no_class_runs_on_default_in_one_rack(site):
    number = site.start(count=2)
    used = site.hosts_of(number)
    assert used <= set(site.hosts[:2]) or used <= set(site.hosts[2:4])
    assert site.get(f"/v2/computesets/{number}")["host_class"] == "default"
    site.end(number)


def test_classes_and_prices_are_listed_for_everybody(site):
    classes = {one["name"]: one for one in site.get("/v2/host-classes")["classes"]}
    assert classes["gpu"] == {"name": "gpu", "host_count": 2,
                              "price": {"core_milli_su": 2500, "gib_milli_su": 500}}
    assert classes["default"]["host_count"] == 4
    row = next(line for line in site.cm("classes", "--format=csv").splitlines() if "gpu" in line)
    assert row == "gpu,2,2.5,0.5"
    assert "gpu" in site.deployment.nucleus("class", "list").stdout
    listed = site.deployment.nucleus("host", "list").stdout
    assert "gpu" in next(line for line in listed.splitlines() if line.startswith(site.hosts[5]))


def test_a_change_of_price_is_an_event_and_of_no_consequence_for_what_runs(site):
    number = site.start(count=1, host_class="gpu")
    assert site.get("/v2/usage")["entries"][-1]["core_milli_su"] == 2500
    changed = site.operator.ask("PUT", "/v2/host-classes/gpu", json={"price": {"core_milli_su": 1}})
    assert changed.status_code == 200, changed.text
    assert site.get("/v2/usage")["entries"][-1]["core_milli_su"] == 2500
    site.end(number)
    site.deployment.nucleus("class", "set", "gpu", "--core", "2.5", "--memory-gib", "0.5")


@pytest.mark.parametrize("method,path,body,code,field", [
    ("POST", "/v2/computesets", {"cluster_id": "c", "count": 1, "host_class": "tpu"}, 400,
     "host_class"),
    ("PATCH", "/v2/hosts/{host}/class", {}, 400, "host_class"),
    ("PATCH", "/v2/hosts/{host}/class", {"host_class": "tpu"}, 400, "host_class"),
    ("PATCH", "/v2/hosts/{host}/class", {"rack": "a b"}, 400, "rack"),
    ("PUT", "/v2/host-classes/x", {"price": {"core_milli_su": -1}}, 400, "core_milli_su"),
    ("PUT", "/v2/host-classes/x", {}, 400, "price"),
    ("DELETE", "/v2/host-classes/default", None, 409, "name"),
    ("DELETE", "/v2/host-classes/gpu", None, 409, "name"),
    ("DELETE", "/v2/host-classes/none", None, 404, None)])
def test_what_cannot_be_is_refused(site, method, path, body, code, field):
    before = (site.get("/v2/host-classes"), site.operator.get("/v2/hosts?fields=host_id,rack"))
    who = site if path == "/v2/computesets" else site.operator
    answer = who.ask(method, path.format(host=site.hosts[0]), json=body)
    assert answer.status_code == code, answer.text
    if field:
        assert answer.json()["field"] == field, answer.text
    assert (site.get("/v2/host-classes"),
            site.operator.get("/v2/hosts?fields=host_id,rack")) == before


def test_only_operators_change_classes(site):
    assert site.ask("PUT", "/v2/host-classes/x", json={"price": {}}).status_code == 403
    assert site.ask("DELETE", "/v2/host-classes/gpu").status_code == 403
    assert site.ask("PATCH", f"/v2/hosts/{site.hosts[0]}/class",
                    json={"rack": "r9"}).status_code == 403


def test_a_removal_of_a_host_has_a_plan(site):
    planned = site.deployment.nucleus("host", "remove", site.hosts[0], "--plan")
    assert f"host {site.hosts[0]} would be removed" in planned.stdout
    assert "Nothing was changed" in planned.stdout
    assert site.operator.get(f"/v2/hosts/{site.hosts[0]}")["state"] == "up"
    number = site.start(count=1, host_class="gpu")
    busy = site.hosts_of(number).pop()
    refused = site.deployment.nucleus("host", "remove", busy, "--plan", check=False)
    assert refused.returncode != 0 and "has 1 nodes" in refused.stderr
    site.end(number)
