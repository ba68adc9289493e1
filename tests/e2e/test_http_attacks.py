"""Malformed and smuggled HTTP requests over a raw socket: they are refused, the connection is
closed, and a request hidden behind one never runs."""
import socket

import pytest

from conftest import a_deployment, session_of

TIMEOUT_S = 30


class Site:
    """A deployment with one node. Its name shows whether a hidden request ran."""

    def __init__(self, deployment):
        self.log = deployment.state / "logs" / "gateway.log"
        deployment.nucleus("cluster", "create", "vc1", "--computes", "1")
        env = deployment.env()
        self.url = env["NUCLEUS_URL"]
        self.token = env["NUCLEUS_TOKEN"]
        host, _, port = self.url.removeprefix("http://").partition(":")
        self.address = (host, int(port))

    def names(self):
        answer = session_of(self.token).get(self.url + "/nucleus/v1/cluster/vc1/",
                                          timeout=TIMEOUT_S).json()
        return [node["name"] for node in answer["computes"]]

    def rename(self, name):
        """A complete request that renames the node."""
        body = b'{"name":"%s"}' % name.encode()
        return (b"POST /nucleus/v1/cluster/vc1/compute/vm-vc1-00/rename HTTP/1.1\r\nHost: n\r\n"
                b"Authorization: Token %s\r\nContent-Length: %d\r\n\r\n%s"
                % (self.token.encode(), len(body), body))

    def send(self, data):
        """Everything that is received until the server closes."""
        with socket.create_connection(self.address, timeout=TIMEOUT_S) as line:
            answer = b""
            try:
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
                while part := line.recv(65536):
                    answer += part
            except (ConnectionResetError, BrokenPipeError):
                pass
        return answer


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "1") as deployment:
        yield Site(deployment)


def head(*lines, first=b"POST /rest-auth/login/ HTTP/1.1"):
    return b"\r\n".join([first, b"Host: n", *lines]) + b"\r\n\r\n"


SMUGGLED = {
    "CL and TE": head(b"Content-Length: 4", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE and CL": head(b"Transfer-Encoding: chunked", b"Content-Length: 4") + b"0\r\n\r\n",
    "CL 0 and TE": head(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE chunked, gzip": head(b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
    "TE gzip": head(b"Transfer-Encoding: gzip"),
    "TE twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    "space before the colon": head(b"Transfer-Encoding : chunked") + b"0\r\n\r\n",
    "space before CL's colon": head(b"Content-Length : 0"),
    "two CL": head(b"Content-Length: 0", b"Content-Length: 4") + b"",
    "CL list": head(b"Content-Length: 0, 4"),
    "CL +5": head(b"Content-Length: +0"),
    "CL 0x5": head(b"Content-Length: 0x0"),
    "CL -1": head(b"Content-Length: -1"),
    "CL too large": head(b"Content-Length: 99999999999999999999"),
    "bare LF": b"POST /rest-auth/login/ HTTP/1.1\nHost: n\nContent-Length: 0\n\n",
    "folded": head(b"Content-Length: 0", b" 4", b"X: y"),
    "folded TE": head(b"Transfer-Encoding:", b" chunked") + b"0\r\n\r\n",
    "NUL in a value": head(b"X: a\0b", b"Content-Length: 0"),
    "NUL in a name": head(b"X\0: a", b"Content-Length: 0"),
    "bare CR": head(b"X: a\rContent-Length: 4", b"Content-Length: 0"),
    "chunk size overflow": head(b"Transfer-Encoding: chunked") + b"10000000000000000\r\n",
    "chunk size no number": head(b"Transfer-Encoding: chunked") + b"xyz\r\n",
    "chunk extension without end": head(b"Transfer-Encoding: chunked") + b"1;" + b"a" * (1 << 20),
    "trailer without end": head(b"Transfer-Encoding: chunked") + b"0\r\nX: " + b"a" * (1 << 20),
    "chunk size negative": head(b"Transfer-Encoding: chunked") + b"-1\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_hidden_request_never_runs(site, name):
    before = site.names()
    answer = site.send(SMUGGLED[name] + site.rename("hidden"))
    assert site.names() == before == ["vm-vc1-00"]
    # Exactly one response, which refuses: nothing behind it was read as a request.
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert answer.split()[1] in (b"400", b"413", b"501"), answer
    assert b"connection: close" in answer.lower()


def test_two_complete_requests_on_one_connection_both_run(site):
    """Proves that the test above would detect a hidden request."""
    first = b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n"
    answer = site.send(first + site.rename("seen") + first)
    assert [part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"204", b"200"]
    assert site.names() == ["seen"]
    back = site.rename("vm-vc1-00").replace(b"compute/vm-vc1-00", b"compute/seen")
    assert b" 204 " in site.send(back)


@pytest.mark.parametrize("request_", [
    b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET / HTTP/9.9\r\nHost: n\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"GET http://elsewhere/nucleus/v1/cluster/ HTTP/1.1\r\nHost: n\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: n\r\n\r\n", b"CONNECT n:22 HTTP/1.1\r\nHost: n\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: n\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: n\r\n\r\n",
    b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: n\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: n\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: n\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
], ids=range(15))
def test_malformed_requests_are_refused(site, request_):
    answer = site.send(request_)
    assert answer == b"" or answer.split()[1].startswith(b"4"), answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_who_has_no_credential_writes_nothing_into_the_log(site):
    long = b"/v2/clusters/" + b"a" * 10_000
    before = site.log.stat().st_size
    requests = [b"%s %s HTTP/1.1\r\nHost: n\r\nContent-Length: 0\r\n%s\r\n" % (method, path, more)
                for method in (b"POST", b"PUT", b"PATCH", b"DELETE")
                for path in (long, b"/v2/clusters", b"/v1/image", b"/rest-auth/login/",
                             b"/v2/session")
                for more in (b"", b"Authorization: Token " + b"0" * 40 + b"\r\n")]
    for request in requests:
        assert b"HTTP/1.1 4" in site.send(request), request
    assert site.log.stat().st_size == before
