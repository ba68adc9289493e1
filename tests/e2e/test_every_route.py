"""Every route of the OpenAPI document that changes something, with each of its fields empty, of
another type, too long, and at its bound: it is refused with the field's name and changes nothing.
A new route is tested once it is documented."""
import collections
import itertools
import json
import re

import pytest

from conftest import BIN, a_deployment
from http_client import Admin, operator_of

DOCUMENT = json.loads((BIN / "portal" / "openapi.json").read_text())
IDS = {"cluster": "c", "node": "vm-c-00", "project": "demo", "person": "ada", "host": "sim-0001",
       "class": "spare",
       "allocation": "spare", "reservation": "far", "image": "x.iso", "token": "0" * 16,
       "upload": "0" * 32, "recording": "none", "resource_id": "c", "generation": "1",
       "tag": "x:stable"}
# What a person may write as it likes; everything else names something.
FREE_TEXTS = {"description", "label", "reason", "text", "first_name", "last_name",
              "on_behalf_of"}
# These may be empty: it means none, or the only one.
MAY_BE_EMPTY = FREE_TEXTS | {"iso_id", "image_id", "email", "reservation", "allocation",
                             "allocation_id", "project_id", "host_class", "rack", "sha256", "md5"}
VALUES = {"cluster": "c", "cluster_id": "c", "nodes": ["vm-c-00", "vm-c-01"],
          "names": ["x", "y"], "name": "x", "computes": "vm-c-00", "count": 1, "action": "off",
          "kind": "serial", "project_id": "demo", "is_drained": False, "text": "", "version": 1,
          "hosts": "sim-0001", "end_unix_s": 9_000_000_000,
          "iso_id": "", "compute_count": 1, "role": "trainer", "projects": ["demo"],
          "walltime_mins": 60, "price": {"core_milli_su": 1000}, "format": "raw",
          "size_bytes": 1, "source_url": "https://localhost:1/x", "generation": 0,
          "image_id": "demo/x"}
LONG = "x" * 100_000


def fields_of(operation):
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("properties", {})


def operations():
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if fields_of(operation) and "x-right" in operation and "password" not in path:
                yield pytest.param(method, path, operation, id=f"{method} {path}")


def kind_of(schema):
    """`text`, `texts` or another type of a field's schema."""
    kind = schema.get("type")
    if isinstance(kind, list):  # of the IRI API, whose clients may send null for nothing
        kind = next(one for one in kind if one != "null")
    if kind == "array" and schema["items"].get("type") == "string":
        return "texts"
    return {"string": "text"}.get(kind, kind)


@pytest.fixture(name="shared", scope="module")
def shared_fixture():
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "2")
        deployment.add_person("ada", "demo")
        made = operator_of(deployment).ask("PUT", "/v2/allocations/spare",
                                           data=json.dumps({"project_id": "demo"}))
        assert made.status_code == 200, made.text
        deployment.nucleus("reservation", "create", "far", "--hosts", "sim-0002", "--start",
                           "8000000000", "--end", "8000000001")
        yield deployment


class Site:
    """A request as the operator who is also a member, and all that it could change."""

    def __init__(self, deployment):
        self.operator, self.admin = operator_of(deployment), Admin(deployment)
        self.ids = dict(IDS)
        self.fresh = (f"new-{i}" for i in itertools.count())
        self.second = 8_500_000_000
        started = self.admin.ask("POST", "/v2/computesets", data=json.dumps(
            {"cluster_id": "c", "count": 1}))
        assert started.status_code == 201, started.text
        self.ids["id"] = self.ids["job_id"] = str(started.json()["computeset_id"])

    def ask(self, method, path, operation, changed):
        who = self.operator if operation["x-right"] == "operate" else self.admin
        required = operation["requestBody"]["content"]["application/json"]["schema"].get(
            "required", [])
        body = {name: VALUES[name] for name in required}
        if path == "/v2/clusters":
            body["cluster_id"] = next(self.fresh)
        if path == "/v2/reservations":
            # One second each: they do not overlap.
            self.second += 2
            body.update(name=next(self.fresh), start_unix_s=self.second,
                        end_unix_s=self.second + 1)
        if path == "/v2/computesets" and not {"nodes", "names"} & set(changed):
            body["count"] = 1
        if path == "/v2/clusters/{cluster}/nodes" and method == "patch":
            body = {"nodes": ["vm-c-00", "vm-c-01"], "names": ["vm-c-01", "vm-c-00"]}
        if path == "/api/v1/compute/job/{resource_id}/{job_id}":
            body = {"attributes": {"duration": 3600}}
        answer = who.ask(method.upper(), path.format(**self.ids),
                         data=json.dumps({**body, **changed}))
        assert answer.status_code < 500, (changed.keys(), answer.text)
        return answer

    def state(self):
        """What requests change; not what the deployment does by itself."""
        nodes = self.admin.get("/v2/clusters/c/nodes?fields=name,cpus,memory_mb,iso_id,revision")
        hosts = self.operator.get("/v2/hosts?fields=host_id,state,reason")
        sets = self.admin.get("/v2/computesets?fields=computeset_id")
        return [nodes, hosts, sets] + [self.operator.get(path) for path in (
            "/v2/clusters", "/v2/projects", "/v2/people", "/v2/allocations?fields=allocation_id,"
            "project_id,limit_core_s,is_closed,shares", "/v2/reservations", "/v2/images",
            "/v2/me/tokens")] + [
                self.admin.get("/v2/me"), self.admin.get("/v2/me/tokens")]


