"""The rights of persons, roles and tokens, enforced on every route and for the whole duration of a
request, an upload or a console session."""
import contextlib
import json

import pytest

from conftest import BIN, wait_until
from http_client import Client
from recordings import plant

DOCUMENT = json.loads((BIN / "portal" / "openapi.json").read_text())
RIGHTS = ["read", "power", "console", "images", "define", "people", "operate"]
ROUTES = [(method.upper(), path, operation["x-right"])
          for path, methods in DOCUMENT["paths"].items()
          for method, operation in methods.items() if "x-right" in operation]


def send(client, method, path, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.ask(method, path, headers=named,
                      data=None if body is None else json.dumps(body))


def with_rights(client, rights, **more):
    made = send(client, "POST", "/v2/me/tokens", {"rights": rights, **more})
    assert made.status_code == 201, made.text
    return Client(client.url, made.json()["token"]), made.json()["token_id"]


def define_person(operator, shared, name, role, *projects):
    """The person's token."""
    for project in projects:
        assert send(operator, "PUT", f"/v2/projects/{project}").status_code == 200
    token = shared.add_person(name, projects[0])
    made = send(operator, "PUT", f"/v2/people/{name}", {"role": role, "projects": list(projects)})
    assert made.status_code == 200, made.text
    return Client(operator.url, token)


@pytest.mark.parametrize("missing", RIGHTS)
def test_every_route_refuses_a_token_without_its_right(operator, missing):
    weak, _ = with_rights(operator, [right for right in RIGHTS if right != missing])
    asked = [(method, path) for method, path, right in ROUTES if right == missing]
    assert asked
    for method, path in asked:
        filled = path
        for name in ("cluster", "node", "id", "project", "image", "allocation", "person", "token",
                     "host"):
            filled = filled.replace("{" + name + "}", "1")
        assert weak.ask(method, filled).status_code == 403, (method, path)


def test_an_operators_token_without_operate_reaches_its_own_projects_alone(shared, operator):
    theirs = define_person(operator, shared, "carl", "cluster_admin", "physics")
    made = send(theirs, "POST", "/v2/clusters", {"cluster_id": "theirs", "compute_count": 1})
    assert made.status_code == 201, made.text
    weak, _ = with_rights(operator, [right for right in RIGHTS if right != "operate"])
    assert "theirs" in [c["cluster_id"] for c in operator.get("/v2/clusters")["clusters"]]
    assert "theirs" not in [c["cluster_id"] for c in weak.get("/v2/clusters")["clusters"]]
    assert weak.ask("GET", "/v2/clusters/theirs").status_code == 404
    assert weak.ask("DELETE", "/v2/clusters/theirs").status_code == 404
    assert "physics" not in [p["project_id"] for p in weak.get("/v2/projects")["projects"]]
    public = weak.ask("PUT", "/v2/images/public/disk?format=raw", data=b"\1" * 512)
    assert public.status_code == 404


def test_an_operator_lists_the_images_of_all_projects(shared, operator):
    theirs = define_person(operator, shared, "ines", "cluster_admin", "imaging")
    put = theirs.ask("PUT", "/v2/images/imaging/disk?format=raw", data=b"\1" * 512)
    assert put.status_code == 201, put.text
    weak, _ = with_rights(operator, [right for right in RIGHTS if right != "operate"])
    assert "imaging/disk" in [i["image_id"] for i in operator.get("/v2/images")["images"]]
    assert "imaging/disk" not in [i["image_id"] for i in weak.get("/v2/images")["images"]]


def test_a_token_with_fewer_rights_revokes_itself_alone(admin):
    weak, own_id = with_rights(admin, ["read"])
    _, other_id = with_rights(admin, ["read", "power"])
    refused = weak.ask("DELETE", f"/v2/me/tokens/{other_id}")
    assert refused.status_code == 403, refused.text
    assert send(weak, "PUT", "/v1/user", {"first_name": "Eve"}).status_code == 403
    assert weak.ask("DELETE", f"/v2/me/tokens/{own_id}").status_code == 204
    assert weak.ask("GET", "/v2/me").status_code == 401


def test_an_iso_is_attached_only_with_the_right_images(admin):
    weak, _ = with_rights(admin, ["read", "define"])
    path = "/v2/clusters/mine/nodes/mine"
    for iso in ("", "public/any.iso"):
        assert send(weak, "PATCH", path, {"iso_id": iso}).status_code == 403
    assert send(weak, "PATCH", path, {"cpus": 1}).status_code == 200


def test_a_change_of_a_person_keeps_what_it_does_not_name(shared, operator):
    define_person(operator, shared, "kim", "pi", "physics")
    for changed in ({"projects": ["physics"]}, {"first_name": "Kim"}, {}):
        put = send(operator, "PUT", "/v2/people/kim", changed)
        assert put.status_code == 200, put.text
        kept = operator.get("/v2/people/kim")
        assert (kept["role"], kept["projects"]) == ("pi", ["physics"]), changed
    assert kept["first_name"] == "Kim"


def test_a_pi_sees_of_other_people_only_the_projects_they_share(shared, operator):
    eve = define_person(operator, shared, "eve", "pi", "physics")
    define_person(operator, shared, "ben", "cluster_admin", "physics", "chemistry")
    people = {one["person_id"]: one["projects"] for one in eve.get("/v2/people")["people"]}
    assert people["ben"] == ["physics"] == eve.get("/v2/people/ben")["projects"]
    assert "admin" not in people and eve.ask("GET", "/v2/people/admin").status_code == 404
    assert operator.get("/v2/people/ben")["projects"] == ["physics", "chemistry"]


def test_an_upload_ends_with_the_right_to_it(shared, operator):
    def body(end_right):
        yield b"\1" * 512
        end_right()
        yield b"\2" * 512

    for number, (end_right, status) in enumerate((
            (lambda: operator.ask("DELETE", "/v2/people/up0"), 401),
            (lambda: send(operator, "PUT", "/v2/people/up1",
                          {"role": "read_only", "projects": ["physics"]}), 403),
            (lambda: send(operator, "PUT", "/v2/people/up2",
                          {"role": "cluster_admin", "projects": ["chemistry"]}), 404))):
        person = define_person(operator, shared, f"up{number}", "cluster_admin", "physics",
                               "chemistry")
        path = f"/v2/images/physics/late{number}"
        answer = person.ask("PUT", path + "?format=raw", data=body(end_right))
        assert answer.status_code == status, answer.text
        assert operator.ask("GET", path).status_code == 404


def read_slowly(client, path):
    """A connection that has asked for the path and has read the first bytes of its answer."""
    line = client.connect(receive_bytes=4096)
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: n\r\n"
                 f"Authorization: Token {client.token}\r\n\r\n".encode())
    return line, line.recv(4096)


