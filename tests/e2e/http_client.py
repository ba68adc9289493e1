"""HTTP for the tests: one person's requests to a gateway, and bytes that no library would send.

(The name `http` would hide the standard library's module.)
"""
import itertools
import json
import re
import socket
import urllib.parse

import requests

TIMEOUT_S = 60  # only bounds a failure: the machine may be busy with other things


def session_of(token=None):
    """A session with this token; without proxies, which must not be used for the loopback."""
    session = requests.Session()
    session.trust_env = False
    if token is not None:
        session.headers["Authorization"] = "Token " + token
    return session


class Client:
    """The requests of one person; without a token, anonymous ones."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token
        self.session = session_of(token)

    def ask(self, method, path, **more):
        return self.session.request(method, self.url + path,
                                    **{"allow_redirects": False, "timeout": TIMEOUT_S, **more})

    def ask_on_new_connection(self, method, path, **more):
        """The same on a connection of its own, as each of many clients has one."""
        with session_of(self.token) as session:
            return session.request(method, self.url + path,
                                   **{"allow_redirects": False, "timeout": TIMEOUT_S, **more})

    def get(self, path):
        """The JSON of a resource that must exist."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def first_events(self, count, after="0"):
        """The first events of the server-sent stream."""
        with self.session.get(self.url + "/v2/events", headers={"Last-Event-ID": after},
                              stream=True, timeout=TIMEOUT_S) as answer:
            data = (line[6:] for line in answer.iter_lines() if line.startswith(b"data: "))
            return [json.loads(text) for text in itertools.islice(data, count)]

    def metric(self, name):
        """The value of a metric without labels."""
        text = self.ask("GET", "/metrics").text
        return float(re.search(rf"(?m)^{name} (\S+)$", text)[1])

    def event_streams(self):
        return self.metric("nucleus_gateway_event_streams")

    def connect(self, receive_bytes=None):
        """A TCP connection to the gateway; a small receive buffer makes a slow reader."""
        place = urllib.parse.urlsplit(self.url)
        line = socket.socket()
        if receive_bytes:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        line.settimeout(TIMEOUT_S)
        line.connect((place.hostname, place.port))
        return line

    def ask_raw(self, head, body=b""):
        """(status, the answer up to the end of its head) for these bytes."""
        with self.connect() as line:
            line.sendall(head)
            try:
                line.sendall(body)
            except OSError:
                pass  # refused before all of it was read
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = line.recv(65536)
                if not part:
                    break
                answer += part
        return int(answer.split()[1]), answer


class Admin(Client):
    """The admin of project demo in a deployment."""

    def __init__(self, deployment):
        env = deployment.env()
        super().__init__(env["NUCLEUS_URL"], env["NUCLEUS_TOKEN"])
        self.deployment = deployment


def operator_of(deployment):
    env = deployment.env()
    return Client(env["NUCLEUS_URL"], env["NUCLEUS_OPERATOR_TOKEN"])


def http_get(url, timeout=10, headers=None):
    """(status, text) of a page; status 0 if the server does not respond in time."""
    try:
        with session_of() as session:
            answer = session.get(url, timeout=timeout, headers=headers)
            return answer.status_code, answer.text
    except requests.RequestException:
        return 0, ""
