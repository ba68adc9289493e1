"""The IRI Facility API as its clients use it. Every answer is held to the schema that the served
OpenAPI document has for it."""
import datetime
import json
import re
import time

import jsonschema
import pytest

from conftest import a_deployment, wait_until
from http_client import Client

FORMATS = jsonschema.FormatChecker(formats=())
ROOT = "/api/v1/"
FACTS = {"NUCLEUS_GATEWAY_FACILITY_NAME": "Example Centre",
         "NUCLEUS_GATEWAY_FACILITY_ORGANIZATION": "Example University",
         "NUCLEUS_GATEWAY_FACILITY_SUPPORT_URI": "https://support.example.org/",
         "NUCLEUS_GATEWAY_FACILITY_NODE_CORES": "4"}


@FORMATS.checks("date-time", ValueError)
def is_time(text):
    return bool(datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


@FORMATS.checks("uri")
def is_uri(text):
    return re.match(r"(https?://|mailto:|about:)", text) is not None


class Iri(Client):
    """A client of the IRI API that checks each answer."""

    def __init__(self, url, token=None):
        super().__init__(url, token)
        self.document = self.ask("GET", "/openapi.json").json()

    def operation(self, method, path):
        for pattern, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path.partition("?")[0]):
                return methods[method.lower()]
        raise AssertionError(f"{path} is not described")

    def call(self, method, path, body=None, status=200):
        """The JSON of an answer with this status."""
        answer = self.ask(method, ROOT + path, json=body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        answers = self.operation(method, ROOT + path)["responses"]
        described = answers.get(str(status), answers["default"]).get("content")
        if not described:
            assert answer.content == b""
            return None
        [(kind, content)] = described.items()
        assert answer.headers["Content-Type"] == kind
        jsonschema.Draft202012Validator(
            {**content["schema"], "components": self.document["components"]},
            format_checker=FORMATS).validate(answer.json())
        return answer.json()

    def list(self, path):
        return self.call("GET", path)

    def submit(self, cluster, node_count, **attributes):
        return self.call("POST", f"compute/job/{cluster}",
                         {"resources": {"node_count": node_count}, "attributes": attributes})

    def cancel(self, cluster, number):
        self.call("DELETE", f"compute/cancel/{cluster}/{number}", status=204)

    def end(self, cluster, number):
        """Cancels a running job; its nodes are free when this returns."""
        self.cancel(cluster, number)
        self.wait_state(cluster, number, "completed")

    def job(self, cluster, number, query=""):
        return self.call("GET", f"compute/status/{cluster}/{number}{query}")

    def wait_state(self, cluster, number, state):
        return wait_until(lambda: (job := self.job(cluster, number))["status"]["state"] == state
                          and job, f"job {number} is {state}")


@pytest.fixture(name="shared", scope="module")
def shared_fixture():
    with a_deployment("--simulated", "--hosts", "2", settings=FACTS) as deployment:
        deployment.nucleus("cluster", "create", "mine", "--computes", "3")
        yield deployment


@pytest.fixture(name="member", scope="module")
def member_fixture(admin):
    return Iri(admin.url, admin.token)


@pytest.fixture(name="anyone", scope="module")
def anyone_fixture(admin):
    return Iri(admin.url)


@pytest.fixture(name="outsider", scope="module")
def outsider_fixture(stranger):
    return Iri(stranger.url, stranger.token)


def test_a_client_finds_the_facility_submits_a_job_and_cancels_it(member):
    facility = member.list("facility")
    assert facility["name"] == "Example Centre"
    assert facility["organization_name"] == "Example University"
    [site] = member.list("facility/sites")
    assert site["self_uri"] in facility["site_uris"]
    assert member.list("facility/sites/" + site["id"])["operating_organization"] == (
        "Example University")
    [resource] = member.list("status/resources?resource_type=compute&name=mine")
    assert resource["self_uri"] in site["resource_uris"]
    assert (resource["current_status"], resource["group"]) == ("up", "demo")
    assert member.list("status/resources/mine")["id"] == "mine"
    assert [one["id"] for one in member.list("compute/resources")] == ["mine"]

    job = member.submit("mine", 2, duration=90)
    active = member.wait_state("mine", job["id"], "active")
    assert len(active["status"]["meta_data"]["nodes"]) == 2
    wait_until(lambda: [node["state"] for node in member.get("/v2/clusters/mine")["nodes"]]
               .count("active") == 2, "two nodes are active")
    spec = member.job("mine", job["id"], "?include_spec=true")["job_spec"]
    assert spec["resources"] == {"node_count": 2} and spec["attributes"]["duration"] == 120
    # What a client reads, it can send again.
    spec["attributes"]["duration"] = 7200
    changed = member.call("PUT", "compute/job/mine/" + job["id"], spec)
    assert changed["status"]["meta_data"]["walltime_mins"] == 120

    member.cancel("mine", job["id"])
    ended = member.wait_state("mine", job["id"], "completed")
    assert ended["status"]["time"] == ended["status"]["meta_data"]["end_unix_s"]
    assert member.call("POST", "compute/status/mine") == []
    old = member.call("POST", "compute/status/mine?historical=true")
    assert [one["id"] for one in old] == [job["id"]]
    member.call("GET", f"compute/status/mine/{job['id']}?historical=false", status=404)


def test_a_job_that_waits_is_queued_and_canceled(member, anyone, operator):
    def drain(is_drained):
        for host in ("sim-0001", "sim-0002"):
            changed = operator.ask("PATCH", "/v2/hosts/" + host, json={"is_drained": is_drained})
            assert changed.status_code == 200, changed.text

    def status():
        return {one["id"]: one["current_status"] for one in member.list("status/resources")}

    drain(True)
    wait_until(lambda: status() == {"_centre": "down", "mine": "down"}, "no host is up")
    assert anyone.list("status/resources?current_status=up") == []
    job = member.submit("mine", 1)
    assert member.job("mine", job["id"])["status"]["state"] == "queued"
    assert member.job("mine", job["id"])["status"]["message"] != ""
    member.cancel("mine", job["id"])
    member.wait_state("mine", job["id"], "canceled")
    drain(False)
    wait_until(lambda: status() == {"_centre": "up", "mine": "up"}, "the hosts are up")


@pytest.mark.parametrize("field,body", [
    ("executable", {"executable": "/bin/date"}),
    ("arguments", {"arguments": ["-l"]}),
    ("environment", {"environment": {"A": "b"}}),
    ("container", {"container": {"image": "x"}}),
    ("launcher", {"launcher": "mpirun"}),
    ("resources.memory", {"resources": {"memory": 1}}),
    ("resources.node_count", {"resources": {"node_count": 0}}),
    ("attributes.queue_name", {"attributes": {"queue_name": "debug"}}),
    ("attributes.duration", {"attributes": {"duration": "1h"}}),
    ("attributes.account", {"attributes": {"account": "no such allocation"}}),
    ("attributes.custom_attributes.qos", {"attributes": {"custom_attributes": {"qos": "x"}}}),
    ("nonsense", {"nonsense": 1})])
def test_what_a_cluster_cannot_do_is_refused_with_its_field(member, field, body):
    answer = member.ask("POST", ROOT + "compute/job/mine", json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert (answer.json()["field"], answer.json()["status"]) == (field, answer.status_code)
    assert member.call("POST", "compute/status/mine") == []


def test_empty_fields_of_a_program_and_a_name_are_accepted(member):
    job = member.call("POST", "compute/job/mine", {
        "executable": None, "arguments": [], "environment": {}, "container": None, "name": "run 1",
        "inherit_environment": True, "resources": {"node_count": 1, "memory": None},
        "attributes": {"queue_name": None, "custom_attributes": {"node_count_min": "1"}}})
    refused = member.call("PUT", "compute/job/mine/" + job["id"],
                          {"resources": {"node_count": 2}, "attributes": {"duration": 60}}, 400)
    assert refused["field"] == "resources.node_count"
    member.end("mine", job["id"])


def test_jobs_are_listed_by_offset_limit_and_filter(member):
    for number in range(3):
        job = member.submit("mine", 1)
        member.end("mine", job["id"])
    path = "compute/status/mine?historical=true"
    every = [one["id"] for one in member.call("POST", path)]
    assert len(every) >= 3
    assert [one["id"] for one in member.call("POST", path + "&offset=1&limit=2")] == every[1:3]
    assert member.call("POST", path + "&limit=0") == []
    completed = member.call("POST", path, {"state": ["completed", "held"], "account": "demo"})
    assert {one["status"]["state"] for one in completed} == {"completed"}
    assert member.call("POST", path, {"state": "held"}) == []
    assert member.call("POST", path, {"account": "none"}) == []
    for body, field in (({"state": "x"}, "state"), ({"user": "x"}, "user")):
        assert member.call("POST", path, body, 400)["field"] == field
    for query, field in (("limit=1001", "limit"), ("offset=-1", "offset"), ("page=1", "page"),
                         ("historical=yes", "historical")):
        answer = member.call("POST", "compute/status/mine?" + query, status=400)
        assert answer["field"] == field


def test_without_a_credential_only_the_centre_is_seen(anyone):
    assert anyone.list("facility")["support_uri"] == "https://support.example.org/"
    [centre] = anyone.list("status/resources")
    assert (centre["id"], centre["resource_type"], centre["current_status"]) == (
        "_centre", "system", "up")
    assert anyone.list("compute/resources") == []
    anyone.call("GET", "status/resources/mine", status=404)
    for path in ("compute/status/mine/1", "account/projects"):
        anyone.call("GET", path, status=401)
    wrong = Iri(anyone.url, "0" * 40)
    wrong.call("GET", "status/resources", status=401)


def test_another_project_sees_nothing_of_the_cluster(member, outsider):
    job = member.submit("mine", 1)
    assert [one["id"] for one in outsider.list("status/resources")] == ["_centre"]
    assert outsider.list("compute/resources") == []
    for method, path, body in (
            ("GET", "status/resources/mine", None), ("POST", "compute/job/mine", {}),
            ("GET", f"compute/status/mine/{job['id']}", None),
            ("POST", "compute/status/mine", None),
            ("PUT", f"compute/job/mine/{job['id']}", {"attributes": {"duration": 60}}),
            ("DELETE", f"compute/cancel/mine/{job['id']}", None)):
        assert outsider.call(method, path, body, 404)["detail"] == "Not found."
    # Nor is a job found below another resource than its own.
    member.call("GET", f"compute/status/_centre/{job['id']}", status=404)
    member.end("mine", job["id"])


def test_a_token_without_power_reads_and_does_not_submit(member):
    made = member.ask("POST", "/v2/me/tokens", json={"rights": ["read"]})
    reader = Iri(member.url, made.json()["token"])
    assert [one["id"] for one in reader.list("compute/resources")] == ["mine"]
    reader.call("POST", "compute/status/mine?historical=true")
    reader.call("POST", "compute/job/mine", {}, 403)
    reader.call("PUT", "compute/job/mine/1", {}, 403)
    reader.call("DELETE", "compute/cancel/mine/1", status=403)


def test_a_repeated_submission_with_its_key_starts_one_job(member):
    keyed = {"headers": {"Idempotency-Key": "job-1"}, "json": {"resources": {"node_count": 1}}}
    first, second = (member.ask("POST", ROOT + "compute/job/mine", **keyed) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json()["id"] == second.json()["id"]
    member.end("mine", first.json()["id"])


def test_what_is_not_served_is_a_problem(member):
    for path in ("filesystem/resources", "task", "no/such/route"):
        answer = member.ask("GET", ROOT + path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {"type", "status", "instance"} <= set(answer.json())
    answer = member.ask("PATCH", ROOT + "facility")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_allocations_are_in_node_hours(member, outsider, operator):
    made = operator.ask("PUT", "/v2/allocations/grant",
                        json={"project_id": "demo", "limit_core_s": 4 * 3600 * 10})
    assert made.status_code == 200, made.text
    paid = member.ask("POST", "/v2/clusters", json={"cluster_id": "paid", "compute_count": 1,
                                                    "allocations": ["grant"]})
    assert paid.status_code == 201, paid.text
    job = member.submit("paid", 1, account="grant", duration=3600)
    member.wait_state("paid", job["id"], "active")
    member.end("paid", job["id"])

    [capability] = member.list("account/capabilities")
    assert member.list("account/capabilities/cores")["units"] == ["node_hours"]
    assert capability["self_uri"] in member.list("status/resources/paid")["capability_uris"]
    [project] = member.list("account/projects")
    assert (project["id"], "admin" in project["user_ids"]) == ("demo", True)
    root = "account/projects/demo"
    assert member.list(root)["self_uri"] == project["self_uri"]
    allocations = {one["id"]: one for one in member.list(root + "/project_allocations")}
    assert set(allocations) == {"demo", "grant"}
    [unlimited] = allocations["demo"]["entries"]
    assert unlimited["limit_core_s"] == 0 and unlimited["allocation"] > 1e11
    path = root + "/project_allocations/grant"
    [entry] = member.list(path)["entries"]
    assert (entry["allocation"], entry["unit"]) == (10.0, "node_hours")
    assert entry["usage"] == pytest.approx(entry["used_core_s"] / 3600 / 4)
    [user] = member.list(path + "/user_allocations")
    assert (user["user_id"], user["entries"]) == ("admin", [entry])
    assert member.list(path + "/user_allocations/admin") == user
    member.call("GET", path + "/user_allocations/nobody", status=404)
    member.call("GET", root + "/project_allocations/nothing", status=404)
    for hidden in (root, root + "/project_allocations", path, path + "/user_allocations"):
        outsider.call("GET", hidden, status=404)
    assert [one["id"] for one in outsider.list("account/projects")] == ["physics"]


def test_windows_and_reservations_are_incidents(member, outsider, anyone, operator):
    def reserve(name, **more):
        made = operator.ask("POST", "/v2/reservations", json={"name": name, **more})
        assert made.status_code == 201, made.text

    now = int(time.time())
    reserve("fans", hosts="sim-0001", end_unix_s=now + 3600, reason="new fans")
    reserve("course", hosts="sim-0002", project_id="demo", start_unix_s=now + 86400,
            end_unix_s=now + 90000)
    wait_until(lambda: operator.get("/v2/reservations/fans")["state"] == "active", "it begins")

    window, course = member.list("status/incidents")
    assert (window["name"], window["type"], window["description"]) == (
        "fans", "planned", "new fans")
    assert (window["status"], window["resolution"]) == ("degraded", "unresolved")
    assert (course["type"], course["resolution"], course["event_uris"]) == (
        "reservation", "pending", [])
    [event] = member.list("status/events")
    assert event["self_uri"] in window["event_uris"]
    assert event["incident_uri"] == window["self_uri"]
    assert member.list("status/events/" + event["id"]) == event
    assert member.list("status/incidents/" + window["id"])["start"] == window["start"]

    # Another project sees the window alone; its name is shown only with a credential.
    assert [one["name"] for one in outsider.list("status/incidents")] == ["fans"]
    outsider.call("GET", "status/incidents/" + course["id"], status=404)
    [public] = anyone.list("status/incidents")
    assert public["id"] == window["id"] and "description" not in public
    assert "fans" not in json.dumps(public) + json.dumps(anyone.list("status/events"))

    def names(query):
        return [one["name"] for one in member.list("status/incidents?" + query)]

    later = datetime.datetime.fromtimestamp(now + 7200, datetime.timezone.utc)
    later = later.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert names("type=planned") == names("to=" + later) == ["fans"]
    assert names("resolution=pending") == names("from=" + later) == ["course"]
    assert names("time=" + later) == names("resource_id=mine") == []
    assert names("limit=1&offset=1") == ["course"]
    assert member.list("status/events?status=up") == []
    for query in ("type=fire", "from=yesterday", "from=2026-02-30T00:00:00Z", "time=2026-02-21",
                  "limit=x"):
        answer = member.call("GET", "status/incidents?" + query, status=400)
        assert answer["field"] == query.partition("=")[0]
    for name in ("fans", "course"):
        assert operator.ask("DELETE", "/v2/reservations/" + name).status_code == 204


def test_every_described_route_answers_as_described(member):
    described = [(method.upper(), path[len(ROOT):])
                 for path, methods in member.document["paths"].items()
                 for method in methods if path.startswith(ROOT)]
    assert len(described) == 23
    for method, path in described:
        missing = re.sub(r"\{\w+\}", "none", path)
        status = 200 if missing == path else 404
        member.call(method, missing, {} if method in ("POST", "PUT") else None, status)
