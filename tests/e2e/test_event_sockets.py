"""Events over a WebSocket, and what ends a stream."""
import asyncio
import json
import time

import pytest
import requests
import websockets

from conftest import a_deployment, wait_until
from http_client import TIMEOUT_S, Admin, session_of


class Site(Admin):
    def follow(self, path="/v2/events", token=None, **more):
        headers = {"Authorization": "Token " + (token or self.token),
                   **{name.replace("_", "-"): value for name, value in more.items()}}
        return websockets.connect(self.url.replace("http", "ws", 1) + path, extra_headers=headers,
                                  open_timeout=TIMEOUT_S, max_size=None)


async def read(line, count):
    return [json.loads(await asyncio.wait_for(line.recv(), TIMEOUT_S)) for _ in range(count)]


@pytest.fixture(name="site", scope="module")
def site_fixture():
    settings = {"NUCLEUS_GATEWAY_STREAM_BYTES_MAX": 65_536, "NUCLEUS_GATEWAY_IDLE_S": 2,
                "NUCLEUS_GATEWAY_STREAMS_PER_PERSON_MAX": 8}
    with a_deployment("--simulated", "--hosts", "2", settings=settings) as deployment:
        deployment.nucleus("cluster", "create", "vc1", "--computes", "2")
        yield Site(deployment)


@pytest.mark.parametrize("path, headers", [("/v2/events?after=0", {}),
                                           ("/v2/events", {"Last_Event_ID": "0"})])
def test_a_socket_carries_the_events_of_the_stream(site, path, headers):
    async def first(count):
        async with site.follow(path, **headers) as line:
            return await read(line, count)
    expected = site.first_events(8)
    assert asyncio.run(first(8)) == expected
    assert [event["sequence"] for event in expected] == sorted(e["sequence"] for e in expected)


def test_it_resumes_after_a_number_and_the_larger_of_two_applies(site):
    events = site.first_events(6)
    third = str(events[2]["sequence"])

    async def rest(path, **headers):
        async with site.follow(path, **headers) as line:
            return await read(line, 3)
    assert asyncio.run(rest("/v2/events?after=" + third)) == events[3:]
    assert asyncio.run(rest("/v2/events?after=0", Last_Event_ID=third)) == events[3:]
    assert site.first_events(3, after=third) == events[3:]


def test_without_a_number_it_starts_now_and_pings_are_answered(site):
    async def follow():
        async with site.follow() as line:
            await asyncio.wait_for(await line.ping(), TIMEOUT_S)
            made = asyncio.to_thread(site.deployment.nucleus, "cluster", "create", "now",
                                     "--computes", "1")
            [event], _ = await asyncio.gather(read(line, 1), made)
            return event
    event = asyncio.run(follow())
    assert event["cluster"] == "now" and event["type"] == "registry.cluster-defined"


def test_a_watched_collection_is_a_socket_too(site):
    async def first():
        async with site.follow("/v2/clusters/vc1/nodes?watch", Last_Event_ID="0") as line:
            return await read(line, 3)
    events = asyncio.run(first())
    assert {event["cluster"] for event in events} == {"vc1"}


@pytest.mark.parametrize("path, token, status", [
    ("/v2/events", "0" * 40, 401), ("/v2/events?after=x", None, 400),
    ("/v2/events?after=-1", None, 400), ("/v2/none", None, 404)])
def test_a_refusal_is_sent_before_the_upgrade(site, path, token, status):
    async def fail():
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await site.follow(path, token=token)
        return refused.value.status_code
    assert asyncio.run(fail()) == status


def test_a_person_sees_only_the_events_of_their_projects(site):
    stranger = site.deployment.add_person("eve", "evesproject")

    async def follow():
        async with site.follow("/v2/events?after=0", token=stranger) as line:
            site.deployment.nucleus("cluster", "create", "hers", "--computes", "1", "--project",
                                    "evesproject")
            return await read(line, 3)
    assert {event["project"] for event in asyncio.run(follow())} <= {"evesproject", "public"}


