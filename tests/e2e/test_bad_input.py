"""Invalid input and other tenants, with all real programs: a clear answer, and nothing changes."""
import json
import urllib.parse

import pytest

from conftest import wait_until
from http_client import Client

FOREIGN_IDS = ["nowhere", "../etc", "a/b", "%00", "x%0d%0ay: z", "a'b", 'a"b', "<a/>", "a;rm",
               "$(id)", "-o", "%n", "\u202etxt", "a" * 300]
DIGITS_20 = "99999999999999999999"


def seen_by(admin):
    """Everything that the admin can see."""
    paths = ["/nucleus/v1/cluster/", "/nucleus/v1/computeset/", "/nucleus/v1/image",
             "/v2/clusters", "/v2/images"]
    return [admin.get(path) for path in paths]


@pytest.fixture(name="unchanged")
def unchanged_fixture(shared, admin):
    """Afterwards everything is as before, and no process was restarted."""
    before, processes = seen_by(admin), shared.processes()
    yield
    assert seen_by(admin) == before
    assert shared.processes() == processes


BAD_COMPUTESETS = [
    ({"cluster": "mine", "computes": "n[0-999999999]"}, "computes", "more than 4096"),
    ({"cluster": "mine", "computes": "n[1-5]" * 12}, "computes", "more than 4096"),
    ({"cluster": "mine", "computes": "n[1-5"}, "computes", "unbalanced"),
    ({"cluster": "mine", "computes": "n[5-1]"}, "computes", "start > stop"),
    ({"cluster": "mine", "computes": 5}, "computes", "hostlist"),
    ({"cluster": "mine", "computes": [5]}, "computes", "names"),
    ({"cluster": "mine", "computes": "vm-mine-77"}, "compute", "vm-mine-77"),
    ({"cluster": "mine", "count": "1e999999"}, "count", "whole number"),
    ({"cluster": "mine", "count": -1}, "count", "1 to 4096"),
    ({"cluster": "mine", "count": 2 ** 70}, "count", "whole number"),
    ({"cluster": "mine", "count": 1.5}, "count", "whole number"),
    ({"cluster": "mine", "count": True}, "count", "whole number"),
    ({"cluster": "mine", "count": 1, "walltime_mins": "soon"}, "walltime_mins", "whole number"),
    ({"cluster": "mine", "count": 1, "walltime_mins": 10 ** 18}, "walltime_mins", "525600"),
    ({"cluster": "mine", "count": 1, "walltime_mins": -5}, "walltime_mins", "525600"),
    ({"cluster": "mine", "count": 1, "allocation": "nobody"}, "Allocation", "nobody"),
    ({"cluster": "mine", "count": 1, "hosts": "a,b"}, "hosts", "length"),
    ({"cluster": ["mine"]}, "cluster", "provide"),
    ({"cluster": ""}, "cluster", "provide"),
    ({}, "cluster", "provide"),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body,field,reason", BAD_COMPUTESETS)
def test_an_invalid_computeset_is_refused_with_field_and_reason(admin, body, field, reason):
    answer = admin.ask("POST", "/nucleus/v1/computeset/", data=json.dumps(body))
    assert answer.status_code == 400, answer.text
    assert isinstance(answer.json(), str)
    assert field in answer.json() and reason in answer.json()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", [
    b"", b"[", b"null", b'"x"', b"\xff\xfe", b'{"cluster":' * 90_000, b"[" * 900_000,
    b'{"cluster":"mine","count":1e999999}', b'{"a":1,' * 100_000, b"\x00" * 1000])
