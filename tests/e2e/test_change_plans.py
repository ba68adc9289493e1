"""`"plan": true` and `--plan` of every change that the scheduler makes: nothing is changed."""
import json
import time

import pytest

from comet import run_comet
from conftest import BIN, a_deployment, wait_until
from http_client import Admin, operator_of

DOCUMENT = json.loads((BIN / "portal" / "openapi.json").read_text())


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        for cluster in ("busy", "c", "asleep"):
            deployment.nucleus("cluster", "create", cluster, "--computes", "3")
        yield Site(deployment, tmp_path_factory.mktemp("home"))


class Site(Admin):
    """Cluster `busy` has a computeset of two nodes."""

    def __init__(self, deployment, home):
        super().__init__(deployment)
        self.home = home
        self.operator = operator_of(deployment)
        self.host = self.operator.get("/v2/hosts")["hosts"][0]["host_id"]
        now = int(time.time())
        self.ask("POST", "/v2/computesets",
                 json={"cluster_id": "busy", "count": 2, "walltime_mins": 600})
        wait_until(lambda: self.get("/v2/computesets/1")["state"] == "running", "it runs")
        wait_until(lambda: all(self.state_of("busy", name) == "active" for name in
                               ("vm-busy-00", "vm-busy-01")), "its nodes run")
        self.ask("POST", "/v2/computesets", json={"cluster_id": "asleep", "count": 1,
                                                "walltime_mins": 60})
        wait_until(lambda: self.state_of("asleep", "vm-asleep-00") == "active", "it runs")
        self.ask("POST", "/v2/computesets/2/hibernate", json={})
        wait_until(lambda: self.get("/v2/computesets/2")["state"] == "hibernated", "it sleeps")
        self.window = {"name": "later", "hosts": self.host, "start_unix_s": now + 86_400,
                       "end_unix_s": now + 90_000}
        made = self.operator.ask("POST", "/v2/reservations", json=self.window)
        assert made.status_code == 201, made.text
        deployment.nucleus("class", "set", "spare")

    def cm(self, *words, code=0):
        return run_comet(self.home, self.deployment.env(), *words, code=code)

    def state_of(self, cluster, node):
        return self.get(f"/v2/clusters/{cluster}/nodes/{node}")["state"]

    def everything(self):
        """What plans could change, without what changes by itself."""
        operator = self.operator
        hosts = operator.get("/v2/hosts?fields=host_id,state,reason,host_class,rack")
        allocations = operator.get("/v2/allocations?fields=allocation_id,limit_core_s,shares")
        return (operator.get("/v2/computesets"), operator.get("/v2/reservations"), hosts,
                operator.get("/v2/host-classes"), allocations,
                [self.get(f"/v2/clusters/{name}/nodes?fields=name,state,host_id")
                 for name in ("busy", "c", "asleep")])

    def changes(self):
        """(method, route, path, body, what the plan must have) of every route with such a plan."""
        window = {**self.window, "name": "another", "start_unix_s": self.window["end_unix_s"],
                  "end_unix_s": self.window["end_unix_s"] + 3600}
        return [
            ("patch", "/v2/computesets/{id}", "/v2/computesets/1", {"walltime_mins": 700},
             lambda plan: plan["more_core_s_max"] == self.cores() * 6000),
            ("post", "/v2/computesets/{id}/power", "/v2/computesets/1/power",
             {"action": "shutdown"},
             lambda plan: plan["computesets"][0]["state"] == "ending" and len(plan["nodes"]) == 2),
            ("post", "/v2/computesets/{id}/hibernate", "/v2/computesets/1/hibernate", {},
             lambda plan: plan["computesets"][0]["state"] == "hibernating"),
            ("post", "/v2/computesets/{id}/resume", "/v2/computesets/2/resume", {},
             lambda plan: plan["computesets"][0]["state"] == "running" and
             plan["nodes"][0]["host_id"] and not plan["more_core_s_max"]),
            ("post", "/v2/computesets/{id}/nodes/remove", "/v2/computesets/1/nodes/remove",
             {"names": ["vm-busy-01"]}, lambda plan: plan["nodes"][0]["name"] == "vm-busy-01"),
            ("post", "/v2/clusters/{cluster}/nodes/{node}/power", "/v2/clusters/c/nodes/c/power",
             {"action": "on"}, lambda plan: plan["nodes"][0]["host_id"]),
            ("post", "/v2/clusters/{cluster}/power", "/v2/clusters/busy/power",
             {"nodes": ["vm-busy-00", "vm-busy-01"], "action": "off"},
             lambda plan: [node["name"] for node in plan["nodes"]] == ["vm-busy-00", "vm-busy-01"]),
            ("patch", "/v2/hosts/{host}", f"/v2/hosts/{self.host}", {"is_drained": True},
             lambda plan: plan["hosts"][0]["state"] == "drained"),
            ("patch", "/v2/hosts/{host}/class", f"/v2/hosts/{self.host}/class", {"rack": "r1"},
             lambda plan: plan["hosts"][0]["rack"] == "r1"),
            ("put", "/v2/host-classes/{class}", "/v2/host-classes/gpu",
             {"price": {"core_milli_su": 4000}},
             lambda plan: plan["host_classes"][0]["price"]["core_milli_su"] == 4000),
            ("delete", "/v2/host-classes/{class}", "/v2/host-classes/spare?plan=true", None,
             lambda plan: plan["host_classes_removed"] == ["spare"]),
            ("put", "/v2/allocations/{allocation}", "/v2/allocations/demo",
             {"project_id": "demo", "shares": 5},
             lambda plan: plan["allocations"][0]["shares"] == 5),
            ("post", "/v2/reservations", "/v2/reservations", window,
             lambda plan: plan["reservations"][0]["name"] == "another"),
            ("patch", "/v2/reservations/{reservation}", "/v2/reservations/later",
             {"reason": "new disks"},
             lambda plan: plan["reservations"][0]["reason"] == "new disks"),
            ("delete", "/v2/reservations/{reservation}", "/v2/reservations/later?plan=true", None,
             lambda plan: plan["reservations_removed"] == ["later"])]

    def cores(self):
        nodes = self.get("/v2/clusters/busy/nodes?fields=name,cpus")["nodes"]
        return sum(node["cpus"] for node in nodes if node["name"] in ("vm-busy-00", "vm-busy-01"))