def test_downloads_end_with_the_right_to_them_and_leave_room_for_others(shared, operator):
    path = "/v2/recordings/" + plant(shared, operator, "physics",
                                     output=[(0.5, "x" * 60_000)] * 300) + "/content"
    person = define_person(operator, shared, "dora", "trainer", "physics")
    whole = operator.ask("GET", path)
    assert whole.status_code == 200 and len(whole.content) > 18_000_000
    with contextlib.ExitStack() as stack:
        for number in range(8):
            line, begin = read_slowly(person, path)
            stack.enter_context(line)
            assert begin.startswith(b"HTTP/1.1 200 "), (number, begin)
        refused = person.ask_on_new_connection("GET", path)
        assert refused.status_code == 503, "a person has so many downloads"
        assert operator.ask("HEAD", path).status_code == 200
        assert operator.ask("DELETE", "/v2/people/dora").status_code == 204
        received = len(begin)
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(1 << 20):
                received += len(part)
        assert received < len(whole.content)


def test_a_stored_answer_does_not_reach_a_later_person_of_the_same_name(shared, operator):
    body = {"cluster_id": "hers", "compute_count": 0}
    first = define_person(operator, shared, "pat", "cluster_admin", "physics")
    assert send(first, "POST", "/v2/clusters", body, Idempotency_Key="k").status_code == 201
    assert operator.ask("DELETE", "/v2/people/pat").status_code == 204
    second = define_person(operator, shared, "pat", "cluster_admin", "chemistry")
    answer = send(second, "POST", "/v2/clusters", body, Idempotency_Key="k")
    assert answer.status_code == 409, answer.text
    other = send(second, "POST", "/v2/clusters", {**body, "cluster_id": "own"},
                 Idempotency_Key="k2")
    assert other.status_code == 201


def test_a_refusal_is_not_repeated_once_the_request_can_succeed(admin):
    body = {"cluster_id": "again", "compute_count": 0}
    assert send(admin, "POST", "/v2/clusters", body).status_code == 201
    refused = send(admin, "POST", "/v2/clusters", body, Idempotency_Key="r")
    assert refused.status_code == 409
    assert admin.ask("DELETE", "/v2/clusters/again").status_code == 204
    assert send(admin, "POST", "/v2/clusters", body, Idempotency_Key="r").status_code == 201


