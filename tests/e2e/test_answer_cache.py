"""Answers from the gateway's cache equal those of the services: after a change through this gateway
or elsewhere, for each caller, after a credential ended, and while bus or Redis are away."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests
import yaml
import zmq

from conftest import BIN, a_deployment, session_of, wait_until

CLUSTER = "/v2/clusters/kept"
NODE = CLUSTER + "/nodes/vm-kept-00"
FRONTEND = CLUSTER + "/nodes/kept"


class Client:
    """The holder of a token; sends each request in the same bytes on the same connection."""

    def __init__(self, env, token):
        self.url = env["NUCLEUS_URL"]
        self.session = session_of(token)

    def ask(self, method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, self.url + path, json=body, timeout=30, headers=named)

    def do(self, method, path, body=None):
        answer = self.ask(method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def get(self, path):
        return self.do("GET", path)

    def metric(self, name):
        text = self.ask("GET", "/metrics").text
        return float(re.search(rf"(?m)^nucleus_gateway_cache_{name} (\S+)$", text)[1])

    def hits_of(self, path):
        """How many of two reads were answered from memory."""
        before = self.metric("hits_total")
        self.ask("GET", path)
        self.ask("GET", path)
        return self.metric("hits_total") - before


@pytest.fixture(name="deployment", scope="module")
def deployment_fixture():
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "kept", "--computes", "2")
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(deployment):
    admin = Client(deployment.env(), deployment.env()["NUCLEUS_TOKEN"])
    wait_until(lambda: admin.hits_of(NODE) == 2, "reads from memory")
    return admin


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(deployment):
    return Client(deployment.env(), deployment.add_person("eve", "physics"))


def test_packed_and_plain_answers_are_cached_apart(admin):
    wait_until(lambda: admin.hits_of(CLUSTER) == 2, "reads from memory")
    for _ in range(3):
        packed, plain = (admin.ask("GET", CLUSTER, Accept_Encoding=one)
                         for one in ("gzip", "identity"))
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert packed.json() == plain.json()
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])


def test_what_was_changed_is_in_the_next_read(admin):
    before = admin.metric("hits_total")
    for i in range(200):
        if i % 2:
            wanted = {"is_desired_on": i % 4 == 1}
            action = "on" if wanted["is_desired_on"] else "off"
            admin.do("POST", FRONTEND + "/power", {"action": action})
        else:
            wanted = {"memory_mb": 512 + i}
            admin.do("PATCH", FRONTEND, wanted)
        for path in (FRONTEND, CLUSTER, CLUSTER + "/nodes", CLUSTER + "/nodes?limit=1"):
            reply = admin.get(path)
            if path != FRONTEND:
                reply = next(n for n in reply["nodes"] if n["name"] == "kept")
            assert wanted.items() <= reply.items(), (i, path)
        listed = next(c for c in admin.get("/v2/clusters?limit=1000")["clusters"]
                      if c["cluster_id"] == "kept")
        assert listed["revision"] == admin.get(CLUSTER)["revision"], i
    wait_until(lambda: admin.hits_of(NODE) == 2, "reads from memory")
    assert admin.metric("hits_total") > before


def test_old_clients_read_their_writes(admin):
    path = "/v1/cluster/kept/compute/vm-kept-01/"
    names = ["vm-kept-01", "renamed"]
    for i in range(40):
        old, new = names[i % 2], names[(i + 1) % 2]
        assert admin.get(f"/v1/cluster/kept/compute/{old}/")["name"] == old
        assert admin.ask("POST", f"/v1/cluster/kept/compute/{old}/rename",
                         {"name": new}).status_code == 204
        assert admin.ask("GET", f"/v1/cluster/kept/compute/{old}/").status_code == 404
        assert [c["name"] for c in admin.get("/v1/cluster/kept/")["computes"]
                ] == ["vm-kept-00", new], i
    assert admin.get(path)["name"] == "vm-kept-01"


def test_a_change_elsewhere_is_in_the_answer_after_its_event(deployment, admin):
    def listed():
        return {cluster["cluster_id"] for cluster in admin.get("/v2/clusters")["clusters"]}

    wait_until(lambda: admin.hits_of("/v2/clusters") == 2, "the list is cached")
    deployment.nucleus("cluster", "create", "elsewhere", "--computes", "1")
    wait_until(lambda: "elsewhere" in listed(), "a cluster that was made over the bus")
    wait_until(lambda: admin.hits_of("/v2/clusters") == 2, "the list is cached")
    deployment.nucleus("cluster", "remove", "elsewhere")
    wait_until(lambda: "elsewhere" not in listed(), "it is gone")
    # The provisioner reports that the domain runs: no request through this gateway causes that.
    admin.do("POST", FRONTEND + "/power", {"action": "on"})
    wait_until(lambda: admin.get(FRONTEND)["state"] == "active", "the node runs")
    wait_until(lambda: admin.hits_of(FRONTEND) == 2, "the node is cached")
    pid = deployment.pids()["provisioner"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: admin.get(FRONTEND)["state"] == "nostate-error", "its host is silent")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: admin.get(FRONTEND)["state"] == "active", "its host is up again")


def test_each_caller_gets_their_own_answer(admin, stranger):
    for path in (NODE, CLUSTER, CLUSTER + "/nodes", CLUSTER + "/networks",
                 "/v1/cluster/kept/", "/v1/cluster/kept/frontend/"):
        wait_until(lambda p=path: admin.hits_of(p) == 2, f"{path} is remembered")
        for _ in range(3):
            assert stranger.ask("GET", path).status_code == 404, path
            assert admin.ask("GET", path).status_code == 200, path
    for path in ("/v2/clusters", "/v1/cluster/", "/v2/computesets", "/v1/computeset/"):
        wait_until(lambda p=path: admin.hits_of(p) == 2, f"{path} is remembered")
        for _ in range(3):
            assert "kept" not in stranger.ask("GET", path).text, path
    assert "kept" in admin.ask("GET", "/v2/clusters").text


def test_cached_answers_differ_in_their_request_ids_only(admin):
    wait_until(lambda: admin.hits_of(NODE) == 2, "the node is cached")
    answers = [admin.ask("GET", NODE) for _ in range(3)]
    ids = {answer.headers.pop("X-Request-Id") for answer in answers}
    assert len(ids) == 3 and {len(i) for i in ids} == {32}
    assert all(answer.headers == answers[0].headers for answer in answers)
    assert all(answer.content == answers[0].content for answer in answers)
    anew = admin.ask("GET", NODE + "?fields=")
    assert anew.json() == answers[0].json()
    assert anew.headers["ETag"] == answers[0].headers["ETag"]


def test_pipelined_requests_are_answered_in_order_and_bodies_are_not_requests(deployment, admin):
    wait_until(lambda: admin.hits_of(NODE) == 2, "the node is cached")
    env = deployment.env()
    host, port = env["NUCLEUS_URL"].removeprefix("http://").split(":")
    line = f"Host: {host}:{port}\r\nAuthorization: Token {env['NUCLEUS_TOKEN']}\r\n"
    get = f"GET {NODE} HTTP/1.1\r\n{line}\r\n"
    with_body = f"GET {NODE} HTTP/1.1\r\n{line}Content-Length: {len(get)}\r\n\r\n{get}"
    last = f"GET {NODE} HTTP/1.1\r\n{line}Connection: close\r\n\r\n"
    for _ in range(3):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall((get * 3 + with_body * 2 + get + last).encode())
            reply = b""
            while piece := connection.recv(65536):
                reply += piece
        assert reply.count(b"HTTP/1.1 200 OK\r\n") == reply.count(b"HTTP/1.1 ") == 7
        assert reply.count(b'"name":"vm-kept-00"') == 7


def test_a_revoked_token_is_refused_immediately(deployment, admin):
    for _ in range(20):
        token = admin.do("POST", "/v2/me/tokens", {"label": "short"})
        holder = Client(deployment.env(), token["token"])
        for _ in range(5):
            assert holder.ask("GET", NODE).status_code == 200
        admin.ask("DELETE", "/v2/me/tokens/" + token["token_id"])
        assert holder.ask("GET", NODE).status_code == 401


def test_a_person_removed_over_the_bus_is_refused_after_the_event(deployment):
    leaver = Client(deployment.env(), deployment.add_person("leaver", "demo"))
    wait_until(lambda: leaver.hits_of(NODE) == 2, "the node is cached for them")
    deployment.nucleus("person", "remove", "leaver")
    wait_until(lambda: leaver.ask("GET", NODE).status_code == 401, "they are refused")
    assert leaver.ask("GET", CLUSTER).status_code == 401


def test_a_token_ends_when_it_expires(deployment, admin):
    end = int(time.time()) + 6
    token = admin.do("POST", "/v2/me/tokens", {"label": "ends", "expires_unix_s": end})
    holder = Client(deployment.env(), token["token"])
    assert holder.ask("GET", NODE).status_code == 200

    def is_refused():
        start = time.time()
        status = holder.ask("GET", NODE).status_code
        assert status == 401 or start < end + 1, "accepted after its end"
        return status == 401

    wait_until(is_refused, "the token ends")


@pytest.fixture(name="polling", scope="module")
def polling_fixture(deployment):
    """Another gateway, which the bus sends no events: it polls the stream twice a second."""
    run = deployment.state / "run"
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "127.0.0.1:%d" % free.getsockname()[1]
    settings = yaml.safe_load((deployment.state / "config" / "gateway.yaml").read_text())
    settings |= {"bus.name": "gateway/polling", "bus.events_url": f"ipc://{run}/silent.sock",
                 "gateway.listen": address, "metrics.listen": ""}
    config = deployment.state / "polling.yaml"
    config.write_text(yaml.safe_dump(settings))
    env = deployment.env() | {"NUCLEUS_URL": f"http://{address}"}
    polling = Client(env, env["NUCLEUS_TOKEN"])

    def is_up():
        try:
            return polling.ask("GET", "/healthz").ok
        except requests.ConnectionError:
            return False

    with zmq.Context() as context, context.socket(zmq.XPUB) as silent:
        silent.bind(settings["bus.events_url"])
        with subprocess.Popen([BIN / "nucleus-gateway", "--config", config],
                              stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(is_up, "the polling gateway answers")
                wait_until(lambda: polling.hits_of(CLUSTER) == 2, "its cache works")
                yield polling
            finally:
                process.terminate()


def test_a_client_reads_its_own_change_though_the_event_is_late(polling):
    for i in range(10):
        wait_until(lambda: polling.hits_of(CLUSTER) == 2, "the cluster is cached")
        polling.do("PATCH", CLUSTER, {"description": f"late {i}"})
        assert polling.get(CLUSTER)["description"] == f"late {i}"


def test_a_change_through_another_gateway_can_be_awaited(polling, admin):
    for i in range(10):
        wait_until(lambda: polling.hits_of(CLUSTER) == 2, "the cluster is cached")
        changed = admin.ask("PATCH", CLUSTER, {"description": f"there {i}"})
        reply = polling.ask("GET", CLUSTER,
                            Nucleus_After_Sequence=changed.headers["Nucleus-Sequence"])
        assert reply.json()["description"] == f"there {i}"
        wait_until(lambda n=i: polling.get(CLUSTER)["description"] == f"there {n}",
                   "the event is applied")


def test_a_revoked_token_is_refused_though_its_event_is_late(polling):
    for _ in range(3):
        token = polling.do("POST", "/v2/me/tokens", {"label": "short"})
        holder = Client({"NUCLEUS_URL": polling.url}, token["token"])
        wait_until(lambda who=holder: who.hits_of(CLUSTER) == 2, "its answers are cached")
        polling.ask("DELETE", "/v2/me/tokens/" + token["token_id"])
        assert holder.ask("GET", CLUSTER).status_code == 401


def test_concurrent_requests_are_answered_by_few_calls(deployment, admin):
    env = deployment.env()
    clients = [Client(env, env["NUCLEUS_TOKEN"]) for _ in range(8)]
    reply, start = [], threading.Barrier(len(clients))

    def read(client):
        start.wait(30)
        for _ in range(20):
            reply.append(client.get(CLUSTER)["description"])

    admin.do("PATCH", CLUSTER, {"description": "for many"})
    readers = [threading.Thread(target=read, args=(client,)) for client in clients]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert reply == ["for many"] * 160


def body_of(answer):
    """None if a service is unavailable."""
    assert answer.status_code in (200, 503), answer.text
    return answer.json() if answer.ok else None


@pytest.mark.parametrize("process", ["bus", "redis", "registry", "scheduler"])
def test_no_stale_answer_while_processes_are_killed(deployment, admin, process):
    """Each read that starts after a change was answered contains that change."""
    newest, faults, is_over = [0], [], threading.Event()
    env = deployment.env()

    def watch():
        reader = Client(env, env["NUCLEUS_TOKEN"])
        while not is_over.is_set():
            reply = newest[0]
            answer = reader.ask("GET", CLUSTER)
            if answer.status_code == 200 and int(answer.json()["description"]) < reply:
                faults.append((reply, answer.json()["description"]))

    def write(i):
        assert wait_until(lambda: admin.ask("PATCH", CLUSTER, {"description": str(i)}).ok,
                          f"{process} is back", 60)
        newest[0] = i

    write(1)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for i in range(2, 8):
            killed = deployment.pids()[process]
            os.kill(killed, signal.SIGKILL)
            write(i)
            answer = wait_until(lambda: body_of(admin.ask("GET", CLUSTER)), "an answer", 60)
            assert answer["description"] == str(i)
            wait_until(lambda pid=killed: deployment.pids().get(process, pid) != pid, process)
    finally:
        is_over.set()
        watcher.join(60)
    assert not faults
    wait_until(lambda: admin.hits_of(CLUSTER) == 2, "memory is used again", 60)


def test_the_cache_is_not_used_while_the_stream_cannot_be_read(deployment, admin):
    wait_until(lambda: admin.hits_of(NODE) == 2, "the node is cached")
    pid = deployment.pids()["redis"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: admin.hits_of(NODE) == 0, "services are asked")
        assert admin.hits_of(NODE) == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: admin.hits_of(NODE) == 2, "memory is used again", 60)


def test_its_memory_is_measured_and_bounded(admin):
    for i in range(50):
        admin.get(f"/v2/clusters?limit={i + 1}")
    wait_until(lambda: admin.hits_of(NODE) == 2, "the node is cached")
    assert 0 < admin.metric("bytes") <= 64 << 20
    assert admin.metric("misses_total") > 50


def test_a_drained_gateway_does_not_use_its_cache(deployment, admin):
    wait_until(lambda: admin.hits_of(NODE) == 2, "the node is cached")
    gateway = deployment.pids()["gateway"]
    deployment.nucleus("process", "drain", "gateway")
    refused = admin.ask("GET", NODE)
    assert (refused.status_code, "no new requests" in refused.text) == (503, True)
    os.kill(gateway, signal.SIGTERM)
    wait_until(lambda: deployment.pids().get("gateway", gateway) != gateway and
               deployment.process("gateway")["health"] == "healthy", "its next start")
    wait_until(lambda: admin.hits_of(NODE) == 2, "memory is used again")
