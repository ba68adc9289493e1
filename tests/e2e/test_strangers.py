"""Every route of the OpenAPI document, asked by another tenant with ids of ours and with ids that
nobody has: the answers are the same. A route that is new is asked as soon as it is reply."""
import json

import pytest
import requests

from conftest import BIN, a_deployment, session_of, wait_until

DOCUMENT = json.loads((BIN / "portal" / "openapi.json").read_text())
SAME_FOR_ALL = ("X-Request-Id", "Nucleus-Sequence", "Date")
NOBODYS = {"cluster": "none", "node": "vm-none-00", "id": "999999", "project": "nowhere",
           "image": "x.iso", "allocation": "nothing", "person": "nobody", "token": "0" * 16,
           "host": "no-host"}
PLAIN = {"action": "off", "kind": "serial", "count": 1, "name": "taken", "description": "hers",
         "cpus": 2, "iso_id": "", "is_drained": True, "is_strict": True, "label": "x",
         "version": 1}


def operations():
    """Each operation that a path or body names something of a tenant in."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            named = "{" in path or names_in_body(operation)
            if named and "x-right" in operation:
                yield pytest.param(method, path, operation, id=f"{method} {path}")


def properties(operation):
    for content in operation.get("requestBody", {}).get("content", {}).values():
        return content["schema"].get("properties", {})
    return {}


def names_in_body(operation):
    return {"cluster", "cluster_id"} & set(properties(operation))


def body_of(operation, ids):
    said = {}
    for name in properties(operation):
        if name in ("cluster", "cluster_id"):
            said[name] = ids["cluster"]
        elif name == "project_id":
            said[name] = ids["project"]
        elif name == "iso_id":
            said[name] = ids["project"] + "/" + ids["image"]
        elif name in PLAIN:
            said[name] = PLAIN[name]
    return json.dumps(said)


def query_of(operation):
    names = {parameter["name"] for parameter in operation["parameters"]}
    return {"iso_name": ""} if "iso_name" in names else {}


@pytest.fixture(name="shared", scope="module")
def shared_fixture():
    """Project demo has cluster `mine` and a computeset; eve is the PI of project physics."""
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "mine", "--computes", "2")
        yield deployment


@pytest.fixture(name="ours", scope="module")
def ours_fixture(shared):
    return session_of(shared.env()["NUCLEUS_TOKEN"])


@pytest.fixture(name="url", scope="module")
def url_fixture(shared):
    return shared.env()["NUCLEUS_URL"]


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(shared, url):
    token = shared.add_person("eve", "physics")
    made = session_of(shared.env()["NUCLEUS_OPERATOR_TOKEN"]).put(
        url + "/v2/people/eve", data=json.dumps({"role": "pi", "projects": ["physics"]}),
        timeout=30)
    assert made.status_code == 200, made.text
    return session_of(token)


@pytest.fixture(name="ids", scope="module")
def ids_fixture(ours, url):
    def started():
        answer = ours.post(url + "/v2/computesets", timeout=30,
                           data=json.dumps({"cluster_id": "mine", "count": 1}))
        return answer.json() if answer.status_code == 201 else None

    def ask(path):
        return ours.get(url + path, timeout=30).json()

    return {"cluster": "mine", "node": "vm-mine-00", "project": "demo", "image": "x.iso",
            "id": str(wait_until(started, "a computeset")["computeset_id"]),
            "allocation": ask("/v2/allocations")["allocations"][0]["allocation_id"],
            "person": ask("/v2/me")["person_id"], "host": "sim-0001",
            "token": ours.post(url + "/v2/me/tokens", data="{}", timeout=30).json()["token_id"]}


@pytest.mark.parametrize("method,path,operation", operations())
def test_resources_of_another_project_look_like_none(stranger, url, ids, method, path, operation):
    answers = []
    for known in (ids, NOBODYS):
        answer = stranger.request(method, url + path.format(**known), timeout=30,
                                  data=body_of(operation, known), params=query_of(operation),
                                  allow_redirects=False)
        headers = {k: v for k, v in answer.headers.items() if k not in SAME_FOR_ALL}
        answers.append((answer.status_code, answer.content, headers))
    assert answers[0] == answers[1]
    if operation["x-right"] == "operate":
        assert answers[0][0] == 403
    elif operation["summary"].startswith("Not offered"):
        assert answers[0][0] == 400
    else:
        assert answers[0][0] == 404


def test_nothing_was_changed(ours, stranger, url, ids):
    cluster = ours.get(url + "/v2/clusters/mine", timeout=30).json()
    assert (cluster["description"], len(cluster["nodes"])) == ("", 3)
    assert {node["revision"] for node in cluster["nodes"]} == {1}
    state = ours.get(url + "/v2/computesets/" + ids["id"], timeout=30).json()["state"]
    assert state in ("submitted", "running")
    assert stranger.get(url + "/v2/clusters", timeout=30).json() == {"clusters": []}


def test_the_page_and_the_document_are_served(url):
    served = requests.get(url + "/openapi.json", timeout=30)
    assert served.headers["Content-Type"] == "application/json"
    assert served.json() == DOCUMENT
    page = requests.get(url + "/docs/", timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/openapi.json" in page.text and "https://" not in page.text
