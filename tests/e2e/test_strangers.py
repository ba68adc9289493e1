"""Every route of the OpenAPI document, requested by another tenant with existing ids and with ids
that do not exist: the answers are the same. A new route is tested once it is documented."""
import json
import time

import pytest

from conftest import BIN, wait_until
from http_client import Client
from recordings import plant

DOCUMENT = json.loads((BIN / "portal" / "openapi.json").read_text())
SAME_FOR_ALL = ("X-Request-Id", "Nucleus-Sequence", "Date")
MISSING = {"cluster": "none", "node": "vm-none-00", "id": "999999", "project": "nowhere",
           "reservation": "none", "certificate": "none",
           "image": "x.iso", "allocation": "nothing", "person": "nobody", "token": "0" * 16,
           "upload": "0" * 32, "generation": "9", "recording": "none", "tag": "x:none",
           "host": "no-host", "resource_id": "none", "job_id": "999999", "incident_id": "none",
           "event_id": "none", "project_id": "nowhere", "project_allocation_id": "nothing",
           "user_allocation_id": "nobody"}
PUBLIC = ("{site_id}", "{capability_id}", "{class}")  # the centre's, not a tenant's
PLAIN = {"action": "off", "kind": "serial", "count": 1, "name": "taken", "description": "hers",
         "cpus": 2, "iso_id": "", "is_drained": True, "is_strict": True, "label": "x",
         "version": 1, "walltime_mins": 60, "seconds_max": 1, "format": "raw", "size_bytes": 512,
         "generation": 0, "record_consoles": True, "save_at_power_off": True,
         "boots_from_network": True}


def operations():
    """Each operation whose path or body names an object of a tenant."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            named = "{" in path or names_in_body(operation)
            if named and "x-right" in operation and not path.endswith(PUBLIC):
                yield pytest.param(method, path, operation, id=f"{method} {path}")


def properties(operation):
    for content in operation.get("requestBody", {}).get("content", {}).values():
        return content["schema"].get("properties", {})
    return {}


def names_in_body(operation):
    return {"cluster", "cluster_id"} & set(properties(operation))


def body_of(operation, ids):
    body = {}
    for name in properties(operation):
        if name in ("cluster", "cluster_id"):
            body[name] = ids["cluster"]
        elif name == "project_id":
            body[name] = ids["project"]
        elif name == "image_id":
            body[name] = ids["project"] + "/x"
        elif name == "iso_id":
            body[name] = ids["project"] + "/" + ids["image"]
        elif name == "nodes":
            body[name] = [ids["node"]]
        elif name in PLAIN:
            body[name] = PLAIN[name]
    return json.dumps(body)


def content_of(answer):
    """The body; of the IRI API without the request's own URI."""
    if "/api/v1/" not in answer.url or not answer.content:
        return answer.content
    return {name: value for name, value in answer.json().items() if name != "instance"}


def query_of(operation):
    names = {parameter["name"] for parameter in operation["parameters"]}
    return {"iso_name": ""} if "iso_name" in names else {}


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(operator, stranger):
    """The PI of another project."""
    changed = operator.ask(
        "PUT", "/v2/people/eve", data=json.dumps({"role": "pi", "projects": ["physics"]}))
    assert changed.status_code == 200, changed.text
    return stranger


@pytest.fixture(name="ids", scope="module")
def ids_fixture(shared, admin, operator):
    soon = int(time.time()) + 7 * 86400
    reserved = operator.ask("POST", "/v2/reservations", data=json.dumps(
        {"name": "course", "project_id": "demo", "hosts": "sim-0001", "start_unix_s": soon,
         "end_unix_s": soon + 3600}))
    assert reserved.status_code == 201, reserved.text

    def started():
        answer = admin.ask("POST", "/v2/computesets",
                           data=json.dumps({"cluster_id": "mine", "count": 1}))
        return answer.json() if answer.status_code == 201 else None

    computeset = str(wait_until(started, "a computeset")["computeset_id"])
    allocation = admin.get("/v2/allocations")["allocations"][0]["allocation_id"]
    person = admin.get("/v2/me")["person_id"]
    upload = admin.ask("POST", "/v2/images/demo/hers/uploads",
                       data=json.dumps({"format": "raw", "size_bytes": 512})).json()["upload_id"]
    incident = "reservation-" + str(reserved.json()["reservation_id"])
    assert admin.get("/api/v1/status/incidents/" + incident)["name"] == "course"
    return {"cluster": "mine", "node": "vm-mine-00", "project": "demo", "image": "x.iso",
            "id": computeset, "allocation": allocation, "person": person, "host": "sim-0001",
            "reservation": "course", "certificate": "latest", "resource_id": "mine",
            "job_id": computeset,
            "incident_id": incident, "event_id": incident + "-begun", "project_id": "demo",
            "upload": upload, "generation": "1", "recording": plant(shared, admin, "demo"),
            "tag": "x:stable",
            "project_allocation_id": allocation, "user_allocation_id": person,
            "token": admin.ask("POST", "/v2/me/tokens", data="{}").json()["token_id"]}


@pytest.mark.parametrize("method,path,operation", operations())
def test_objects_of_others_look_like_missing_ones(stranger, ids, method, path, operation):
    answers = []
    for known in (ids, MISSING):
        answer = stranger.ask(method, path.format(**known), data=body_of(operation, known),
                              params=query_of(operation))
        headers = {k: v for k, v in answer.headers.items() if k not in SAME_FOR_ALL}
        headers.pop("Content-Length", None)
        answers.append((answer.status_code, content_of(answer), headers))
    assert answers[0] == answers[1]
    if operation["x-right"] == "operate":
        assert answers[0][0] == 403
    elif operation["summary"].startswith("Not offered"):
        assert answers[0][0] == 400
    else:
        assert answers[0][0] == 404


def test_nothing_was_changed(admin, stranger, ids):
    cluster = admin.get("/v2/clusters/mine")
    assert (cluster["description"], len(cluster["nodes"])) == ("", 4)
    assert {node["revision"] for node in cluster["nodes"]} == {1}
    state = admin.get("/v2/computesets/" + ids["id"])["state"]
    assert state in ("submitted", "running")
    assert stranger.get("/v2/clusters") == {"clusters": []}


def test_the_page_and_the_document_are_served(admin):
    nobody = Client(admin.url)
    served = nobody.ask("GET", "/openapi.json")
    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == DOCUMENT
    page = nobody.ask("GET", "/docs/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/openapi.json" in page.text and "https://" not in page.text
