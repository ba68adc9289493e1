"""The HTTP requests of `cm`, seen by servers of the test: redirects and credentials, proxies, IPv6,
.netrc, CA files, uploads and hostile responses."""
import base64
import contextlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import BIN

TIMEOUT_S = 60


class Recorder(http.server.BaseHTTPRequestHandler):
    """Responds to each path from the server's table, and records the requests."""
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        found = self.server.responses.get(self.path, (200, {}, "[]"))
        status, headers, text = found(self) if callable(found) else found
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = do_DELETE = respond

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address="127.0.0.1", context=None):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.requests, self.responses, self.connections = [], {}, 0
        super().__init__((address, 0), Recorder)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        host = f"[{address}]" if ":" in address else address
        self.url = f"{'https' if context else 'http'}://{host}:{self.server_port}"

    def headers(self, number=-1):
        return self.requests[number][2]


@contextlib.contextmanager
def a_server(*arguments, **more):
    with Server(*arguments, **more) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="server")
def server_fixture():
    with a_server() as server:
        yield server


@pytest.fixture(name="comet")
def comet_fixture(tmp_path):
    """Runs `comet` at a URL with a home of its own; more variables by name."""
    def run(url, *words, code=0, **variables):
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NUCLEUS_URL": url,
               "NUCLEUS_TOKEN": "secret", **variables}
        env = {name: value for name, value in env.items() if value is not None}
        ran = subprocess.run([BIN / "comet", *words], env=env, text=True, capture_output=True,
                             stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        assert ran.returncode == code, f"{words}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran
    run.home = tmp_path
    return run


def clusters(run, url, **more):
    return run(url, "ll", "--format=rest", **more)


def test_the_host_header_has_brackets_around_an_ipv6_address(comet):
    with a_server("::1") as server:
        assert clusters(comet, server.url).stdout == "[]\n"
        assert server.headers()["Host"] == f"[::1]:{server.server_port}"


def test_requests_share_a_connection_but_for_a_post(comet, server):
    node = '{"name": "n", "active_computeset": 1}'
    server.responses["/nucleus/v1/cluster/"] = (200, {}, f'[{{"name": "c", "computes": [{node}]}}]')
    comet(server.url, "cluster")  # the clusters, then the computesets
    assert [request[0] for request in server.requests] == ["GET", "GET"]
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_get_follows_a_redirect_with_its_credential_to_the_same_server(comet, server, status):
    server.responses["/nucleus/v1/cluster/"] = (status, {"Location": "/elsewhere/"}, "")
    assert clusters(comet, server.url).stdout == "[]\n"
    assert server.requests[-1][1] == "/elsewhere/"
    assert server.headers()["Authorization"] == "Token secret"


CREDENTIALS = ("Authorization", "X-Api-Key", "nonce", "timestamp", "Cookie")


@pytest.mark.parametrize("key", [False, True])
def test_no_credential_follows_a_redirect_to_another_server(comet, server, key):
    with a_server() as other:
        server.responses["/nucleus/v1/cluster/"] = (302, {"Location": other.url + "/x"}, "")
        variables = {"NUCLEUS_TOKEN": None, "NUCLEUS_API_KEY_NAME": "k",
                     "NUCLEUS_API_KEY_SECRET": "s"} if key else {}
        assert clusters(comet, server.url, **variables).stdout == "[]\n"
        assert "Authorization" in server.headers()
        assert not [name for name in CREDENTIALS if name in other.headers()]
        # If the other server requires one, the error names it.
        other.responses["/x"] = (401, {}, "")
        result = clusters(comet, server.url, code=1, **variables)
        assert f"redirected to {other.url}" in result.stderr


def test_redirects_end(comet, server):
    server.responses["/nucleus/v1/cluster/"] = (302, {"Location": "/nucleus/v1/cluster/"}, "")
    assert "more than 5 redirects" in clusters(comet, server.url, code=1).stderr
    assert len(server.requests) == 6


def test_a_put_follows_no_redirect(comet, server):
    path = "/nucleus/v1/computeset/7/"
    server.responses[path] = (200, {}, '{"id": 7, "state": "running"}')
    server.responses[path + "shutdown"] = (307, {"Location": "/elsewhere/"}, "")
    comet(server.url, "terminate", "7", code=1)
    assert [request[:2] for request in server.requests] == [("GET", path),
                                                            ("PUT", path + "shutdown")]


def test_netrc_is_read_only_if_no_other_credential_is_set(comet, server):
    netrc = comet.home / ".netrc"
    result = clusters(comet, server.url, code=2, NUCLEUS_TOKEN=None)
    assert "NUCLEUS_TOKEN" in result.stderr and not server.requests
    netrc.write_text("machine 127.0.0.1 login ada password horse\n")
    netrc.chmod(0o600)
    clusters(comet, server.url, NUCLEUS_TOKEN=None)
    basic = base64.b64encode(b"ada:horse").decode()
    assert server.headers()["Authorization"] == "Basic " + basic
    clusters(comet, server.url)
    assert server.headers()["Authorization"] == "Token secret"
    server.responses["/nucleus/v1/cluster/"] = (401, {}, "")
    assert ".netrc" in clusters(comet, server.url, code=1, NUCLEUS_TOKEN=None).stderr


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used_except_for_no_proxy(comet, server, name):
    target = "http://cluster.example:8080"
    server.responses[target + "/nucleus/v1/cluster/"] = (200, {}, "[]")
    clusters(comet, target, **{name: server.url})
    method, path, headers, _ = server.requests[-1]
    assert (method, path) == ("GET", target + "/nucleus/v1/cluster/")
    assert headers["Host"] == "cluster.example:8080"
    with a_server() as direct:
        clusters(comet, direct.url, no_proxy="127.0.0.1", **{name: server.url})
        assert direct.headers()["Host"] == f"127.0.0.1:{direct.server_port}"
    assert len(server.requests) == 1


def test_https_goes_through_a_tunnel_of_the_proxy(comet):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        lines = []

        def refuse():
            connection, _ = proxy.accept()
            with connection:
                lines.append(connection.recv(4096).decode())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        result = clusters(comet, "https://cluster.example", code=1, https_proxy=url)
        thread.join()
    assert lines[0].startswith("CONNECT cluster.example:443 HTTP/1.1\r\n")
    assert "secret" not in lines[0]
    assert "https://cluster.example:443: " in result.stderr


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    return folder


def test_a_certificate_is_verified_with_the_ca_file_that_is_set(comet, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    with a_server(context=context) as server:
        result = clusters(comet, server.url, code=1).stderr
        assert "cannot verify" in result and "NUCLEUS_CA_FILE" in result
        for name in ("NUCLEUS_CA_FILE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            clusters(comet, server.url, **{name: str(certificate / "cert")})
        assert len(server.requests) == 3
        # The endpoint's own file is the only one that is read.
        clusters(comet, server.url, code=1, SSL_CERT_FILE=str(certificate / "cert"),
                 NUCLEUS_CA_FILE="/etc/ssl/certs/ca-certificates.crt")
        result = clusters(comet, server.url, code=2, NUCLEUS_CA_FILE="/nowhere")
        assert "/nowhere" in result.stderr


def test_an_unreachable_server_is_named(comet):
    assert "http://127.0.0.1:1: " in clusters(comet, "http://127.0.0.1:1", code=1).stderr
    assert "http://no.invalid:80: " in clusters(comet, "http://no.invalid", code=1).stderr


def test_control_characters_of_the_server_do_not_reach_the_terminal(comet, server):
    evil = "\x1b]0;title\x07\x1b[2J\r\x9b31m\x7f"
    text = json.dumps([{"name": evil, "description": evil, "computes": []}])
    server.responses["/nucleus/v1/cluster/"] = (200, {}, text)
    for words in (["ll"], ["ll", "--format=csv"], ["ll", "--format=json"], ["ll", "--format=yaml"],
                  ["ll", "--format=rest"], ["cluster"]):
        shown = comet(server.url, *words).stdout
        assert "title" in shown or words == ["cluster"]
        assert not [c for c in shown if c != "\n" and not c.isprintable() and c != "\t"], shown
    server.responses["/nucleus/v1/cluster/"] = (409, {}, json.dumps(evil))
    result = clusters(comet, server.url, code=1).stderr
    assert "title" in result and result.strip().isprintable()


def test_waiting_polls_if_the_event_stream_is_refused(comet, server):
    server.responses["/v2/events"] = (502, {}, "")
    path = "/nucleus/v1/computeset/7/"
    states = iter(["running", "ending", "completed"])
    server.responses[path + "shutdown"] = (204, {}, "")

    def respond(_):
        return 200, {}, json.dumps({"id": 7, "state": next(states), "computes": []})

    server.responses[path] = respond
    result = comet(server.url, "terminate", "7", "--wait").stdout
    assert result.endswith("computeset 7: ending\ncomputeset 7: completed\n")