@pytest.fixture(name="site", scope="module")
def site_fixture(shared):
    return Site(shared)


def wrong_values(path, name, schema):
    """Values that the field must refuse."""
    kind = kind_of(schema)
    is_free = name in FREE_TEXTS or (path.startswith("/api/") and name == "name")
    if kind == "text":
        yield from (5, ["x"], {"x": "y"}, True, LONG)
        if name not in MAY_BE_EMPTY:
            yield ""
        if not is_free:
            yield from (",", " ", "no such name", "../x")
        else:
            yield "one\x00two" if name not in ("description", "reason", "text") else 1.5
    elif kind == "texts":
        # Two each: lists that belong together have the same length.
        yield from (5, "x", {"x": "y"}, ["x"] * 5_000)
        yield from ([wrong, "y"] for wrong in (5, [], "", ",", " ", LONG, None))
    elif kind == "integer":
        yield from ("x", "", 1.5, -1, [], True, 10 ** 30)
    elif kind == "null":
        yield from (5, "x", True, ["x"], {"x": "y"}, LONG)
    elif kind == "boolean":
        yield from ("x", "", 1, [])


@pytest.mark.parametrize("method,path,operation", operations())
def test_a_wrong_value_is_refused_with_its_field_and_changes_nothing(site, method, path, operation):
    before = site.state()
    for name, schema in fields_of(operation).items():
        for value in wrong_values(path, name, schema):
            answer = site.ask(method, path, operation, {name: value})
            shown = (name, str(value)[:40], answer.status_code, answer.text[:200])
            assert 400 <= answer.status_code < 500, shown
            if path.startswith(("/v2/", "/api/")) and answer.status_code == 400:
                assert answer.json().get("field", "").split(".")[0] in (name, "body"), shown
    assert site.state() == before


# v1 takes null as not given, and ignores fields that it does not know.
@pytest.mark.parametrize("method,path,operation",
                         [one for one in operations() if one.values[1].startswith("/v2/")])
def test_null_and_unknown_fields_are_refused(site, method, path, operation):
    before = site.state()
    for changed in [{name: None} for name in fields_of(operation)] + [{"nonsense": 1}]:
        answer = site.ask(method, path, operation, changed)
        assert (answer.status_code, answer.json()["field"]) == (400, next(iter(changed)))
    assert site.state() == before


