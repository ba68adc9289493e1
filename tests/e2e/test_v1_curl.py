"""REST v1 by curl: every route with status, headers and body."""
import json
import re
import subprocess

import pytest

from conftest import a_deployment, wait_until

PASSWORD = "correct horse battery"


class Answer:
    """The response that curl received."""

    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


def curl(*words):
    """Runs curl; returns the response's head and body."""
    ran = subprocess.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "60", *words],
                         capture_output=True, text=True, check=True)
    head, _, text = ran.stdout.partition("\n\n")
    while head.startswith("HTTP/1.1 100"):
        head, _, text = text.partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value.strip()
               for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, text)


class Site:
    """A deployment with cluster vc1, whose admin has a password."""

    def __init__(self, deployment):
        self.deployment = deployment
        deployment.nucleus("cluster", "create", "vc1", "--computes", "4")
        deployment.nucleus("person", "create", "eve", "--project", "physics")
        deployment.nucleus("cluster", "create", "other", "--computes", "1", "--project", "physics")
        first = deployment.add_person("ada", "demo")
        self.base = deployment.env()["NUCLEUS_URL"] + "/nucleus"
        set_it = self.post("/rest-auth/password/change/",
                           {"new_password1": PASSWORD, "new_password2": PASSWORD},
                           "-H", "Authorization: Token " + first)
        assert set_it.status == 200, set_it.text
        self.basic = ["-u", "ada:" + PASSWORD]
        reply = self.post("/rest-auth/login/", {"username": "ada", "password": PASSWORD})
        self.token = ["-H", "Authorization: Token " + reply.json["key"]]

    def ask(self, method, path, *words, who=None):
        words = [*words, *(self.token if who is None else who)]
        return curl("-X", method, *words, self.base + path)

    def post(self, path, body, *words):
        return curl("-H", "Content-Type: application/json", "-d", json.dumps(body), *words,
                    self.base + path)

    def start(self, **body):
        return self.post("/v1/computeset/", body, *self.token)

    def wait_set(self, number, *states):
        return wait_until(lambda: (lambda reply: reply if reply["state"] in states else None)(
            self.ask("GET", f"/v1/computeset/{number}/").json), f"computeset {number} {states}")


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "8") as deployment:
        yield Site(deployment)


@pytest.fixture(name="running", scope="module")
def running_fixture(site):
    """A running computeset of vm-vc1-00 and -01."""
    made = site.start(cluster="vc1", computes="vm-vc1-[00-01]", walltime_mins="60")
    assert made.status == 201, made.text
    return site.wait_set(made.json["id"], "running")


def test_row_1_lists_the_clusters_of_the_callers_projects(site):
    reply = site.ask("GET", "/v1/cluster/")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert [cluster["name"] for cluster in reply.json] == ["vc1"]
    cluster = reply.json[0]
    assert set(cluster) == {"name", "description", "computes", "frontend", "project", "vlan",
                            "allocations"}
    assert (cluster["project"], cluster["allocations"]) == ("demo", ["demo"])
    assert len(cluster["computes"]) == 4


def test_row_2_gets_a_cluster_or_404(site):
    assert site.ask("GET", "/v1/cluster/vc1/").json["name"] == "vc1"
    for name in ("other", "none"):
        reply = site.ask("GET", f"/v1/cluster/{name}/")
        assert (reply.status, reply.json) == (404, {"detail": "Not found."})


def test_row_3_creates_no_cluster(site):
    assert site.ask("PUT", "/v1/cluster/").status == 400


def test_rows_4_and_10_remove(site):
    site.deployment.nucleus("cluster", "create", "gone", "--computes", "1")
    reply = site.ask("DELETE", "/v1/cluster/gone/")
    assert reply.status == 200 and "gone" in reply.json
    assert site.ask("GET", "/v1/cluster/gone/").status == 404
    assert site.ask("DELETE", "/v1/cluster/gone/").status == 404
    assert site.ask("DELETE", "/v1/cluster/other/").status == 404


def test_row_5_shows_the_frontend(site):
    reply = site.ask("GET", "/v1/cluster/vc1/frontend/")
    assert reply.status == 200
    assert set(reply.json) == {"name", "state", "memory", "cpus", "disksize", "type", "interface",
                              "pub_ip", "pub_mac", "pub_netmask", "gateway", "dns1", "dns2",
                              "ntp", "frontend_state"}
    assert reply.json["name"] == "vc1"