def test_every_change_has_a_plan_that_changes_nothing(site):
    described = {(method, route) for route, operations in DOCUMENT["paths"].items()
                 for method, operation in operations.items()
                 if "ChangePlan" in json.dumps(operation["responses"].get("200", {}))}
    changes = site.changes()
    assert {(method, route) for method, route, *_ in changes} == described
    before = site.everything()
    for method, _, path, body, is_right in changes:
        more = {} if body is None else {"json": {**body, "plan": True}}
        answer = site.operator.ask(method.upper(), path, **more)
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        assert is_right(answer.json()), f"{method} {path}: {answer.text}"
        assert site.everything() == before, f"{method} {path}"


def test_a_plan_that_is_neither_true_nor_false_is_refused(site):
    before = site.everything()
    for method, _, path, body, _ in site.changes():
        more = {} if body is None else {"json": {**body, "plan": "yes"}}
        answer = site.operator.ask(method.upper(), path.replace("plan=true", "plan=yes"), **more)
        assert answer.status_code == 400, f"{method} {path}: {answer.text}"
        assert answer.json()["field"] == "plan", answer.text
    assert site.everything() == before


def test_a_plan_is_refused_as_the_change_would_be(site):
    ask = site.operator.ask
    long = ask("PATCH", "/v2/computesets/1", json={"walltime_mins": 0, "plan": True})
    assert long.status_code == 400 and long.json()["field"] == "walltime_mins"
    assert ask("PATCH", "/v2/computesets/99",
               json={"walltime_mins": 9, "plan": True}).status_code == 404
    assert ask("DELETE", "/v2/reservations/none?plan=true").status_code == 404
    assert site.ask("PATCH", f"/v2/hosts/{site.host}",
                    json={"is_drained": True, "plan": True}).status_code == 403


def test_commands_show_the_plan_and_change_nothing(site):
    before = site.everything()
    walltime = site.cm("walltime", "1", "700", "--plan")
    assert "computeset 1: running, until 2" in walltime
    assert f"Price: at most {site.cores() * 6000 / 3600:.2f} core hours more" in walltime
    assert "Nothing was changed" in walltime
    assert "core hours less" in site.cm("walltime", "1", "500", "--plan")
    ended = site.cm("terminate", "1", "--plan")
    assert "computeset 1: ending" in ended and "nodes vm-busy-[00-01]: " in ended
    assert "node vm-busy-01: " in site.cm("shrink", "1", "vm-busy-01", "--plan")
    assert "nodes vm-busy-[00-01]: " in site.cm("power", "off", "busy", "vm-busy-[00-01]", "--plan")
    assert "computeset 1: ending" in site.cm("power", "shutdown", "busy", "1", "--plan")
    assert "node c: " in site.cm("power", "on", "c", "--plan")
    assert "Nodes: vm-c-00 on " in site.cm("power", "on", "c", "vm-c-00", "--plan")
    assert "--wait has no effect" in site.cm("terminate", "1", "--plan", "--wait", code=2)
    assert site.everything() == before
