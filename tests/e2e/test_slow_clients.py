"""Deliberately slow clients: the server disconnects them, and answers others meanwhile.

Each test waits until the server closes the connections; a time limit only bounds failures."""
import contextlib
import select
import selectors
import socket
import struct
import time

import pytest

from conftest import a_deployment, wait_until
from http_client import TIMEOUT_S, Admin

CONNECTIONS_MAX = 2_500
SETTINGS = {"NUCLEUS_GATEWAY_IDLE_S": 3, "NUCLEUS_GATEWAY_CONNECTIONS_MAX": CONNECTIONS_MAX,
            "NUCLEUS_GATEWAY_CONNECTIONS_PER_ADDRESS_MAX": CONNECTIONS_MAX,
            "NUCLEUS_GATEWAY_STREAM_BYTES_MAX": 65_536}


class Site(Admin):
    def serve_others(self, count=20):
        """Other requests, each on a connection of its own, all answered."""
        for _ in range(count):
            assert self.ask_on_new_connection("GET", "/v2/clusters").status_code == 200


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "1", settings=SETTINGS) as deployment:
        yield Site(deployment)


@contextlib.contextmanager
def many(site, count, first=b""):
    """Connections, each after sending the beginning of a request."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(site.connect()) for _ in range(count)]
        for line in lines:
            line.sendall(first)
        yield lines


def drip_until_closed(lines, drop):
    """Repeatedly sends a few bytes on each line until the server has closed all of them; returns
    what the server sent on each."""
    received = {line: b"" for line in lines}
    until = time.monotonic() + TIMEOUT_S
    with selectors.DefaultSelector() as open_lines:
        for line in lines:
            open_lines.register(line, selectors.EVENT_READ)
        while open_lines.get_map():
            assert time.monotonic() < until, f"{len(open_lines.get_map())} lines are still open"
            for key, _ in open_lines.select(0.2):
                with contextlib.suppress(ConnectionResetError):
                    if part := key.fileobj.recv(65_536):
                        received[key.fileobj] += part
                        continue
                open_lines.unregister(key.fileobj)
            for key in list(open_lines.get_map().values()):
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    key.fileobj.sendall(drop)
    return list(received.values())


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
def test_a_dripping_client_is_disconnected_and_others_are_answered(site, what):
    first, drop = SLOW[what]
    with many(site, 200, first(site)) as lines:
        site.serve_others()
        received = drip_until_closed(lines, drop)
    assert received == [b""] * 200
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


def test_a_client_that_reads_no_answers_is_disconnected(site):
    """Pipelined requests whose answers are not read; poll reports the close."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: n\r\n\r\n" * 400
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(site.connect(receive_bytes=4096)) for _ in range(50)]
        gone = select.poll()
        for line in lines:
            line.sendall(ask)
            gone.register(line, select.POLLRDHUP)  # resets are reported as well
        site.serve_others()
        left, until = len(lines), time.monotonic() + TIMEOUT_S
        while left:
            assert time.monotonic() < until, f"{left} are still open"
            for descriptor, _ in gone.poll(1000):
                gone.unregister(descriptor)
                left -= 1
    site.serve_others(1)


def test_a_subscriber_that_does_not_read_is_disconnected_and_others_miss_nothing(site):
    ask = (b"GET /v2/events HTTP/1.1\r\nHost: n\r\nAuthorization: Token %s\r\n"
           b"Last-Event-ID: %s\r\n\r\n")
    wait_until(lambda: site.event_streams() == 0, "no stream of earlier tests")
    with contextlib.ExitStack() as stack:
        for after in (b"0", b"99999999"):
            for _ in range(5):
                line = stack.enter_context(site.connect(receive_bytes=4096))
                line.sendall(ask % (site.token.encode(), after))
        wait_until(lambda: site.event_streams() == 10, "all are open")
        site.deployment.nucleus("cluster", "create", "big", "--computes", "1500")
        numbers = [event["sequence"] for event in site.first_events(3000)]
        assert len(set(numbers)) == 3000 and numbers == sorted(numbers)
        wait_until(lambda: site.event_streams() == 0, "slow readers are disconnected", TIMEOUT_S)


def test_a_connection_reset_before_100_continue_is_harmless(site):
    """Sending `100 Continue` to a reset connection must not end the gateway."""
    pid = site.deployment.pids()["gateway"]
    for _ in range(300):
        with site.connect() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(b"POST /rest-auth/login/ HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n"
                         b"Expect: 100-continue\r\n\r\n")
    site.serve_others(1)
    assert site.deployment.pids()["gateway"] == pid