def test_rows_6_7_and_8_power_iso_and_console_of_the_frontend(site):
    """A console that opens needs a real machine: test_console.py."""
    path = "/v1/cluster/vc1/frontend/"

    def state():
        return site.ask("GET", path).json["state"]

    off = site.ask("GET", path + "console/", who=site.basic)
    assert (off.status, off.json) == (400, "The VM is not running")
    on = site.ask("PUT", path + "poweron")
    assert (on.status, on.text) == (204, "")
    wait_until(lambda: state() == "active", "the frontend active")
    for action in ("reboot", "reset"):
        assert site.ask("PUT", path + action).status == 204
    wait_until(lambda: state() == "active", "the frontend active again")
    missing = site.ask("PUT", path + "attach_iso")
    assert (missing.status, missing.json) == (400, "Please provide the iso_name")
    assert site.ask("PUT", path + "attach_iso?iso_name=").status == 204
    assert site.ask("PUT", path + "attach_iso?iso_name=public%2Fnone.iso").status == 400
    assert site.ask("PUT", path + "poweroff").status == 204
    wait_until(lambda: state() != "active", "the frontend off")
    assert site.ask("PUT", path + "shutdown").status == 204


def test_rows_9_11_and_12_a_compute(site, running):
    name = running["computes"][0]["name"]
    path = f"/v1/cluster/vc1/compute/{name}/"
    reply = site.ask("GET", path)
    assert reply.status == 200
    assert {"name", "interface", "memory", "cpus", "disksize", "cluster", "type", "state",
            "active_computeset", "active_computeset_state", "compute_state"} <= set(reply.json)
    assert reply.json["active_computeset"] == running["id"]
    assert reply.json["active_computeset_state"] == "running"
    assert site.ask("GET", "/v1/cluster/vc1/compute/none/").status == 404
    free = site.ask("PUT", "/v1/cluster/vc1/compute/vm-vc1-03/poweron")
    assert (free.status, free.json) == (400, "Compute is not a member of an active computeset")
    wait_until(lambda: site.ask("GET", path).json["state"] == "active", "the compute active")
    assert site.ask("PUT", path + "reboot").status == 204
    assert site.ask("PUT", path + "attach_iso?iso_name=").status == 204
    wait_until(lambda: site.ask("GET", path).json["state"] == "active", "the compute active")


def test_row_13_renames_a_compute(site):
    path = "/v1/cluster/vc1/compute/vm-vc1-03/rename"

    def rename(name):
        return site.post(path, {"name": name}, *site.token)

    assert rename("vm-vc1-02").status == 400
    for bad in ("a.b", "a b", "", "../x", "a/b", "-o", "%n", 7, None):
        reply = rename(bad)
        assert reply.status == 400 and isinstance(reply.json, str), bad
    assert rename("last").status == 204
    assert site.ask("GET", "/v1/cluster/vc1/compute/last/").status == 200
    back = site.post("/v1/cluster/vc1/compute/last/rename", {"name": "vm-vc1-03"}, *site.token)
    assert (back.status, back.text) == (204, "")


def test_rows_15_and_16_list_and_get_computesets(site, running):
    number = running["id"]
    assert number in [reply["id"] for reply in site.ask("GET", "/v1/computeset/").json]
    some = site.ask("GET", "/v1/computeset/?state=running&state=submitted").json
    assert number in [reply["id"] for reply in some]
    assert site.ask("GET", "/v1/computeset/?state=failed").json == []
    reply = site.ask("GET", f"/v1/computeset/{number}/").json
    assert set(reply) == {"computes", "id", "state", "cluster", "account", "walltime_mins",
                         "start_time", "reservation"}
    assert reply["account"] == "demo" and reply["walltime_mins"] == 60
    assert isinstance(reply["start_time"], int)
    assert site.ask("GET", "/v1/computeset/999999/").status == 404


REFUSED = [
    ({"count": 1}, "Please provide the cluster"),
    ({"cluster": "vc1"}, "There are N nodes available for starting. Requested number should be "
                         "greater than zero."),
    ({"cluster": "vc1", "count": "0"}, "There are N nodes"),
    ({"cluster": "vc1", "count": 99}, "There are N nodes"),
    ({"cluster": "vc1", "count": -1}, "count must be"),
    ({"cluster": "vc1", "count": 1.5}, "count must be"),
    ({"cluster": "vc1", "count": "two"}, "count must be"),
    ({"cluster": "vc1", "count": 10 ** 30}, "count must be"),
    ({"cluster": "vc1", "count": 1, "walltime_mins": 10 ** 18}, "walltime"),
    ({"cluster": "vc1", "count": 1, "walltime_mins": -5}, "walltime"),
    ({"cluster": "vc1", "count": 1, "allocation": "none"},
     "Allocation none does not belong to the cluster."),
    ({"cluster": "vc1", "computes": "vm-vc1-02", "hosts": "a,b"}, "length of hosts"),
    ({"cluster": "vc1", "computes": "vm-vc1-[02"}, "computes is not a hostlist"),
    ({"cluster": "vc1", "computes": "n[0-999999999]"}, "computes is not a hostlist"),
    ({"cluster": "vc1", "computes": "none"}, "There is no compute none"),
    ({"cluster": "vc1", "computes": ["vm-vc1-02", "vm-vc1-02"]}, "twice"),
]


