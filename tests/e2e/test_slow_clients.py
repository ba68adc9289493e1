"""Clients that are slow on purpose: others are answered meanwhile, and the server ends them.

Each test waits for the server's close, however long it takes; only a failure is bounded by time."""
import contextlib
import select
import selectors
import socket
import struct
import time

import pytest

from conftest import a_deployment, session_of, wait_until

PATIENCE_S = 60
CONNECTIONS_MAX = 2_500
SETTINGS = {"NUCLEUS_GATEWAY_IDLE_S": 3, "NUCLEUS_GATEWAY_CONNECTIONS_MAX": CONNECTIONS_MAX,
            "NUCLEUS_GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": CONNECTIONS_MAX,
            "NUCLEUS_GATEWAY_STREAM_BYTES_MAX": 65_536}


class Site:
    def __init__(self, deployment):
        self.deployment = deployment
        env = deployment.env()
        self.url, self.token = env["NUCLEUS_URL"], env["NUCLEUS_TOKEN"]
        host, _, port = self.url.removeprefix("http://").partition(":")
        self.address = (host, int(port))

    def serve_others(self, count=20):
        """Requests of somebody else, each on a connection of its own, all answered."""
        for _ in range(count):
            with session_of(self.token) as session:
                answer = session.get(self.url + "/v2/clusters", timeout=PATIENCE_S)
                assert answer.status_code == 200

    def connect(self, receive_bytes=None):
        line = socket.socket()
        if receive_bytes:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        line.settimeout(PATIENCE_S)
        line.connect(self.address)
        return line

    def streams(self):
        told = session_of().get(self.url + "/metrics", timeout=PATIENCE_S).text
        return next(float(line.split()[1]) for line in told.splitlines()
                    if line.startswith("nucleus_gateway_event_streams "))


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "1", settings=SETTINGS) as deployment:
        yield Site(deployment)


@contextlib.contextmanager
def many(site, count, first=b""):
    """So many connections, each after it said the beginning of a request."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(site.connect()) for _ in range(count)]
        for line in lines:
            line.sendall(first)
        yield lines


def drip_until_closed(lines, drop):
    """Sends a drop on each line again and again until the server has ended them all; what it had
    said on each before that."""
    said = {line: b"" for line in lines}
    until = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as open_lines:
        for line in lines:
            open_lines.register(line, selectors.EVENT_READ)
        while open_lines.get_map():
            assert time.monotonic() < until, f"{len(open_lines.get_map())} lines are still open"
            for key, _ in open_lines.select(0.2):
                with contextlib.suppress(ConnectionResetError):
                    if part := key.fileobj.recv(65_536):
                        said[key.fileobj] += part
                        continue
                open_lines.unregister(key.fileobj)
            for key in list(open_lines.get_map().values()):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    key.fileobj.sendall(drop)
    return list(said.values())


def upload_head(site):
    return (b"POST /nucleus/v1/image HTTP/1.1\r\nHost: n\r\nAuthorization: Token %s\r\n"
            b"md5: 00000000000000000000000000000000\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n" % site.token.encode())


SLOW = {
    "a head": (lambda _: b"GET /healthz HTTP/1.1\r\nHost: n\r\nX: ", b"y"),
    "a head of many lines": (lambda _: b"GET /healthz HTTP/1.1\r\nHost: n\r\n", b"X: y\r\n"),
    "a body": (lambda _: b"POST /rest-auth/login/ HTTP/1.1\r\nHost: n\r\n"
                         b"Content-Length: 100000\r\n\r\n{", b" "),
    "a body in chunks": (lambda _: b"POST /rest-auth/login/ HTTP/1.1\r\nHost: n\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "an upload": (upload_head, b"x"),
    "nothing": (lambda _: b"", b""),
}


@pytest.mark.parametrize("what", SLOW)
def test_who_drips_is_ended_and_the_others_are_answered(site, what):
    first, drop = SLOW[what]
    with many(site, 200, first(site)) as lines:
        site.serve_others()
        said = drip_until_closed(lines, drop)
    assert said == [b""] * 200
    site.serve_others(1)


def test_thousands_of_silent_connections_delay_nobody_and_those_over_the_limit_get_503(site):
    ask = b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n"
    with many(site, 2_000) as idle:
        site.serve_others()
        assert drip_until_closed(idle, b"") == [b""] * 2_000
    # Each keeps its connection by sending a request; those over the limit are refused.
    with many(site, CONNECTIONS_MAX + 100, ask) as lines:
        answers = []
        for line in lines:
            try:
                answers.append(line.recv(12))
            except ConnectionResetError:
                answers.append(b"")
        assert set(answers) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
        assert 0 < len(answers) - answers.count(b"HTTP/1.1 200") <= 100, answers
        assert answers.count(b"HTTP/1.1 503") > 0
    site.serve_others(1)


def test_who_takes_no_answer_is_ended(site):
    """Requests one behind the other, and no answer read: the close is seen by poll alone."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: n\r\n\r\n" * 400
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(site.connect(receive_bytes=4096)) for _ in range(50)]
        gone = select.poll()
        for line in lines:
            line.sendall(ask)
            gone.register(line, select.POLLRDHUP)  # a reset is told besides
        site.serve_others()
        left, until = len(lines), time.monotonic() + PATIENCE_S
        while left:
            assert time.monotonic() < until, f"{left} are still open"
            for descriptor, _ in gone.poll(1000):
                gone.unregister(descriptor)
                left -= 1
    site.serve_others(1)


def test_who_reads_no_events_is_ended_and_who_reads_has_all(site):
    ask = (b"GET /v2/events HTTP/1.1\r\nHost: n\r\nAuthorization: Token %s\r\n"
           b"Last-Event-ID: %s\r\n\r\n")
    wait_until(lambda: site.streams() == 0, "no stream of before is left")
    with contextlib.ExitStack() as stack:
        for after in (b"0", b"99999999"):
            for _ in range(5):
                line = stack.enter_context(site.connect(receive_bytes=4096))
                line.sendall(ask % (site.token.encode(), after))
        wait_until(lambda: site.streams() == 10, "all are open")
        site.deployment.nucleus("cluster", "create", "big", "--computes", "1500")
        with session_of(site.token).get(site.url + "/v2/events", headers={"Last-Event-ID": "0"},
                                        stream=True, timeout=PATIENCE_S) as answer:
            data = (text for text in answer.iter_lines() if text.startswith(b"id: "))
            numbers = [int(next(data)[4:]) for _ in range(3000)]
        assert len(set(numbers)) == 3000 and numbers == sorted(numbers)
        wait_until(lambda: site.streams() == 0, "those that read nothing are ended", PATIENCE_S)


def test_who_asks_to_go_on_and_is_gone_harms_nobody(site):
    """`100 Continue` to a connection that was reset must not end the gateway."""
    pid = site.deployment.pids()["gateway"]
    for _ in range(300):
        with site.connect() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(b"POST /rest-auth/login/ HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n"
                         b"Expect: 100-continue\r\n\r\n")
    site.serve_others(1)
    assert site.deployment.pids()["gateway"] == pid
