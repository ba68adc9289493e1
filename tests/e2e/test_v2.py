"""REST v2: resources, problems, revisions, pages, idempotency keys, watching."""
import concurrent.futures
import hashlib
import json
import os

import pytest

from conftest import a_deployment, session_of, wait_until

SIZE = {"cpus": 1, "memory_mb": 512, "disk_gb": 1}


class Client:
    """The session of one person; checks that every refusal is a complete problem."""

    def __init__(self, url, token):
        self.url = url
        self.session = session_of(token)

    def ask(self, method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.session.request(method, self.url + path, headers=named, timeout=30,
                                      data=None if body is None else json.dumps(body))
        if answer.status_code >= 400:
            problem = answer.json()
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert problem["type"].startswith("/problems/")
            assert problem["status"] == answer.status_code
            assert problem["title"] and problem["detail"]
        return answer

    def get(self, path, **headers):
        answer = self.ask("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, name, computes=2, **more):
        return self.ask("POST", "/v2/clusters",
                        {"cluster_id": name, "compute_count": computes, **more})


@pytest.fixture(name="deployment", scope="module")
def deployment_fixture():
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(deployment):
    env = deployment.env()
    return Client(env["NUCLEUS_URL"], env["NUCLEUS_TOKEN"])


@pytest.fixture(name="operator", scope="module")
def operator_fixture(deployment):
    env = deployment.env()
    return Client(env["NUCLEUS_URL"], env["NUCLEUS_OPERATOR_TOKEN"])


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(deployment):
    token = deployment.add_person("eve", "physics")
    return Client(deployment.env()["NUCLEUS_URL"], token)


def test_a_cluster_is_created_read_changed_and_removed(admin):
    made = admin.create("life", 2, description="first")
    assert made.status_code == 201, made.text
    assert made.headers["Location"].endswith("/v2/clusters/life")
    assert [node["name"] for node in made.json()["nodes"]] == ["life", "vm-life-00", "vm-life-01"]
    etag = made.headers["ETag"]
    changed = admin.ask("PATCH", "/v2/clusters/life", {"description": "second"}, If_Match=etag)
    assert (changed.status_code, changed.json()["description"]) == (200, "second")
    assert changed.headers["ETag"] != etag
    stale = admin.ask("PATCH", "/v2/clusters/life", {"description": "third"}, If_Match=etag)
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/conflict")
    assert admin.ask("DELETE", "/v2/clusters/life", If_Match=etag).status_code == 412
    assert admin.get("/v2/clusters/life")["description"] == "second"
    gone = admin.ask("DELETE", "/v2/clusters/life", If_Match=changed.headers["ETag"])
    assert gone.status_code == 204
    assert admin.ask("GET", "/v2/clusters/life").status_code == 404


def test_a_copy_that_is_current_is_not_sent_again(admin):
    admin.create("copy", 1)
    frontend = "/v2/clusters/copy/nodes/copy"
    paths = ("/v2/clusters/copy", "/v2/clusters/copy/nodes", frontend, "/v2/clusters?limit=1000")
    wait_until(lambda: admin.get(frontend)["ports"], "ports of the frontend")
    for path in paths:
        def same(path=path):
            first = admin.ask("GET", path)
            known = admin.ask("GET", path, If_None_Match=first.headers["ETag"])
            return known if known.status_code == 304 else None
        known = wait_until(same, "a list that does not change meanwhile")
        assert known.content == b"" and known.headers["ETag"]
        assert admin.ask("GET", path, If_None_Match='"x", ' + known.headers["ETag"]
                         ).status_code == 304
        assert admin.ask("GET", path, If_None_Match='"0.0123456789abcdef"').status_code == 200
    before = {path: admin.ask("GET", path).headers["ETag"] for path in paths[:3]}
    assert admin.ask("POST", frontend + "/power", {"action": "on"}).status_code == 202
    for path, etag in before.items():
        changed = admin.ask("GET", path, If_None_Match=etag)
        assert (changed.status_code, changed.headers["ETag"] == etag) == (200, False)
    # The state has changed, the definition has not: the ETag is still good for a change of it.
    assert admin.ask("PATCH", frontend, {"cpus": 2}, If_Match=before[frontend]).status_code == 200


def test_head_is_answered_as_get_without_a_body(admin, operator):
    admin.create("head", 1)
    for path in ("clusters", "clusters/head", "clusters/head/nodes", "clusters/head/nodes/head",
                 "computesets", "allocations", "images", "uploads", "projects", "people", "hosts",
                 "me", "me/tokens", "clusters/none"):
        for who in (admin, operator):
            head, got = [who.session.request(method, f"{who.url}/v2/{path}", timeout=30)
                         for method in ("HEAD", "GET")]
            assert (head.status_code, head.content) == (got.status_code, b""), path
            assert head.headers["Content-Type"] == got.headers["Content-Type"], path


def test_nodes_are_added_changed_and_removed(admin):
    admin.create("grow", 1)
    added = admin.ask("POST", "/v2/clusters/grow/nodes", {"count": 2, "size": SIZE})
    assert added.status_code == 201, added.text
    assert [node["name"] for node in added.json()["nodes"]] == ["vm-grow-01", "vm-grow-02"]
    node = admin.ask("GET", "/v2/clusters/grow/nodes/vm-grow-02")
    path = "/v2/clusters/grow/nodes/"
    renamed = admin.ask("PATCH", path + "vm-grow-02", {"name": "last", "cpus": 2},
                        If_Match=node.headers["ETag"])
    assert (renamed.status_code, renamed.json()["cpus"]) == (200, 2)
    assert admin.ask("DELETE", path + "last", If_Match=node.headers["ETag"]).status_code == 412
    assert admin.ask("DELETE", path + "last").status_code == 204
    assert admin.ask("DELETE", path + "grow").status_code == 409
    names = [node["name"] for node in admin.get("/v2/clusters/grow/nodes")["nodes"]]
    assert names == ["grow", "vm-grow-00", "vm-grow-01"]
    wait_until(lambda: len(admin.get("/v2/clusters/grow/volumes")["volumes"]) == 3, "volumes")
    networks = wait_until(lambda: admin.get("/v2/clusters/grow/networks")["networks"], "networks")
    private = next(network for network in networks if not network["is_public"])
    assert {port["node_name"] for port in private["ports"]} <= set(names)


def test_power_and_computesets(admin):
    admin.create("run", 2, allocations=["demo"])
    on = admin.ask("POST", "/v2/clusters/run/nodes/run/power", {"action": "on"})
    assert on.status_code == 202, on.text
    after = {"Nucleus_After_Sequence": on.headers["Nucleus-Sequence"]}
    assert admin.get("/v2/clusters/run/nodes/run", **after)["is_desired_on"]
    wait_until(lambda: admin.get("/v2/clusters/run/nodes/run")["state"] == "active", "active")

    def start():
        answer = admin.ask("POST", "/v2/computesets", {"cluster_id": "run", "count": 2})
        return answer if answer.status_code == 201 else None

    started = wait_until(start, "a computeset")
    path = "/v2/computesets/" + str(started.json()["computeset_id"])
    wait_until(lambda: admin.get(path)["state"] == "running", "running")
    entries = admin.get("/v2/usage")["entries"]
    assert [entry["cluster_id"] for entry in entries] == ["run"]
    assert admin.ask("POST", path + "/power", {"action": "on"}).status_code == 400
    assert admin.ask("POST", path + "/power", {"action": "off"}).status_code == 202
    wait_until(lambda: admin.get(path)["state"] == "completed", "completed")
    assert admin.get("/v2/usage?to_unix_s=1")["entries"] == []
    assert [a["allocation_id"] for a in admin.get("/v2/allocations")["allocations"]] == ["demo"]


def test_a_collection_is_read_in_pages_and_by_field(admin):
    for name in ("page-a", "page-b", "page-c"):
        admin.create(name, 0)
    seen, after = [], ""
    while True:
        page = admin.get(f"/v2/clusters?limit=2&fields=cluster_id{after}")
        assert len(page["clusters"]) <= 2
        assert all(set(cluster) == {"cluster_id"} for cluster in page["clusters"])
        seen += [cluster["cluster_id"] for cluster in page["clusters"]]
        if "next" not in page:
            break
        after = "&after=" + page["next"]
    assert seen == [c["cluster_id"] for c in admin.get("/v2/clusters")["clusters"]]
    assert seen == sorted(seen) and {"page-a", "page-b", "page-c"} <= set(seen)
    for limit in ("0", "1001", "x", "-1"):
        refused = admin.ask("GET", "/v2/clusters?limit=" + limit)
        assert (refused.status_code, refused.json()["field"]) == (400, "limit")


def test_a_page_links_to_the_next_one(admin):
    admin.create("links", 4)
    url = admin.url + "/v2/clusters/links/nodes?limit=2&fields=name"
    names = []
    while url:
        page = admin.session.get(url, timeout=30)
        assert len(page.json()["nodes"]) <= 2
        names += [node["name"] for node in page.json()["nodes"]]
        url = page.links.get("next", {}).get("url")
        assert bool(url) == ("next" in page.json())
    assert names == ["links"] + [f"vm-links-{i:02}" for i in range(4)]


@pytest.mark.parametrize("query,field", [
    ("fields=name,typo", "fields"), ("after=abc", "after"), ("after=-1", "after"),
    ("after=" + "9" * 129, "after"), ("limit=", "limit")])
def test_a_malformed_page_is_refused_by_field(admin, query, field):
    admin.create("pages", 0)
    refused = admin.ask("GET", "/v2/clusters/pages/nodes?" + query)
    assert (refused.status_code, refused.json()["field"]) == (400, field)
    if field == "fields":
        for path in ("/v2/clusters", "/v2/clusters/pages", "/v2/clusters/pages/nodes/pages"):
            refused = admin.ask("GET", f"{path}?{query}")
            assert (refused.status_code, refused.json()["field"]) == (400, field)


@pytest.mark.parametrize("body,field", [
    ({"cluster_id": "bad name"}, "cluster_id"), ({"cluster_id": "x", "nonsense": 1}, "nonsense"),
    ({"cluster_id": "x", "compute_count": "two"}, "compute_count"),
    ({"cluster_id": "x", "compute_count": 5000}, "compute_count"),
    ({"cluster_id": "x", "description": None}, "description"),
    ({"cluster_id": "x", "frontend_size": {"cpus": 0, "memory_mb": 64, "disk_gb": 1}},
     "frontend_size.cpus")])
def test_a_bad_body_is_refused_by_field(admin, body, field):
    refused = admin.ask("POST", "/v2/clusters", body)
    assert (refused.status_code, refused.json()["field"]) == (400, field)


@pytest.mark.parametrize("text", [
    '{"cluster_id": "twice", "cluster_id": "thrice"}', '{"cluster_id": ' + "[" * 100_000,
    '{"cluster_id": 1e999999}', b'{"cluster_id": "\xff"}', "[]", "twice"])
def test_an_ambiguous_body_is_refused(admin, text):
    answer = admin.session.post(admin.url + "/v2/clusters", data=text, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid_argument")
    names = [cluster["cluster_id"] for cluster in admin.get("/v2/clusters")["clusters"]]
    assert not {"twice", "thrice"} & set(names)


@pytest.mark.parametrize("number", ["yesterday", "-1", "99999999999999999999"])
def test_a_stream_starts_after_the_number_of_an_event(admin, number):
    answer = admin.ask("GET", "/v2/events", Last_Event_ID=number)
    assert (answer.status_code, answer.json()["field"]) == (400, "Last-Event-ID")


def test_a_repeated_request_with_its_key_has_one_effect_and_one_answer(admin):
    body = {"cluster_id": "once", "compute_count": 1}
    first = admin.ask("POST", "/v2/clusters", body, Idempotency_Key="k-1")
    again = admin.ask("POST", "/v2/clusters", body, Idempotency_Key="k-1")
    assert (first.status_code, first.content) == (201, again.content)
    other = admin.ask("POST", "/v2/clusters", {**body, "compute_count": 2}, Idempotency_Key="k-1")
    assert other.status_code == 422
    assert admin.ask("DELETE", "/v2/clusters/once", Idempotency_Key="k-2").status_code == 204
    assert admin.ask("DELETE", "/v2/clusters/once", Idempotency_Key="k-2").status_code == 204
    assert admin.ask("DELETE", "/v2/clusters/once").status_code == 404
    bad = admin.ask("POST", "/v2/clusters", body, Idempotency_Key="k" * 129)
    assert (bad.status_code, bad.json()["field"]) == (400, "Idempotency-Key")


def test_of_many_concurrent_repeats_one_takes_effect(admin):
    admin.create("burst", 0)

    def add(_):
        client = Client(admin.url, admin.session.headers["Authorization"].split()[1])
        return client.ask("POST", "/v2/clusters/burst/nodes", {"count": 1, "size": SIZE},
                          Idempotency_Key="burst").status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(add, range(8)))
    assert 201 in statuses and set(statuses) <= {201, 409}
    assert len(admin.get("/v2/clusters/burst/nodes")["nodes"]) == 2


def test_a_watched_collection_streams_its_own_changes_only(admin):
    admin.create("seen", 0)
    with admin.session.get(admin.url + "/v2/clusters/seen/nodes?watch", stream=True,
                           timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = answer.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 1000"
        admin.create("unseen", 1)
        admin.ask("POST", "/v2/clusters/seen/nodes", {"count": 1, "size": SIZE})
        reply = []
        while not reply or reply[-1]["type"] != "registry.node-defined":
            reply.append(next(json.loads(line[6:]) for line in lines if line.startswith(b"data: ")))
    assert {event["cluster"] for event in reply} == {"seen"}
    assert reply[-1]["body"]["node"]["name"] == "vm-seen-00"
    assert admin.ask("GET", "/v2/clusters/none/nodes?watch").status_code == 404


def test_resources_of_another_project_cannot_be_named(admin, stranger):
    admin.create("mine", 1)
    for project in ("demo", "nobody"):
        refused = stranger.ask("POST", "/v2/clusters", {"cluster_id": "hers",
                                                        "project_id": project})
        assert (refused.status_code, refused.json()["field"]) == (404, "project_id")
    for allocation in ("demo", "nobody"):
        refused = stranger.create("hers", 0, allocations=[allocation])
        assert (refused.status_code, refused.json()["field"]) == (404, "allocations")
    assert stranger.get("/v2/clusters") == {"clusters": []}
    assert stranger.get("/v2/usage") == {"entries": []}
    assert stranger.get("/v2/projects") == {"projects": [
        {"project_id": "physics", "record_consoles": False}]}


def test_an_image_is_uploaded_read_and_removed(admin, operator, stranger):
    disk = os.urandom(65_536)
    digest = hashlib.sha256(disk).hexdigest()
    path = "/v2/images/demo/disk"

    def put(client, path, data=disk):
        return client.session.put(client.url + path, data=data, timeout=30)
    for who, target, status, field in (
            (admin, path, 400, "format"), (admin, path + "?format=vmdk", 400, "format"),
            (admin, "/v2/images/demo/.disk?format=raw", 400, "image"),
            (admin, path + "?format=raw&sha256=" + "0" * 64, 400, "sha256"),
            (admin, path + "?format=qcow2", 400, "format"),
            (admin, "/v2/images/public/disk?format=raw", 404, None),
            (stranger, path + "?format=raw", 404, None)):
        refused = put(who, target)
        assert (refused.status_code, refused.json().get("field")) == (status, field), target
    assert admin.get("/v2/images") == {"images": []}

    made = put(admin, f"{path}?format=raw&sha256={digest}")
    assert (made.status_code, made.headers["Location"]) == (201, admin.url + path)
    image = made.json()
    assert (image["image_id"], image["format"]) == ("demo/disk", "raw")
    assert (image["size_bytes"], image["sha256"]) == (len(disk), digest)
    assert admin.get(path) == image and admin.get("/v2/images") == {"images": [image]}
    assert put(admin, path + "?format=raw").status_code == 409
    assert stranger.ask("GET", path).status_code == 404
    assert put(operator, "/v2/images/public/disk?format=raw").status_code == 201
    assert [i["image_id"] for i in stranger.get("/v2/images")["images"]] == ["public/disk"]
    assert stranger.ask("DELETE", "/v2/images/public/disk").status_code == 403
    for client, name in ((admin, path), (operator, "/v2/images/public/disk")):
        assert client.ask("DELETE", name).status_code == 204
    assert admin.get("/v2/images") == {"images": []}


def test_only_operators_manage_hosts_and_allocations(admin, operator):
    assert admin.ask("GET", "/v2/hosts").status_code == 403
    assert admin.ask("PUT", "/v2/allocations/a", {"project_id": "demo"}).status_code == 403
    hosts = operator.get("/v2/hosts")["hosts"]
    path = "/v2/hosts/" + hosts[0]["host_id"]
    drained = operator.ask("PATCH", path, {"is_drained": True, "reason": "new memory"})
    assert drained.json()["state"] == "drained"
    assert operator.ask("PATCH", path, {"is_drained": False}).json()["state"] == "up"
    made = operator.ask("PUT", "/v2/allocations/big", {"project_id": "demo", "limit_core_s": 9})
    assert made.json()["limit_core_s"] == 9
    assert admin.get("/v2/allocations/big") == made.json()


def test_a_token_issues_no_token_with_more_rights(admin):
    made = admin.ask("POST", "/v2/me/tokens", {"label": "ci", "rights": ["read"]})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store"), made.text
    weak = Client(admin.url, made.json()["token"])
    assert weak.get("/v2/me")["rights"] == ["read"]
    assert weak.create("hers").status_code == 403
    assert weak.ask("POST", "/v2/me/tokens", {"rights": ["define"]}).status_code == 403
    child = weak.ask("POST", "/v2/me/tokens", {}).json()
    assert Client(admin.url, child["token"]).get("/v2/me")["rights"] == ["read"]
    for method in ("GET", "PUT", "DELETE"):
        assert weak.ask(method, "/v2/me/key").status_code == 403
    assert "ci" in [token["label"] for token in admin.get("/v2/me/tokens")["tokens"]]
    path = "/v2/me/tokens/" + made.json()["token_id"]
    assert admin.ask("DELETE", path).status_code == 204
    wait_until(lambda: weak.ask("GET", "/v2/me").status_code == 401, "the token's end")
    assert admin.ask("DELETE", path).status_code == 404


def test_people_and_projects_are_created_read_and_removed(admin, operator):
    assert operator.ask("PUT", "/v2/projects/chem").status_code == 200
    person = {"role": "trainer", "projects": ["chem", "demo"], "email": "ann@example.org"}
    assert operator.ask("PUT", "/v2/people/ann", person).status_code == 200
    assert operator.get("/v2/people/ann") == {"person_id": "ann", "first_name": "",
                                              "last_name": "", **person}
    assert "ann" in [p["person_id"] for p in operator.get("/v2/people")["people"]]
    assert operator.ask("PUT", "/v2/people/ann", {"role": "king"}).status_code == 400
    assert admin.ask("PUT", "/v2/people/ann", person).status_code == 403
    assert operator.ask("DELETE", "/v2/people/ann").status_code == 204
    assert operator.ask("GET", "/v2/people/ann").status_code == 404
    assert operator.ask("DELETE", "/v2/projects/chem").status_code == 204
    assert "chem" not in [p["project_id"] for p in operator.get("/v2/projects")["projects"]]


def test_nothing_is_powered_on_before_pi_and_admin_have_signed(deployment, admin, operator):
    env = deployment.env()
    pi = Client(env["NUCLEUS_URL"], deployment.add_person("pia", "demo"))
    made = operator.ask("PUT", "/v2/people/pia", {"role": "pi", "projects": ["demo"]})
    assert made.status_code == 200, made.text
    admin.create("held", 1)
    text = operator.ask("PUT", "/v2/acknowledgement", {"text": "We answer for it."}).json()
    try:
        assert text["is_required"] and text["version"] == 1
        wait_until(lambda: admin.ask("POST", "/v2/clusters/held/nodes/held/power",
                                     {"action": "on"}).status_code == 409, "the project is held")
        path = "/v2/projects/demo/acknowledgements"
        assert not admin.get(path)["is_acknowledged"]
        assert admin.ask("POST", path, {"version": 2}).status_code == 409
        for client, name in ((admin, "cluster_admin"), (pi, "pi")):
            signed = client.ask("POST", path, {"version": 1})
            assert (signed.status_code, signed.json()["role"]) == (201, name), signed.text
        status = pi.get(path)
        assert status["is_acknowledged"] and not status["missing"]
        assert {one["role"] for one in status["acknowledgements"]} == {"pi", "cluster_admin"}
        wait_until(lambda: admin.ask("POST", "/v2/clusters/held/nodes/held/power",
                                     {"action": "on"}).status_code == 202, "the project is cleared")
    finally:
        operator.ask("PUT", "/v2/acknowledgement", {"text": "", "is_required": False})


def test_a_service_that_does_not_answer_is_503_with_retry_after(admin):
    admin.create("late", 0)
    newest = int(admin.ask("GET", "/v2/clusters/late").headers["Nucleus-Sequence"])
    late = admin.ask("GET", "/v2/clusters/late", Nucleus_After_Sequence=str(newest + 10 ** 6))
    assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
    bad = admin.ask("GET", "/v2/clusters", Nucleus_After_Sequence="soon")
    assert (bad.status_code, bad.json()["field"]) == (400, "Nucleus-After-Sequence")
    for far in (2 ** 63, 2 ** 64 - 1):
        never = admin.ask("GET", "/v2/clusters", Nucleus_After_Sequence=str(far))
        assert (never.status_code, never.json()["field"]) == (400, "Nucleus-After-Sequence")


def test_unknown_paths_and_methods_are_problems(admin):
    assert admin.ask("GET", "/v2/nothing").status_code == 404
    wrong = admin.ask("DELETE", "/v2/clusters")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, POST")