@pytest.mark.parametrize("body,reason", REFUSED)
def test_row_17_refuses_with_the_reason(site, running, body, reason):
    assert running["state"] == "running"
    reply = site.start(**body)
    assert reply.status == 400, reply.text
    for part in reason.split("N nodes"):
        assert part in reply.json


def test_row_17_refuses_a_node_of_another_set(site, running):
    reply = site.start(cluster="vc1", computes=["vm-vc1-00"])
    assert reply.status == 400
    for part in ("vm-vc1-00", str(running["id"]), "running"):
        assert part in reply.json


@pytest.mark.parametrize("what", [
    {"computes": "vm-vc1-[02-03]"}, {"computes": ["vm-vc1-02", "vm-vc1-03"]},
    {"computes": [{"name": "vm-vc1-02"}, {"name": "vm-vc1-03"}]}, {"count": "2"}, {"count": 2}])
@pytest.mark.parametrize("end", ["shutdown", "poweroff"])
def test_rows_17_to_20_start_and_end_in_each_form(site, running, what, end):
    assert running["state"] == "running"
    made = site.start(cluster="vc1", **what)
    assert made.status == 201, made.text
    number = made.json["id"]
    assert made.headers["location"] == f"{site.base}/v1/computeset/{number}"
    assert made.json["walltime_mins"] == 2880
    assert "status" not in made.json
    assert {node["name"] for node in made.json["computes"]} == {"vm-vc1-02", "vm-vc1-03"}
    followed = curl("-L", *site.token, made.headers["location"])
    assert followed.status == 301  # the first head; curl goes on
    site.wait_set(number, "running")
    for action in ("reboot", "reset"):
        assert site.ask("PUT", f"/v1/computeset/{number}/{action}").status == 204
    assert site.ask("PUT", f"/v1/computeset/{number}/{end}", "-d", "null").status == 204
    site.wait_set(number, "completed", "cancelled")
    assert site.ask("PUT", "/v1/computeset/999999/" + end).status == 404


def test_rows_21_and_22_images(site, tmp_path):
    iso = tmp_path / "tools+1.iso"
    iso.write_bytes(bytes(32768) + b"\x01CD001\x01" + bytes(2041) + b"\xffCD001\x01" +
                    bytes(40000))
    name = tmp_path / "tools.iso"
    name.write_bytes(iso.read_bytes())
    md5 = subprocess.run(["md5sum", name], capture_output=True, text=True,
                         check=True).stdout.split()[0]
    form = ["-F", f"file=@{name};type=application/octet-stream", "-F", "composite=NONE"]
    without = site.ask("POST", "/v1/image", *form)
    assert (without.status, without.json) == (400, "md5 was not provided")
    wrong = site.ask("POST", "/v1/image", *form, "-H", "md5: " + "0" * 32)
    assert (wrong.status, wrong.json) == (400, "md5 does not match the file")
    sent = site.ask("POST", "/v1/image", *form, "-H", "md5: " + md5)
    assert (sent.status, sent.text) == (204, "")
    for path in ("/v1/image", "/v1/image/", "/v1/images"):
        assert site.ask("GET", path).json == ["demo/tools.iso"]
    put = site.ask("PUT", "/v1/cluster/vc1/compute/vm-vc1-03/attach_iso?iso_name=public/tools.iso")
    assert put.status == 204


def test_rows_23_and_24_user_and_projects(site):
    for path in ("/v1/user", "/v1/user/", "/v1/users", "/rest-auth/user/"):
        reply = site.ask("GET", path)
        assert reply.status == 200
        assert set(reply.json) == {"username", "email", "first_name", "last_name"}
    for method, body in (("PUT", {"username": "ada", "first_name": "Ada", "last_name": "L"}),
                         ("PATCH", {"last_name": "Lovelace", "email": "x@y.z", "role": "pi"})):
        reply = site.ask(method, "/v1/user", "-H", "Content-Type: application/json", "-d",
                        json.dumps(body))
        assert reply.status == 200, reply.text
    assert reply.json == {"username": "ada", "email": "", "first_name": "Ada",
                         "last_name": "Lovelace"}
    assert site.ask("PATCH", "/v1/user", "-d", '{"last_name": 7}').status == 400
    for path in ("/v1/project", "/v1/project/"):
        assert site.ask("GET", path).json == [{"name": "demo"}]


