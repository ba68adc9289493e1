"""Many concurrent requests for scarce resources: exactly the available number succeeds, and each is
charged."""
import concurrent.futures
import json

import pytest

from conftest import a_deployment, wait_until
from http_client import TIMEOUT_S, Admin, operator_of

SLOTS = 10  # the number of nodes of MEMORY_MB that fit on a simulated host, which has 262144
MEMORY_MB = 26_000
AT_ONCE = 100


class Site(Admin):
    """The admin of a deployment; `operator` is its operator."""

    def __init__(self, deployment):
        super().__init__(deployment)
        self.operator = operator_of(deployment)

    def send(self, method, path, body=None, **headers):
        return self.ask_on_new_connection(method, path, json=body, headers={
            name.replace("_", "-"): value for name, value in headers.items()})

    def all_at_once(self, ask):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(ask, range(AT_ONCE)))

    def create(self, name, computes, memory_mb=512):
        self.deployment.nucleus("cluster", "create", name, "--computes", str(computes), "--cpus",
                                "3", "--memory-mb", str(memory_mb))
        wait_until(lambda: self.get(f"/v2/clusters/{name}")["nodes"], name)

    def sets(self, *states):
        wanted = "&".join("state=" + state for state in states)
        return self.get("/nucleus/v1/computeset/?" + wanted)

    def end_all(self):
        def is_over():
            for one in self.sets("created", "submitted", "running"):
                self.send("PUT", f"/nucleus/v1/computeset/{one['id']}/poweroff")
            return not self.sets("created", "submitted", "running", "ending")
        wait_until(is_over, "no computeset is left", TIMEOUT_S)


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "1") as deployment:
        yield Site(deployment)


@pytest.fixture(autouse=True)
def nothing_is_left(site):
    yield
    site.end_all()


def start(site, body, **headers):
    return site.send("POST", "/nucleus/v1/computeset/", body, **headers)


def test_a_hundred_requests_for_ten_nodes_start_exactly_ten(site):
    site.create("tennodes", SLOTS)
    answers = site.all_at_once(lambda _: start(site, {"cluster": "tennodes", "count": 1}))
    won = [answer.json() for answer in answers if answer.status_code == 201]
    lost = [answer for answer in answers if answer.status_code != 201]
    assert len(won) == SLOTS
    assert len({node["name"] for one in won for node in one["computes"]}) == SLOTS
    assert {answer.status_code for answer in lost} == {400}
    assert {answer.json() for answer in lost} == {
        "There are 0 nodes available for starting. 1 were requested: ask for fewer, or end a "
        "computeset."}


def test_a_hundred_computesets_on_a_host_for_ten_run_exactly_ten(site):
    site.create("tenplaces", AT_ONCE, MEMORY_MB)
    answers = site.all_at_once(lambda _: start(site, {"cluster": "tenplaces", "count": 1}))
    assert {answer.status_code for answer in answers} == {201}
    wait_until(lambda: len(site.sets("running")) >= SLOTS, "ten run", TIMEOUT_S)
    running = site.sets("running")
    waiting = site.sets("created", "submitted")
    assert (len(running), len(waiting)) == (SLOTS, AT_ONCE - SLOTS)
    [host] = site.operator.get("/v2/hosts")["hosts"]
    assert host["memory_used_mb"] == MEMORY_MB * SLOTS <= host["memory_mb"]
    # When one ends, exactly one of the waiting ones starts.
    ended = running[0]["id"]
    assert site.send("PUT", f"/nucleus/v1/computeset/{ended}/poweroff").status_code == 204
    wait_until(lambda: len(site.sets("submitted", "created")) == AT_ONCE - SLOTS - 1
               and len(site.sets("running")) == SLOTS, "the next one runs", TIMEOUT_S)
    site.end_all()
    check_charges(site)