def test_messages_of_a_client_are_ignored_and_a_large_one_closes_the_connection(site):
    async def send():
        async with site.follow("/v2/events?after=0") as line:
            await line.send("x" * 4096)
            assert len(await read(line, 2)) == 2
            await line.send("x" * 4097)
            while True:
                await asyncio.wait_for(line.recv(), TIMEOUT_S)
    with pytest.raises(websockets.ConnectionClosed) as closed:
        asyncio.run(send())
    assert closed.value.rcvd.code == 1009


def raw_upgrade(site, path):
    """An open WebSocket that is not read, so pings are not answered."""
    line = site.connect(receive_bytes=4096)
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 f"Authorization: Token {site.token}\r\n\r\n".encode())
    return line


def read_to_end(line):
    got = b""
    try:
        while part := line.recv(65_536):
            got += part
    except ConnectionResetError:
        pass
    return got


def test_a_client_that_answers_no_ping_is_disconnected(site):
    with raw_upgrade(site, "/v2/events") as line:
        got = read_to_end(line)  # ends only because the server ends it
    assert got.startswith(b"HTTP/1.1 101 ")
    assert b"\x89\x00" in got  # a ping was sent first


def test_a_slow_reader_is_disconnected_and_the_others_are_not(site):
    wait_until(lambda: site.event_streams() == 0, "no stream of earlier tests", TIMEOUT_S)
    slow = [raw_upgrade(site, "/v2/events"), raw_upgrade(site, "/v2/events?after=0")]
    try:
        wait_until(lambda: site.event_streams() == 2, "both are open")
        site.deployment.nucleus("cluster", "create", "big", "--computes", "1500")

        async def newest():
            async with site.follow("/v2/events?after=0") as line:
                return (await read(line, 1500))[-1]["sequence"]
        assert asyncio.run(newest()) >= 1500
        # The server disconnected them: the streams are gone before anybody read from them.
        wait_until(lambda: site.event_streams() == 0, "slow readers are disconnected", TIMEOUT_S)
        assert b"HTTP/1.1 101 " in read_to_end(slow[0])
    finally:
        for line in slow:
            line.close()


class Person:
    """A person with tokens, and the operator who takes their rights away."""

    def __init__(self, site, name):
        self.site, self.name = site, name
        self.first = site.deployment.add_person(name, "demo")
        operator = site.deployment.env()["NUCLEUS_OPERATOR_TOKEN"]
        self.session, self.operator = session_of(self.first), session_of(operator)

    def issue(self, **body):
        made = self.session.post(self.site.url + "/v2/me/tokens", data=json.dumps(body),
                                 timeout=TIMEOUT_S)
        assert made.status_code == 201, made.text
        return made.json()

    def ask(self, method, path, body=None):
        answer = self.operator.request(method, self.site.url + path, timeout=TIMEOUT_S,
                                       data=None if body is None else json.dumps(body))
        assert answer.status_code < 300, answer.text

    def revoke(self, token):
        answer = self.session.delete(f"{self.site.url}/v2/me/tokens/{token['token_id']}",
                                     timeout=TIMEOUT_S)
        assert answer.status_code == 204, answer.text


