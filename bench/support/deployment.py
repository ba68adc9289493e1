"""A deployment for one measurement: starts it, sends requests, reads its events, stops it."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NUCLEUS_BIN", ROOT / "build" / "bin"))
TIMEOUT_S = 60


class Awaited:
    """Counts distinct events and notes when the last one was read."""

    def __init__(self, pattern, count):
        self.pattern, self.count = re.compile(pattern), count
        self.found, self.at, self.done = set(), None, threading.Event()

    def look_at(self, kind, data, now):
        if self.done.is_set():
            return
        found = self.pattern.search(kind + b" " + data)
        if found:
            self.found.add(found.groups())
            if len(self.found) == self.count:
                self.at = now
                self.done.set()

    def wait(self, timeout_s=TIMEOUT_S):
        """Returns the time (perf_counter) at which the last one was read."""
        if not self.done.wait(timeout_s):
            raise TimeoutError(f"{len(self.found)} of {self.count} events {self.pattern.pattern}")
        return self.at


class Events(threading.Thread):
    """Reads the server-sent events of GET /v2/events in a thread."""

    def __init__(self, address, token):
        super().__init__(daemon=True)
        self.awaited, self.lock = [], threading.Lock()
        connection = http.client.HTTPConnection(address)
        connection.request("GET", "/v2/events", headers={"Authorization": f"Token {token}"})
        self.answer = connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        # The first bytes of the stream: no later event is missed.
        assert self.answer.readline().startswith(b"retry:")
        self.start()

    def run(self):
        rest = b""
        while piece := self.answer.read1(1 << 20):
            now = time.perf_counter()
            *events, rest = (rest + piece).split(b"\n\n")
            for event in events:
                lines = event.split(b"\n")
                if len(lines) < 3:
                    continue  # a keep-alive
                with self.lock:
                    for awaited in self.awaited:
                        awaited.look_at(lines[-2][7:], lines[-1][6:], now)

    def expect(self, pattern, count=1):
        """Begins to await `count` events whose captured groups differ."""
        awaited = Awaited(pattern, count)
        with self.lock:
            self.awaited = [one for one in self.awaited if not one.done.is_set()] + [awaited]
        return awaited


class Deployment:
    """One `nucleus up`. `settings`: of its processes, by the names of environment variables."""

    def __init__(self, *options, settings=None):
        # Unix sockets need short paths.
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="nb-", dir="/tmp"))
        self.options = options
        self.settings = settings or {}
        self.connection = None

    def nucleus(self, *words):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUCLEUS_")}
        environment |= self.settings
        split = 2 if words[0] in ("cluster", "image", "host") else 1
        words = [*words[:split], "--state", self.state, *words[split:]]
        ran = subprocess.run([BIN / "nucleus", *words], text=True, capture_output=True,
                             env=environment, check=False)
        if ran.returncode != 0:
            raise RuntimeError(f"nucleus {' '.join(map(str, words))}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def up(self):
        self.nucleus("up", *self.options)
        told = subprocess.run(["sh", "-c", '. "$0" && env -0', self.state / "env"], env={},
                              check=True, capture_output=True, text=True).stdout
        self.env = dict(pair.split("=", 1) for pair in told.split("\0") if "=" in pair)
        self.address = self.env["NUCLEUS_URL"].removeprefix("http://")

    def down(self):
        with contextlib.suppress(RuntimeError):
            self.nucleus("down")
        shutil.rmtree(self.state, ignore_errors=True)

    def ask(self, method, path, body=None):
        """Sends a request on a persistent connection; returns the JSON of the response."""
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.address)
        text = json.dumps(body) if body is not None else None
        headers = {"Authorization": f"Token {self.env['NUCLEUS_TOKEN']}",
                   "Content-Type": "application/json"}
        self.connection.request(method, path, text, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text else None

    def cpu_seconds(self):
        """CPU time of all its processes so far; other load on the machine hardly changes it."""
        ticks = 0
        for file in (self.state / "pids").iterdir():
            stat = pathlib.Path("/proc") / file.read_text().strip() / "stat"
            words = stat.read_text().rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def events(self):
        return Events(self.address, self.env["NUCLEUS_TOKEN"])

    def make_cluster(self, events, name, computes, *more):
        """Creates a cluster and waits until every node has its ports and its volume."""
        nodes = computes + 1
        ports = events.expect(rb'^network\.ports-leased .*"node_id":"([^"]+)"', nodes)
        volumes = events.expect(
            rb'^image_store\.volume-changed (?=.*"is_ready":true).*"node_id":"([^"]+)"', nodes)
        self.nucleus("cluster", "create", name, "--computes", str(computes), *more)
        ports.wait()
        volumes.wait()


@contextlib.contextmanager
def deployment(*options, settings=None):
    """Starts a deployment; stops and removes it at the end."""
    one = Deployment(*options, settings=settings)
    try:
        one.up()
        yield one
    finally:
        one.down()