def check_charges(site):
    """Each computeset that ran has one entry, cores times seconds; the allocation has the sum."""
    entries = site.get("/v2/usage?limit=1000")["entries"]
    numbers = [entry["computeset_id"] for entry in entries]
    assert len(numbers) == len(set(numbers)) > SLOTS
    for entry in entries:
        assert entry["end_unix_s"] >= entry["start_unix_s"] > 0
        assert entry["used_core_s"] == entry["cores"] * (entry["end_unix_s"]
                                                         - entry["start_unix_s"])
    ran = {one["id"] for one in site.get("/nucleus/v1/computeset/") if one["start_time"]}
    assert ran == set(numbers)
    [allocation] = site.get("/v2/allocations")["allocations"]
    assert allocation["used_core_s"] == sum(entry["used_core_s"] for entry in entries)


def test_a_hundred_requests_for_one_node_succeed_once(site):
    site.create("onenode", 2)
    name = next(node["name"] for node in site.get("/v2/clusters/onenode")["nodes"]
                if node["name"].startswith("vm-"))
    answers = site.all_at_once(lambda _: start(site, {"cluster": "onenode", "computes": [name]}))
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (AT_ONCE - 1)


def test_a_hundred_power_ons_on_a_host_for_ten_start_exactly_ten(site):
    names = [f"f{number}" for number in range(20)]
    for name in names:
        site.create(name, 0, MEMORY_MB)

    def power_on(number):
        return site.send("POST", f"/v2/clusters/{names[number % 20]}/nodes/{names[number % 20]}"
                                "/power", {"action": "on"}).status_code

    def active():
        return [name for name in names
                if site.get(f"/v2/clusters/{name}/nodes/{name}")["state"] == "active"]
    statuses = site.all_at_once(power_on)
    assert set(statuses) <= {202, 503}, statuses
    wait_until(lambda: len(active()) >= SLOTS, "ten are active", TIMEOUT_S)
    [host] = site.operator.get("/v2/hosts")["hosts"]
    assert len(active()) == SLOTS and host["memory_used_mb"] == MEMORY_MB * SLOTS
    for name in names:
        site.send("POST", f"/v2/clusters/{name}/nodes/{name}/power", {"action": "off"})
    wait_until(lambda: not active(), "all are off", TIMEOUT_S)


def test_a_hundred_requests_with_one_idempotency_key_start_one(site):
    site.create("once", SLOTS)
    body = {"cluster_id": "once", "count": 1}
    answers = site.all_at_once(lambda _: site.send("POST", "/v2/computesets", body,
                                                   Idempotency_Key="double-submit"))
    assert {answer.status_code for answer in answers} <= {201, 409}
    again = site.send("POST", "/v2/computesets", body, Idempotency_Key="double-submit")
    numbers = {answer.json()["computeset_id"] for answer in [*answers, again]
               if answer.status_code == 201}
    assert len(numbers) == 1
    assert [one["id"] for one in site.sets("created", "submitted", "running")] == list(numbers)


WRONG = [("count", -1), ("count", 10 ** 18), ("count", 1.5), ("count", float("nan")),
         ("count", float("inf")), ("count", "1"), ("walltime_mins", -1),
         ("walltime_mins", 10 ** 18), ("walltime_mins", 1.5),
         ("walltime_mins", float("nan")), ("walltime_mins", None)]


@pytest.mark.parametrize("field,value", WRONG)
def test_invalid_numbers_are_refused_with_their_field(site, field, value):
    if not site.ask("GET", "/v2/clusters/wrong").ok:
        site.create("wrong", 1)
    body = {"cluster_id": "wrong", "count": 1, field: value}
    # `json=` would refuse NaN itself.
    answer = site.ask("POST", "/v2/computesets", data=json.dumps(body),
                      headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    if value != value or value == float("inf"):  # not valid JSON
        assert problem["type"] == "/problems/invalid_argument"
    else:
        assert problem["field"] == field, problem
    assert site.sets("created", "submitted", "running") == []


@pytest.mark.parametrize("value", [-1, 10 ** 30, 1.5, "x", None, float("nan")])
def test_an_allocation_is_a_whole_number_of_core_seconds(site, value):
    before = site.operator.get("/v2/allocations")
    answer = site.operator.ask("PUT", "/v2/allocations/demo",
                               data=json.dumps({"project_id": "demo", "limit_core_s": value}),
                               headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    if value == value:
        assert answer.json()["field"] == "limit_core_s"
    assert site.operator.get("/v2/allocations") == before