def test_a_body_that_is_not_a_json_object_is_refused(admin, body):
    answer = admin.ask("POST", "/nucleus/v1/computeset/", data=body)
    assert answer.status_code == 400
    assert "JSON object" in answer.json()


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("framing", [b"Content-Length: 1073741824\r\n",
                                     b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("path", [b"/nucleus/v1/computeset/", b"/v2/clusters/mine/overhead"])
def test_a_body_of_a_gigabyte_is_refused_before_it_is_read(admin, framing, path):
    head = (b"POST " + path + b" HTTP/1.1\r\nHost: n\r\nAuthorization: "
            + admin.session.headers["Authorization"].encode() + b"\r\n" + framing + b"\r\n")
    # A chunk with the declared size of a gigabyte. Only two megabytes of either are sent.
    body = (b"40000000\r\n" if b"chunked" in framing else b"") + b"a" * (2 << 20)
    status, answer = admin.ask_raw(head, body)
    assert status == 413
    assert b"over 1048576 bytes" in answer
    assert (b"application/problem+json" in answer) == path.startswith(b"/v2/")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("head", [
    b"GET /nucleus/v1/cluster/ HTTP/1.1\r\nHost: n\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n",
    b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: n\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"])
def test_a_head_that_is_too_large_is_refused(admin, head):
    status, _ = admin.ask_raw(head)
    assert status == 431


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", FOREIGN_IDS)
def test_an_unknown_name_in_a_path_is_not_found_and_not_echoed(admin, name):
    safe = urllib.parse.quote(name, safe="")
    for path in (f"/nucleus/v1/cluster/{safe}/", f"/nucleus/v1/cluster/mine/compute/{safe}/",
                 f"/nucleus/v1/computeset/{safe}/", f"/v2/clusters/{safe}", f"/{safe}"):
        answer = admin.ask("GET", path)
        assert answer.status_code == 404, path
        assert "Not found." in answer.text


@pytest.mark.usefixtures("unchanged")
def test_ids_of_no_computeset_are_not_found(admin):
    for number in ("0", "-1", "1.0", "0x1", "1 ", DIGITS_20):
        safe = urllib.parse.quote(number, safe="")
        for action in ("shutdown", "poweroff", "reboot", "reset"):
            answer = admin.ask("PUT", f"/nucleus/v1/computeset/{safe}/{action}")
            assert answer.status_code == 404, (number, action)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("credential", [
    None, "", "Token", "Token " + "0" * 40, "Token " + "x" * 9000, "Bearer x", "Basic !!!",
    "Basic Og==", "Signature keyId=\"\"", "Negotiate abc", "Token \x7f\x01"])
def test_an_unknown_credential_gets_401_for_every_request(admin, credential):
    nobody = Client(admin.url)
    headers = {} if credential is None else {"Authorization": credential}
    for method, path in (("GET", "/nucleus/v1/cluster/"), ("GET", "/nucleus/v1/cluster/mine/"),
                         ("PUT", "/nucleus/v1/cluster/mine/frontend/poweron"),
                         ("POST", "/nucleus/v1/computeset/"), ("GET", "/v2/events")):
        answer = nobody.ask(method, path, headers=headers)
        if credential and not credential.isprintable():
            assert answer.status_code in (400, 401)  # not a valid header
        else:
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"]


@pytest.mark.usefixtures("unchanged")
def test_another_tenant_starts_nothing_and_sees_nothing(stranger, admin):
    for cluster in ("mine", "none"):
        answer = stranger.ask("POST", "/nucleus/v1/computeset/",
                              data=json.dumps({"cluster": cluster, "count": 1}))
        assert (answer.status_code, answer.text) == (404, '{"detail":"Not found."}')
    assert stranger.get("/nucleus/v1/cluster/") == []
    assert stranger.get("/v2/clusters") == {"clusters": []}
    assert stranger.ask("GET", "/v2/hosts").status_code == 403
    assert admin.ask("GET", "/v2/hosts").status_code == 403


def test_another_tenant_receives_no_event_of_the_project(shared, stranger, admin):
    """Both follow from the first event on; only the owner receives events."""
    def received(client, is_last_line):
        events = []
        with client.ask("GET", "/v2/events", headers={"Last-Event-ID": "0"},
                        stream=True) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: "):
                    events.append(json.loads(line[6:]))
                if is_last_line(line):
                    break
        return events

    shared.nucleus("cluster", "create", "last", "--computes", "0")
    own = received(admin, lambda line: b'"cluster":"last"' in line)
    shared.nucleus("cluster", "remove", "last")
    wait_until(lambda: admin.ask("GET", "/v2/clusters/last").status_code == 404, "its removal")
    assert {event["project"] for event in own} == {"demo"}
    # The first keep-alive follows all earlier events.
    theirs = received(stranger, lambda line: line == b":")
    assert {event["project"] for event in theirs} <= {"physics"}


BAD_NAMES = ["a/b", "../x", "<x/>", "a b", 'a"b', "a'b", "a\nb", "a\x01b", "-o", "", "a" * 65,
             "$(id)", ";rm", "%n", "\u202etxt", "a\u00e9"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_invalid_name_is_refused_to_the_operator_too(shared, name):
    refused = shared.nucleus("cluster", "create", "--computes", "1", "--", name, check=False)
    assert refused.returncode in (1, 2)
    assert "letters, digits" in refused.stderr or "NAME" in refused.stderr
    assert "\x01" not in refused.stderr and "\u202e" not in refused.stderr


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("options,field", [
    (["--computes", "999999"], "compute_count"), (["--computes", "-1"], "--computes"),
    (["--computes", "1", "--cpus", "0"], "cpus"),
    (["--computes", "1", "--memory-mb", "1"], "memory"),
    (["--computes", "1", "--disk-gb", "99999999"], "disk"),
    (["--computes", "1", "--image", "nothing"], "nothing"),
    (["--computes", "1", "--project", "nothing"], "nothing")])
def test_a_cluster_out_of_bounds_is_refused_with_its_field(shared, options, field):
    refused = shared.nucleus("cluster", "create", "more", *options, check=False)
    assert refused.returncode in (1, 2)
    assert field in refused.stderr