ENDS = {
    "revoked": lambda person, token: person.revoke(token),
    "expired": lambda person, token: None,
    "removed": lambda person, token: person.ask("DELETE", "/v2/people/" + person.name),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("path", ["/v2/events", "/v2/clusters/vc1/nodes?watch"])
def test_a_stream_ends_with_its_credential(site, end, path):
    person = Person(site, f"end-{end}-{'watch' in path}".lower())
    token = person.issue(**({"expires_unix_s": int(time.time()) + 6} if end == "expired" else {}))

    async def follow():
        async with site.follow(path, token=token["token"]) as line:
            await asyncio.wait_for(await line.ping(), TIMEOUT_S)
            await asyncio.to_thread(ENDS[end], person, token)
            while True:
                await asyncio.wait_for(line.recv(), TIMEOUT_S)
    with pytest.raises(websockets.ConnectionClosed):
        asyncio.run(follow())
    if end != "removed":
        assert person.session.get(site.url + "/v2/me", timeout=TIMEOUT_S).status_code == 200


def test_a_server_sent_stream_ends_with_its_token(site):
    person = Person(site, "sse")
    token = person.issue()
    with session_of(token["token"]).get(site.url + "/v2/events", stream=True,
                                        timeout=TIMEOUT_S) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert next(lines) == b"retry: 1000"
        person.revoke(token)
        with pytest.raises((StopIteration, requests.RequestException)):
            while True:
                next(lines)


def test_a_stream_goes_on_when_another_credential_ends(site):
    person = Person(site, "other")
    token, other = person.issue(), person.issue()

    async def follow():
        async with site.follow(token=token["token"]) as line:
            await asyncio.wait_for(await line.ping(), TIMEOUT_S)
            await asyncio.to_thread(person.revoke, other)
            made = asyncio.to_thread(site.deployment.nucleus, "cluster", "create", "goes-on",
                                     "--computes", "0")
            [event], _ = await asyncio.gather(read(line, 1), made)
            return event
    assert asyncio.run(follow())["cluster"] == "goes-on"


@pytest.mark.parametrize("path", ["/v2/events", "/v2/clusters?watch"])
def test_a_stream_shows_nothing_of_a_project_that_its_person_has_left(site, path):
    end = "-watch" if "watch" in path else ""
    person = Person(site, "left" + end)
    site.deployment.nucleus("person", "create", "keeps" + end, "--project", "kept")
    put = ("PUT", "/v2/people/" + person.name)
    person.ask(*put, {"role": "cluster_admin", "projects": ["demo", "kept"]})
    token = person.issue()

    async def follow():
        async with site.follow(path, token=token["token"]) as line:
            await asyncio.wait_for(await line.ping(), TIMEOUT_S)
            await asyncio.to_thread(person.ask, *put,
                                    {"role": "cluster_admin", "projects": ["kept"]})
            for name, project in (("of-demo", "demo"), ("of-kept", "kept")):
                await asyncio.to_thread(site.deployment.nucleus, "cluster", "create", name + end,
                                        "--computes", "0", "--project", project)
            return (await read(line, 1))[0]
    assert asyncio.run(follow())["project"] == "kept"


def test_streams_are_limited_per_person_and_some_are_the_operators(site):
    greedy = Person(site, "greedy")

    async def fill():
        lines = []
        try:
            while len(lines) < 40:
                try:
                    lines.append(await site.follow(token=greedy.first))
                except websockets.InvalidStatusCode as refused:
                    assert refused.status_code == 503
                    break
            # Other people still have slots, and when those are used up, operators have.
            for token in (site.token, greedy.operator.headers["Authorization"].split()[1]):
                async with site.follow(token=token) as line:
                    await asyncio.wait_for(await line.ping(), TIMEOUT_S)
            return len(lines)
        finally:
            for line in lines:
                await line.close()
    assert asyncio.run(fill()) == 8


def test_what_is_no_longer_kept_is_answered_with_410():
    settings = {"NUCLEUS_REDIS_EVENTS_RETAINED": 1000}
    with a_deployment("--simulated", "--hosts", "1", settings=settings) as deployment:
        admin = Admin(deployment)
        for number in range(40):
            deployment.nucleus("cluster", "create", f"c{number}", "--computes", "20")
            with admin.session.get(admin.url + "/v2/events", headers={"Last-Event-ID": "0"},
                                   stream=True, timeout=TIMEOUT_S) as answer:
                if answer.status_code != 200:
                    break
        assert answer.status_code == 410
        last = int(admin.ask("GET", "/v2/projects").headers["Nucleus-Sequence"])
        assert admin.first_events(1, after=str(last - 1))[0]["sequence"] == last
