"""`comet` as its user runs it: the grammar of both generations, against four simulated hosts."""
import http.server
import json
import os
import pty
import select
import ssl
import subprocess
import threading
import time

import pytest
import requests

from conftest import BIN, a_deployment, session_of, wait_until
from http_client import operator_of

TIMEOUT_S = 60


class Client:
    """`comet` with the environment of one deployment and a home of its own."""

    def __init__(self, deployment, home):
        self.deployment = deployment
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), **deployment.env()}

    def run(self, *words, code=0, env=None):
        ran = subprocess.run([BIN / "comet", *words], env=env or self.env, text=True,
                             capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        assert ran.returncode == code, f"{words}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran

    def out(self, *words, **more):
        return self.run(*words, **more).stdout

    def at_terminal(self, *words, answers, env=None):
        """Runs it at a pseudo-terminal and answers each question once it is asked."""
        pid, master = pty.fork()
        if pid == 0:
            os.execve(BIN / "comet", ["comet", *words], env or self.env)
        shown = b""
        until = time.monotonic() + TIMEOUT_S
        answers = list(answers)
        while True:
            assert time.monotonic() < until, shown
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                shown += os.read(master, 4096)
            except OSError:  # it ended
                break
            if answers and answers[0][0].encode() in shown:
                os.write(master, answers.pop(0)[1].encode() + b"\n")
        os.close(master)
        assert not answers, shown
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    def states(self, cluster):
        rows = json.loads(self.out("cluster", cluster, "--format=json")).values()
        return {row["name"]: row["state"] for row in rows}


@pytest.fixture(name="client", scope="module")
def client_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        deployment.nucleus("cluster", "create", "c1", "--computes", "4")
        yield Client(deployment, tmp_path_factory.mktemp("home"))


def write_endpoints(client, **endpoints):
    folder = client.home / ".cloudmesh"
    folder.mkdir(exist_ok=True)
    body = {"cloudmesh": {"comet": {"username": "ada", "active": next(iter(endpoints)),
                                    "endpoints": endpoints}}}
    (folder / "cloudmesh.yaml").write_text(json.dumps(body))  # JSON is yaml, too
    return {k: v for k, v in client.env.items() if not k.startswith("NUCLEUS_")}


def test_power_on_of_nodes_creates_a_computeset_and_then_powers_them(client):
    nodes = "vm-c1-[00-01]"
    started = client.out("power", "on", "c1", nodes, "--walltime=2h", "--wait")
    assert "Request accepted! Check status with:\ncomet cluster c1\n" in started
    assert started.rstrip().endswith("running, 2 of 2 nodes active"), started
    number = json.loads(client.out("computeset", "--format=json"))["0"]["id"]
    refused = client.run("start", "c1", "vm-c1-01", code=1)
    assert f"computeset {number}" in refused.stderr
    # The nodes are in a running computeset: the same command powers them.
    client.out("power", "off", "c1", "vm-c1-01", "--wait")
    assert client.states("c1")["vm-c1-01"] == "shutoff"
    assert "power on vm-c1-[00-01]" in client.out("power", "on", "c1", nodes, "--wait")
    assert client.states("c1")["vm-c1-01"] == "active"
    # A number is a computeset, which can only be reset, rebooted and shut down.
    result = client.run("power", "off", "c1", number, code=2)
    assert "Action NOT SUPPORTED! Use 'comet start/terminate'!" in result.stderr
    client.out("power", "reset", "c1", number)
    # Of no other cluster, whether that exists or not.
    client.deployment.nucleus("cluster", "create", "c2", "--computes", "1")
    for cluster, reason in (("c2", "has no computeset"), ("c9", "no such cluster")):
        result = client.run("power", "shutdown", cluster, number, code=1)
        assert reason in result.stderr, result
    assert client.states("c1")["vm-c1-00"] == "active"
    ended = client.out("power", "shutdown", "c1", number, "--wait")
    assert ended.rstrip().endswith(f"computeset {number}: completed"), ended
    for again in (["terminate", number], ["power", "shutdown", "c1", number],
                  ["power", "reset", "c1", number]):
        result = client.run(*again, code=1)
        assert f"computeset {number} is completed already" in result.stderr
        assert result.stdout == ""


def test_nodes_are_listed_by_name(client):
    names = [line.split(",")[0] for line in
             client.out("cluster", "c1", "--status", "--format=csv").splitlines()[1:]]
    assert names == ["c1", "vm-c1-00", "vm-c1-01", "vm-c1-02", "vm-c1-03"]


def test_power_on_without_nodes_is_the_frontend(client):
    assert "1 of 1 nodes active" in client.out("power", "on", "c1", "--wait")
    frontend = json.loads(client.out("ll", "c1", "--format=json"))["0"]["Frontend (Fe)"]
    assert client.states("c1")[frontend] == "active"
    assert "1 of 1 nodes off" in client.out("power", "off", "c1", "--wait")


@pytest.mark.parametrize("nodes, reason", [
    ("n[0-999999999]", "more than"), ("n[1-5]" * 12, "more than"), ("n[5-1]", "start > stop"),
    ("n[1-2", "unbalanced"), ("n[[1]]", "nested")])
def test_a_malformed_hostlist_is_refused_before_a_request(client, nodes, reason):
    assert reason in client.run("start", "c1", nodes, code=2).stderr


@pytest.mark.parametrize("nodes", ["", ",", " "])
@pytest.mark.parametrize("command", [
    ("power", "on"), ("power", "off"), ("power", "reset"), ("start",), ("iso", "detach")])
def test_an_empty_list_of_nodes_is_refused_and_is_not_the_frontend(client, command, nodes):
    before = client.states("c1")
    result = client.run(*command, "c1", nodes, code=2)
    assert result.stdout == "" and result.stderr.count("\n") == 1, result
    assert client.states("c1") == before


def test_nodes_are_renamed_in_cycles_and_only_after_a_confirmation(client):
    before = set(client.states("c1"))
    code, shown = client.at_terminal("node", "rename", "c1", "vm-c1-[02-03]", "x[2-3]",
                                     answers=[("Rename?", "n")])
    assert (code, set(client.states("c1"))) == (1, before), shown
    result = client.out("node", "rename", "c1", "vm-c1-02,vm-c1-03", "vm-c1-03,vm-c1-02")
    assert "vm-c1-02 -> vm-c1-03" in result
    assert set(client.states("c1")) == before
    # The longest names leave no room for a temporary one.
    long = ["n" * 63 + end for end in "ab"]
    client.out("node", "rename", "c1", "vm-c1-[02-03]", ",".join(long))
    client.out("node", "rename", "c1", ",".join(long), ",".join(reversed(long)))
    client.out("node", "rename", "c1", ",".join(reversed(long)), "vm-c1-[02-03]")
    assert set(client.states("c1")) == before
    for names, reason in (("y,vm-c1-00", "the name is taken"), ("y,bad/name", "name must be"),
                          ("y," + "n" * 65, "name must be")):
        result = client.run("node", "rename", "c1", "vm-c1-02,vm-c1-03", names, code=1)
        assert reason in result.stderr, result
    assert "no node vm-c1-77" in client.run("node", "rename", "c1", "vm-c1-[02,77]", "y,z",
                                            code=1).stderr
    for names in ("y", "y,y", "y,z,w"):
        result = client.run("node", "rename", "c1", "vm-c1-[02-03]", names, code=2)
        assert "same length" in result.stderr, result
    assert set(client.states("c1")) == before


def test_reservations_are_not_made_by_clients_and_unknown_values_are_refused(client):
    assert "not supported" in client.run("reservation", "create", code=1).stderr
    assert client.run("power", "explode", "c1", code=2).stdout == ""
    assert "no such cluster: c9" in client.run("cluster", "c9", code=1).stderr
    assert "--state must be" in client.run("computeset", "--state=runing", code=2).stderr
    result = client.run("power", "on", "c1", "--wait", "--wait-limit=30s", code=2)
    assert "--wait-limit must be" in result.stderr
    assert "--sort must be one of" in client.run("cluster", "--sort=colour", code=2).stderr
    assert client.out("cluster", "c1", "--status", "--sort=ram", "--format=csv").startswith(
        "name,state,computeset,allocation,admin_state\n")


def test_the_yaml_file_names_several_endpoints(client):
    env = client.env
    outside = write_endpoints(
        client,
        here={"nucleus_base_url": env["NUCLEUS_URL"] + "/nucleus", "api_version": "v1",
              "auth_provider": "apikey", "apikey": {"api_key": env["NUCLEUS_API_KEY_NAME"],
                                                    "api_secret": env["NUCLEUS_API_KEY_SECRET"]}},
        gone={"nucleus_base_url": "http://127.0.0.1:1/nucleus", "auth_provider": "apikey",
              "apikey": {"api_key": "k", "api_secret": "s"}})
    assert "| c1 " in client.out("ll", env=outside)
    assert "127.0.0.1:1" in client.run("ll", "--endpoint=gone", code=1, env=outside).stderr
    assert "there are here, gone" in client.run("ll", "--endpoint=x", code=1, env=outside).stderr
    assert "* gone" in client.out("active", "gone", env=outside)
    client.run("ll", code=1, env=outside)
    assert "| c1 " in client.out("ll", "--endpoint=here", env=outside)
    assert "at a terminal" in client.run("init", code=2, env=outside).stderr


def test_an_image_is_attached_by_index_or_name(client, tmp_path):
    iso = tmp_path / "small.iso"
    # ISO 9660: 16 empty sectors, then a volume descriptor.
    iso.write_bytes(bytes(16 * 2048) + b"\x01CD001\x01" + bytes(2041) + b"\xffCD001\x01" +
                    bytes(2041))
    client.out("iso", "upload", iso, "--isoname=small.iso")
    names = [image["image_id"] for image in json.loads(client.out("iso", "list", "--format=rest"))]
    assert any(name.endswith("small.iso") for name in names)
    for way in (["iso", "attach", "1"], ["image", "attach", names[0]],
                ["iso", "attach", "small.iso"]):
        assert "takes effect after power off and on" in client.out(*way, "c1")

    def attached():
        session = session_of(client.env["NUCLEUS_TOKEN"])
        nodes = session.get(client.env["NUCLEUS_URL"] + "/v2/clusters/c1/nodes",
                            timeout=TIMEOUT_S).json()["nodes"]
        return {node["name"] for node in nodes if node["iso_id"] == names[0]}

    assert attached() == {"c1"}
    # A list is attached as a whole or not at all.
    result = client.run("iso", "attach", "small.iso", "c1", "vm-c1-[00-01,77]", code=1)
    assert "no node vm-c1-77" in result.stderr and attached() == {"c1"}
    client.out("iso", "attach", "small.iso", "c1", "vm-c1-[00-01]")
    assert attached() == {"c1", "vm-c1-00", "vm-c1-01"}
    client.out("iso", "detach", "c1", "vm-c1-[00-01]")
    assert attached() == {"c1"}
    assert "no such image" in client.run("iso", "attach", "none.iso", "c1", code=1).stderr


PASSWORD = "correct horse battery"


def test_init_asks_for_an_endpoint_and_fetches_an_api_key(client, tmp_path):
    token = client.deployment.add_person("ada", "demo")
    url = client.env["NUCLEUS_URL"]
    result = requests.post(url + "/nucleus/rest-auth/password/change/", timeout=TIMEOUT_S,
                         json={"new_password1": PASSWORD, "new_password2": PASSWORD},
                         headers={"Authorization": "Token " + token})
    assert result.status_code == 200, result.text
    fresh = {"PATH": client.env["PATH"], "HOME": str(tmp_path)}
    assert "no endpoint" in client.run("active", env=fresh).stdout
    questions = [("Username", "ada"), ("Endpoint", "here"), ("Base URL", url + "/nucleus/"),
                 ("API version", ""), ("Password of ada", PASSWORD)]
    code, shown = client.at_terminal("init", answers=questions, env=fresh)
    assert code == 0 and "Endpoint here is active" in shown, shown
    assert PASSWORD not in shown
    file = tmp_path / ".cloudmesh" / "cloudmesh.yaml"
    assert file.stat().st_mode & 0o077 == 0
    assert "| c1 " in client.out("ll", env=fresh)
    assert "* here" in client.out("active", env=fresh)
    # A wrong password changes nothing.
    before = file.read_text()
    questions[-1] = ("Password of ada", "wrong")
    code, shown = client.at_terminal("init", answers=questions, env=fresh)
    assert code == 1 and file.read_text() == before, shown


def test_a_password_begins_a_session_that_ends_with_the_command(client):
    outside = write_endpoints(client, here={
        "nucleus_base_url": client.env["NUCLEUS_URL"] + "/nucleus", "auth_provider": "userpass",
        "userpass": {"username": "ada", "password": "env"}})
    assert "| c1 " in client.out("ll", env={**outside, "COMET_PASSWORD": PASSWORD})
    client.run("ll", code=1, env={**outside, "COMET_PASSWORD": "wrong"})
    assert "no password" in client.run("ll", code=1, env=outside).stderr
    # Each run ended its session: the only token is that of this login.
    login = requests.post(client.env["NUCLEUS_URL"] + "/nucleus/rest-auth/login/",
                          json={"username": "ada", "password": PASSWORD}, timeout=TIMEOUT_S)
    session = session_of(login.json()["key"])
    tokens = session.get(client.env["NUCLEUS_URL"] + "/v2/me/tokens", timeout=TIMEOUT_S).json()
    assert len(tokens["tokens"]) == 1, tokens


def test_no_node_of_a_list_is_powered_if_one_is_in_no_computeset(client):
    client.out("start", "c1", "vm-c1-00", "--walltime=1d", "--wait")
    result = client.run("power", "off", "c1", "vm-c1-[00-01]", code=1)
    assert "vm-c1-01 is in no active computeset" in result.stderr
    assert client.states("c1")["vm-c1-00"] == "active"
    # Both are in a running computeset, but one is off: the server refuses the list.
    client.out("start", "c1", "vm-c1-01", "--walltime=1d", "--wait")
    client.out("power", "off", "c1", "vm-c1-01", "--wait")
    refused = client.run("power", "reboot", "c1", "vm-c1-[00-01]", code=1)
    assert (refused.stdout, refused.stderr.count("\n")) == ("", 1), refused
    assert "vm-c1-01 is not running" in refused.stderr, refused
    rows = json.loads(client.out("computeset", "--format=json")).values()
    client.out("terminate", str(max(int(row["id"]) for row in rows)), "--wait")
    assert "no node vm-c1-77" in client.run("power", "reset", "c1", "vm-c1-[00,77]", code=1).stderr
    shown = client.out("computeset")
    for line in ("ClusterID: c1", "State: running", "Requested/Running/Remaining: 1-00:00 / 00:0"):
        assert line in shown, shown
    number = json.loads(client.out("computeset", "--format=json"))["0"]["id"]
    assert client.out("computeset", number) == shown
    assert client.out("computeset", "--cluster=c1", "--state=failed") == ""
    assert "no such cluster: c9" in client.run("computeset", "--cluster=c9", code=1).stderr
    assert f"vm-c1-00,active,{number},demo," in client.out("cluster", "--concise", "--format=csv")
    assert client.out("cluster", "c1").startswith("Cluster: c1\tFrontend: ")
    assert "taken as minutes" in client.run("start", "c1", "vm-c1-01", "--walltime=90").stderr
    for wrong in (["start", "c1", "vm-c1-02", "--walltime=2x"], ["start", "c1"],
                  ["start", "c1", "vm-c1-02", "--count=1"], ["ll", "--format=xml"]):
        client.run(*wrong, code=2)


class NoClusters(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_):
        pass


def test_the_allocations_of_a_cluster_are_shown_and_set(client):
    operator = operator_of(client.deployment)
    made = operator.ask("PUT", "/v2/allocations/extra", data=json.dumps({"project_id": "demo"}))
    assert made.status_code == 200, made.text
    before = client.out("allocation", "c1").split()
    client.out("allocation", "c1", ",".join([*before, "extra"]))
    assert client.out("allocation", "c1").split() == [*before, "extra"]
    assert "NAMES is empty" in client.run("allocation", "c1", ",", code=2).stderr
    assert client.out("allocation", "c1").split() == [*before, "extra"]
    client.out("allocation", "c1", ",".join(before))
    assert client.out("allocation", "c1").split() == before


def test_an_acknowledgement_is_read_and_signed(client):
    operator = operator_of(client.deployment)
    text = {"text": "We answer for it.", "is_required": True}
    assert operator.ask("PUT", "/v2/acknowledgement", data=json.dumps(text)).status_code == 200
    try:
        wait_until(lambda: "not signed by" in client.out("acknowledgement", "demo"), "the text")
        assert client.out("acknowledgement", "demo") == (
            "We answer for it.\nnot signed by a PI and a cluster admin; to sign: "
            "comet acknowledgement demo --sign\n")
        refused = client.run("power", "on", "c1", code=1)
        assert refused.stderr.endswith("to read and sign it: comet acknowledgement demo\n")
        words = ("acknowledgement", "demo", "--sign")
        code, shown = client.at_terminal(*words, answers=[("Sign?", "n")])
        assert code == 1 and "signed" not in shown.replace("not signed", ""), shown
        code, shown = client.at_terminal(*words, answers=[("Sign?", "y")])
        assert code == 0 and shown.rstrip().endswith("signed"), shown
        assert "not signed by a PI; " in client.out("acknowledgement", "demo")
    finally:
        text = {"text": "", "is_required": False}
        operator.ask("PUT", "/v2/acknowledgement", data=json.dumps(text))


def test_a_server_with_tls_is_verified_with_the_ca_file(client, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    tmp_path / "key", "-out", tmp_path / "cert"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with http.server.HTTPServer(("127.0.0.1", 0), NoClusters) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            env = {"PATH": client.env["PATH"], "HOME": str(tmp_path), "NUCLEUS_TOKEN": "t",
                   "NUCLEUS_URL": f"https://localhost:{server.server_port}"}
            assert client.out("ll", "--format=rest",
                              env={**env, "NUCLEUS_CA_FILE": str(tmp_path / "cert")}) == "[]\n"
            assert "verify" in client.run("ll", code=1, env=env).stderr
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("words, verbs", [
    (("show", "--tools=mpi"), "run"),
    (("history", "--seconds=60"), "run"),
    (("export", "--wait"), "run and links run"),
    (("links", "show", "--wait-limit=1m"), "run and links run"),
    (("links", "run", "--tools=mpi"), "run"),
    (("run", "--certificate=1"), "show and export"),
])
def test_an_option_that_the_verb_would_ignore_is_refused(client, words, verbs):
    option = words[-1].split("=")[0]
    refused = client.run("overhead", "idle", *words, code=2)
    assert f"{option} is an option of {verbs} only" in refused.stderr


def test_a_measurement_that_cannot_be_made_says_why(client):
    """Also if the one before it ended in the same second."""
    client.deployment.nucleus("cluster", "create", "idle", "--computes", "2")
    assert "never measured" in client.run("overhead", "idle", code=1).stderr
    for _ in range(3):
        failed = client.run("overhead", "idle", "run", "--wait", "--wait-limit=1m", code=1)
        assert "two active compute nodes are needed" in failed.stdout + failed.stderr
    for verb in ("show", "export"):
        assert "two active compute nodes are needed" in client.run("overhead", "idle", verb,
                                                                   code=1).stderr
    client.deployment.nucleus("cluster", "remove", "idle")