def test_rows_25_and_26_log_in_and_out(site):
    reply = site.post("/rest-auth/login/", {"username": "ada", "password": PASSWORD})
    assert reply.status == 200 and set(reply.json) == {"key"}
    token = ["-H", "Authorization: Token " + reply.json["key"]]
    assert site.ask("GET", "/v1/project", who=token).status == 200
    assert site.ask("POST", "/rest-auth/logout/", who=token).status == 200
    assert site.ask("GET", "/v1/project", who=token).status == 401
    wrong = site.post("/rest-auth/login/", {"username": "ada", "password": "wrong horse"})
    assert wrong.status == 400
    assert wrong.json == {"non_field_errors": ["Unable to log in with provided credentials."]}
    empty = site.post("/rest-auth/login/", {"username": "ada"})
    assert (empty.status, empty.json) == (400, {"password": ["This field is required."]})


def test_row_27_returns_the_key_as_json_or_html(site):
    reply = site.ask("GET", "/getkey", "-H", "Accept: application/json", who=site.basic)
    assert reply.status == 200 and set(reply.json) == {"key_name", "key"}
    assert len(reply.json["key"]) == 24
    for accepts in ("text/html", "*/*"):
        page = site.ask("GET", "/getkey", "-H", "Accept: " + accepts, who=site.basic)
        assert page.status == 200
        assert page.headers["content-type"].startswith("text/html")
        assert reply.json["key"] in page.text
    assert site.ask("GET", "/getkey", "-H", "Accept: image/png", who=site.basic).status == 415
    assert site.ask("GET", "/getkey", who=["-u", "ada:wrong horse"]).status == 401


def test_a_missing_slash_is_redirected_with_the_query_kept(site):
    for path in ("/v1/cluster", "/v1/cluster/vc1", "/v1/cluster/vc1/frontend", "/v1/computeset"):
        reply = site.ask("GET", path + "?state=running")
        assert reply.status == 301
        assert reply.headers["location"] == f"{site.base}{path}/?state=running"
    for host in ("[::1]:8080", "nucleus_gateway_1:8080"):
        reply = site.ask("GET", "/v1/cluster", "-H", "Host: " + host)
        assert reply.headers["location"] == f"http://{host}/nucleus/v1/cluster/"


def test_an_invalid_credential_is_401_with_json(site):
    for who in ([], ["-u", "ada:wrong horse"], ["-H", "Authorization: Token " + "0" * 40]):
        reply = site.ask("GET", "/v1/cluster/", who=who)
        assert reply.status == 401
        assert set(reply.json) == {"detail"}
        assert "www-authenticate" in reply.headers


def test_many_wrong_passwords_are_429(site):
    site.deployment.nucleus("person", "create", "bob", "--project", "demo")
    reply = [site.post("/rest-auth/login/", {"username": "bob", "password": "wrong horse"})
            for _ in range(11)]
    states = [one.status for one in reply]
    assert states == sorted(states) and set(states) == {400, 429}, states
    assert 60 < int(reply[-1].headers["retry-after"]) <= 300


@pytest.mark.parametrize("path", ["/v1/cluster/", "/v2/clusters"])
def test_many_wrong_passwords_as_basic_are_429_and_so_is_the_right_one(site, path):
    name = "basic" + path[2]
    token = site.deployment.add_person(name, "demo")
    set_it = site.post("/rest-auth/password/change/",
                       {"new_password1": PASSWORD, "new_password2": PASSWORD}, "-H",
                       "Authorization: Token " + token)
    assert set_it.status == 200
    right = ["-u", f"{name}:{PASSWORD}"]
    assert site.ask("GET", path, who=right).status == 200
    reply = [site.ask("GET", path, who=["-u", name + ":wrong horse"]) for _ in range(11)]
    states = [one.status for one in reply]
    assert states == [401] * 10 + [429], states
    late = site.ask("GET", path, who=right)
    for refused in (reply[-1], late):
        assert refused.status == 429
        told = re.search(r"too many failed log-ins; try again in (\d+) s", refused.json["detail"])
        assert 60 < int(told[1]) <= 300
        assert refused.headers["retry-after"] == told[1]
    # Other requests from this address that have a token are answered.
    assert site.ask("GET", path).status == 200


def test_row_14_a_compute_that_is_off_has_no_console(site):
    """One that opens needs a real machine: test_console.py."""
    reply = site.ask("GET", "/v1/cluster/vc1/compute/vm-vc1-02/console/", who=site.basic)
    assert (reply.status, reply.json) == (400, "The VM is not running")
    assert site.ask("GET", "/v1/cluster/vc1/compute/none/console/").status == 404


def test_row_28_the_documents_need_no_credential(site):
    reply = site.ask("GET", "/docs/", who=[])
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/html")
    assert "openapi.json" in reply.text


def test_row_29_there_are_no_pages_for_administrators(site):
    for path in ("/admin/", "/v1/accounts/", "/v1/accounts/login/"):
        for who in (site.token, []):
            reply = site.ask("GET", path, who=who)
            assert (reply.status, reply.json) == (404, {"detail": "Not found."})