def queries():
    """(method, path, names) of each route of v2, with the parameters that its query may have."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v2/"):
                yield pytest.param(method, path, {one["name"] for one in operation["parameters"]
                                                  if one["in"] == "query"}, id=f"{method} {path}")


def refused_field(who, method, path):
    """The field of the 400; a stream is not read."""
    answer = who.ask(method.upper(), path, data=None if method == "get" else b"", stream=True)
    with answer:
        assert answer.status_code == 400, (path, answer.status_code)
        return answer.json()["field"]


@pytest.mark.parametrize("method,path,names", queries())
def test_a_parameter_that_is_unknown_or_given_twice_is_refused(site, method, path, names):
    """A misspelled `plan` must not change anything, nor a misspelled filter show everything."""
    before = site.state()
    where = path.format(**{"certificate": "latest", **site.ids})
    for name in ("nonsense", "Plan", *({"plan", "watch", "limit"} - names)):
        for value in ("", "true"):
            assert refused_field(site.operator, method, f"{where}?{name}={value}") == name
    for name in names - {"state"}:
        assert refused_field(site.operator, method, f"{where}?{name}=1&{name}=1") == name
    assert site.state() == before


@pytest.mark.parametrize("path", [one.values[1] for one in queries() if one.values[0] == "delete"])
def test_a_removal_takes_no_fields(site, path):
    before = site.state()
    for body in ('{"nonsense": true}', '{"Plan": true}', '["plan"]', "plan"):
        answer = site.operator.ask("DELETE", path.format(**site.ids), data=body)
        assert answer.status_code == 400, (body, answer.text)
        assert answer.json()["field"] in ("nonsense", "Plan", "body")
    assert site.state() == before


def gets():
    """The path of each GET that needs a credential."""
    for path, methods in DOCUMENT["paths"].items():
        if "x-right" in methods.get("get", {}):
            yield path


@pytest.mark.parametrize("path", gets())
def test_head_is_answered_as_get_and_what_is_known_is_not_sent_again(site, path):
    where = path.format_map(collections.defaultdict(lambda: "none", site.ids))
    head = site.operator.ask("HEAD", where)
    with site.operator.ask("GET", where, stream=True) as got:
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]
        etag = got.headers.get("ETag")
    if etag:
        again = site.operator.ask("GET", where, headers={"If-None-Match": etag})
        assert again.status_code == 304 or again.headers["ETag"] != etag
    # What holds a secret, or is as old as the answer, has none.
    may_lack = path.startswith(("/v1/", "/rest-auth/", "/api/", "/getkey")) or path in (
        "/v2/events", "/v2/me/key", "/v2/processes", "/v2/monitoring/targets", "/v2/overhead/key")
    assert etag or may_lack or got.status_code != 200


@pytest.mark.parametrize("path,name", [
    (one.values[1], name) for one in queries() if one.values[0] == "get"
    for name in sorted(one.values[2]) if name.endswith("_id")])
def test_a_filter_that_nothing_can_match_is_refused(site, path, name):
    for value in ("", ",", "a%20b", "..%2Fx", "%00", "x" * 200):
        assert refused_field(site.operator, "get", f"{path}?{name}={value}") == name


@pytest.mark.parametrize("path", [one.values[1] for one in queries() if "watch" in one.values[2]])
def test_a_watch_is_asked_for_or_not(site, path):
    where = path.format(**site.ids)
    for value in ("0", "no", "1", "True"):
        assert refused_field(site.operator, "get", f"{where}?watch={value}") == "watch"
    for query, is_stream in (("?watch", True), ("?watch=true", True), ("?watch=false", False)):
        with site.operator.ask("GET", where + query, stream=True) as answer:
            assert answer.status_code == 200
            assert ("event-stream" in answer.headers["Content-Type"]) == is_stream


@pytest.mark.parametrize("path", [one.values[1] for one in queries()
                                  if {"limit", "after"} <= one.values[2]])
def test_a_cursor_of_no_list_is_refused(site, path):
    where = path.format(**site.ids)
    for cursor in ("x" * 129, "%00", "a%0ab", "%ff"):
        assert refused_field(site.operator, "get", f"{where}?after={cursor}") == "after"


def test_an_upload_is_no_cursor_but_by_its_id(site):
    for cursor in ("abc", "0", "%00", "0" * 31, "G" * 32):
        assert refused_field(site.operator, "get", f"/v2/uploads?after={cursor}") == "after"
    assert site.operator.get(f"/v2/uploads?after={'0' * 32}") == {"uploads": []}


def bounds():
    """Each text of v2 whose comment gives its length in bytes."""
    for one in operations():
        method, path, operation = one.values
        for name, schema in fields_of(operation).items():
            found = re.match(r"0\.\.([\d,]+) bytes", schema.get("description", ""))
            if found:
                yield pytest.param(method, path, operation, name, int(found[1].replace(",", "")),
                                   id=f"{one.id} {name}")


def test_every_free_text_has_a_documented_bound():
    known = {one.id for one in bounds()}
    for one in operations():
        method, path, operation = one.values
        for name in fields_of(operation):
            if path.startswith("/v2/") and name in FREE_TEXTS:
                assert f"{method} {path} {name}" in known


@pytest.mark.parametrize("method,path,operation,name,bytes_max", bounds())
def test_a_text_is_accepted_up_to_its_bound(site, method, path, operation, name, bytes_max):
    accepted = site.ask(method, path, operation, {name: "x" * bytes_max})
    # 409: another case's acknowledgement is not signed, which is looked at after the text.
    may_wait = name == "on_behalf_of" or path.startswith("/api/")
    assert accepted.status_code in ((200, 201, 409) if may_wait else (200, 201))
    before = site.state()
    refused = site.ask(method, path, operation, {name: "x" * (bytes_max + 1)})
    assert (refused.status_code, refused.json()["field"]) == (400, name)
    assert site.state() == before


@pytest.mark.parametrize("field,accepted,refused", [
    ("cluster_id", "c" * 54, "c" * 59), ("cluster_id", "c" * 58, "c" * 65)])
def test_a_cluster_is_named_up_to_the_bound_of_its_nodes(site, field, accepted, refused):
    for name, status in ((accepted, 201), (refused, 400)):
        answer = site.admin.ask("POST", "/v2/clusters",
                                data=json.dumps({field: name, "compute_count": 1}))
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("method,path", [
    ("PUT", "/v2/people/{}"), ("PUT", "/v2/projects/{}"), ("PUT", "/v2/allocations/{}")])
def test_a_name_in_a_path_is_accepted_up_to_its_bound(site, method, path):
    body = json.dumps({"project_id": "demo"}) if "allocations" in path else "{}"
    for name, status in (("n" * 63, 200), ("n" * 65, 400)):
        answer = site.operator.ask(method, path.format(name), data=body)
        assert answer.status_code == status, answer.text