def test_a_project_takes_its_images_and_allocations_with_it(shared, operator):
    old = define_person(operator, shared, "olga", "cluster_admin", "short")
    put = old.ask("PUT", "/v2/images/short/disk?format=raw", data=b"\1" * 512)
    assert put.status_code == 201, put.text
    assert send(operator, "PUT", "/v2/allocations/grant",
                {"project_id": "short", "limit_core_s": 9}).status_code == 200
    assert operator.ask("DELETE", "/v2/projects/short").status_code == 204
    wait_until(lambda: operator.ask("GET", "/v2/images/short/disk").status_code == 404,
               "the image is removed")
    wait_until(lambda: "short" not in [one.get("project_id") for one in
                                       operator.get("/v2/allocations?limit=1000")["allocations"]],
               "no allocation is left")
    for allocation in ("grant", "another"):
        refused = send(operator, "PUT", "/v2/allocations/" + allocation, {"project_id": "short"})
        assert (refused.status_code, refused.json()["field"]) == (404, "project_id")
    again = operator.ask("PUT", "/v2/projects/short")
    assert again.status_code == 409, again.text
    assert again.json()["field"] == "project_id"


def test_an_allocation_is_of_a_project_that_exists(operator):
    refused = send(operator, "PUT", "/v2/allocations/new", {"project_id": "none"})
    assert refused.status_code == 404, refused.text
    assert refused.json()["field"] == "project_id"
    assert operator.ask("GET", "/v2/allocations/new").status_code == 404
    assert send(operator, "PUT", "/v2/projects/none").status_code == 200
    made = send(operator, "PUT", "/v2/allocations/new", {"project_id": "none"})
    assert made.status_code == 200, "a project exists for the scheduler at once: " + made.text


def test_an_exhausted_allocation_is_refused_as_a_state(admin, operator):
    assert send(operator, "PUT", "/v2/allocations/tiny",
                {"project_id": "demo", "limit_core_s": 60}).status_code == 200
    made = send(admin, "POST", "/v2/clusters",
                {"cluster_id": "poor", "compute_count": 1, "allocations": ["tiny"]})
    assert made.status_code == 201, made.text
    refused = send(admin, "POST", "/v2/computesets", {"cluster_id": "poor", "count": 1})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong_state")


def test_a_simulated_host_has_no_console_and_says_so(admin):
    path = "/v2/clusters/mine/nodes/mine"
    assert send(admin, "POST", path + "/power", {"action": "on"}).status_code == 202
    wait_until(lambda: admin.get(path)["state"] == "active", "the frontend is on")
    refused = send(admin, "POST", path + "/console", {"kind": "serial"})
    assert refused.status_code == 409, refused.text
    assert "simulated" in refused.json()["detail"]
    old = admin.ask("GET", "/v1/cluster/mine/frontend/console/")
    assert (old.status_code, "simulated" in old.text) == (400, True)


def test_every_change_of_people_projects_images_and_allocations_is_an_event(shared, operator):
    define_person(operator, shared, "zoe", "cluster_admin", "events")
    disk = "/v2/images/events/disk"
    assert operator.ask("PUT", disk + "?format=raw", data=b"\1" * 512).status_code == 201
    assert operator.ask("DELETE", disk).status_code == 204
    assert send(operator, "PUT", "/v2/allocations/e", {"project_id": "events"}).status_code == 200
    assert operator.ask("DELETE", "/v2/people/zoe").status_code == 204
    assert operator.ask("DELETE", "/v2/projects/events").status_code == 204
    last = operator.ask("GET", "/v2/projects").headers["Nucleus-Sequence"]
    seen = {(event["type"], event["project"])
            for event in operator.first_events(int(last))}
    for kind in ("project-defined", "project-removed"):
        assert ("registry." + kind, "events") in seen
    assert ("image_store.image-removed", "events") in seen
    assert ("scheduler.allocation-changed", "events") in seen
    # Only operators receive events about people.
    for kind in ("person-defined", "person-removed"):
        assert ("registry." + kind, "_") in seen


def test_the_last_operator_stays_one(shared, operator):
    for other in ("pi", "read_only"):
        refused = send(operator, "PUT", "/v2/people/operator", {"role": other})
        assert (refused.status_code, refused.json()["field"]) == (409, "role"), refused.text
        assert refused.json()["detail"] == "operator is the last operator"
    refused = operator.ask("DELETE", "/v2/people/operator")
    assert (refused.status_code, refused.json()["field"]) == (409, "person_id")
    refused = shared.nucleus("person", "remove", "operator", check=False)
    assert refused.returncode == 1 and "operator is the last operator" in refused.stderr
    assert operator.get("/v2/me")["role"] == "operator"
    shared.nucleus("person", "create", "second", "--project", "demo", "--operator")
    assert send(operator, "PUT", "/v2/people/second", {"role": "pi"}).status_code == 200
    assert operator.ask("DELETE", "/v2/people/second").status_code == 204
