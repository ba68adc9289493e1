"""How many connections of one address the console proxy serves. No console is opened: a connection
counts from its acceptance."""
import contextlib
import re
import socket

import pytest

from conftest import TIMEOUT_S, a_deployment, wait_until

PER_ADDRESS_MAX = 2
GREEDY, OTHER = "127.0.0.2", "127.0.0.1"
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: console\r\n\r\n"


@pytest.fixture(name="port", scope="module")
def port_fixture():
    settings = {"NUCLEUS_CONSOLE_CONNECTIONS_PER_ADDRESS_MAX": PER_ADDRESS_MAX}
    with a_deployment("--simulated", "--hosts", "1", settings=settings) as deployment:
        text = (deployment.state / "deployment.yaml").read_text()
        yield int(re.search(r"^ports:\n(?:  .*\n)*?  console: (\d+)$", text, re.M)[1])


def connect(port, address):
    return socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (address, 0))


def status_of(line, request=REQUEST):
    """The status of the answer; 0 if the connection is closed without one."""
    with contextlib.suppress(ConnectionError):
        line.sendall(request)
        return int((line.recv(65_536) or b"HTTP/1.1 0").split()[1])
    return 0


def test_an_address_over_its_limit_is_refused_and_others_are_served(port):
    with contextlib.ExitStack() as stack:
        first, _silent = [stack.enter_context(connect(port, GREEDY))
                          for _ in range(PER_ADDRESS_MAX)]
        assert status_of(first) == 200
        for _ in range(5):
            with connect(port, GREEDY) as refused:
                assert status_of(refused, b"") == 503  # it sends nothing first
            with connect(port, OTHER) as served:
                assert status_of(served) == 200
        assert status_of(first) == 200, "a connection that was accepted stays"
        first.close()

        def is_served_again():
            with connect(port, GREEDY) as line:
                return status_of(line) == 200

        wait_until(is_served_again, "a closed connection makes room for another one")
