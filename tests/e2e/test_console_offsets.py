"""A console's bytes have offsets that never change: viewers resume at theirs, whatever is killed.
The log on the host is what the guest printed; each viewer's transcript is compared with it."""
import asyncio
import json
import os
import re
import signal
import time

import pytest
import websockets

from conftest import Machines, a_deployment, wait_until
from console import TIMEOUT_S, ticket_for
from kills import Killer
from machines import Events, Rest

TICKS = ('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo "tick $i of the guest"; '
         'sleep 0.01; done\n')


class Cursor:
    """A viewer that reads text messages; keeps the bytes that it got, and where they are."""

    def __init__(self, rest, cluster, node, query=""):
        self.rest, self.cluster, self.node = rest, cluster, node
        self.loop = asyncio.new_event_loop()
        self.log_id, self.first, self.seen, self.texts = "", None, b"", []
        self.gaps = []
        self.socket = None
        self.open(query)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()
        self.loop.close()

    @property
    def offset(self):
        return (self.first or 0) + len(self.seen)

    def open(self, query=""):
        ticket = ticket_for(self.rest, self.cluster, self.node)
        self.socket = self.loop.run_until_complete(self.connect(ticket["url"] + query,
                                                                ticket["ticket"]))
        assert self.socket.subprotocol == "nucleus.console.v2"

    @staticmethod
    async def connect(url, ticket):
        return await websockets.connect(
            url, subprotocols=["nucleus.console.v2", "nucleus.ticket." + ticket],
            open_timeout=TIMEOUT_S, max_size=None, ping_interval=None)

    def resume(self):
        self.open(f"?from={self.offset}&log={self.log_id}")

    def drop(self):
        """Without a closing handshake."""
        if self.socket:
            self.socket.transport.abort()

    def type(self, text):
        self.loop.run_until_complete(self.socket.send(text.encode()))

    def ask(self, **request):
        self.loop.run_until_complete(self.socket.send(json.dumps(request)))

    def take(self, seconds):
        """One message; None if there is none in this time."""
        try:
            message = self.loop.run_until_complete(asyncio.wait_for(self.socket.recv(), seconds))
        except asyncio.TimeoutError:
            return None
        if isinstance(message, bytes):
            assert self.first is not None, "bytes before their offset"
            self.seen += message
            return message
        text = json.loads(message)
        if text["type"] == "start":
            assert self.first is None or text["offset"] == self.offset
            self.first = text["offset"] if self.first is None else self.first
            self.log_id = text["log_id"]
        self.texts.append(text)
        return text

    def read_until(self, is_done, what, timeout_s=TIMEOUT_S):
        until = time.monotonic() + TIMEOUT_S
        while not is_done():
            left = until - time.monotonic()
            assert left > 0, f"{self.node}: no {what}: {self.seen[-500:]!r} {self.texts[-3:]}"
            self.take(left)

    def read_bytes(self, pattern, timeout_s=TIMEOUT_S):
        self.read_until(lambda: re.search(pattern, self.seen), pattern)

    def read_more(self, timeout_s=TIMEOUT_S):
        """Until another whole tick has arrived."""
        begin = len(self.seen)
        self.read_until(lambda: re.search(rb"tick \d+ of the guest\r\n", self.seen[begin:]),
                        "tick")

    def roles(self):
        """The newest that it was told."""
        found = [text for text in self.texts if text["type"] == "roles"]
        return found[-1] if found else {}

    def read_role(self, is_wanted, what):
        self.read_until(lambda: is_wanted(self.roles()), what)

    def check(self, log):
        """Nothing is lost or doubled: these are the log's bytes at these offsets."""
        with open(log, "rb") as file:
            file.seek(self.first)
            assert file.read(len(self.seen)) == self.seen


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest):
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.boot("one", 0)
        machines.boot("two", 0)
        for cluster in ("one", "two"):
            machines.rest.wait_state(cluster, "active")
        yield machines


def log_of(site, cluster):
    [node] = site.rest.v2_nodes(cluster).values()
    [found] = site.deployment.state.glob("**/domains/" + node["node_id"] + ".log")
    return found


def log_in(viewer):
    viewer.read_bytes(rb"login: ")
    viewer.type("root\n")
    viewer.read_bytes(rb"/root # ")


def test_a_viewer_reads_from_any_offset(site):
    log = log_of(site, "one")
    with Cursor(site.rest, "one", "one", "?from=0") as first:
        first.read_bytes(rb"login: ")
        assert first.first == 0
        first.check(log)
        with Cursor(site.rest, "one", "one", "?from=10&mode=read") as second:
            second.read_until(lambda: second.offset == first.offset, "the same end")
            assert second.first == 10
            second.check(log)
        with Cursor(site.rest, "one", "one", "?from=-5&mode=read") as tail:
            tail.read_until(lambda: tail.offset == first.offset, "the same end")
            assert len(tail.seen) == 5
        with Cursor(site.rest, "one", "one", "?from=end&mode=read") as live:
            live.read_until(lambda: live.first is not None, "start")
            assert live.first == first.offset


def test_one_viewer_types_and_hands_over_and_both_are_told(site):
    token = site.deployment.nucleus("person", "create", "bea", "--project", "demo", "--role",
                                    "trainer").stdout.split()[-1]
    bea_rest = Rest(site.env, token)
    with Events(site.rest) as events, \
            Cursor(site.rest, "two", "two") as ada, Cursor(bea_rest, "two", "two") as bea:
        ada.read_role(lambda roles: roles.get("writer") == roles.get("you"), "writer")
        bea.read_role(lambda roles: roles and roles.get("writer") != roles.get("you"), "reader")
        bea.type("never\n")
        bea.read_until(lambda: any(text["type"] == "refused" for text in bea.texts), "refusal")
        bea.ask(type="take-over")
        bea.read_until(lambda: "only an admin" in bea.texts[-1].get("detail", ""), "refusal")
        ada.ask(type="hand-over", to=bea.roles()["you"])
        bea.read_role(lambda roles: roles.get("writer") == roles.get("you"), "writer")
        ada.read_role(lambda roles: roles.get("writer") != roles.get("you"), "reader")
        assert ada.roles()["reason"] == "admin handed over"
        log_in(bea)
        ada.read_bytes(rb"/root # ")
        ada.ask(type="take-over")  # the admin of the project may
        bea.read_role(lambda roles: roles.get("writer") != roles.get("you"), "reader")
        assert b"never" not in bea.seen

        def typed_by(person):
            return lambda event: (event["type"] == "console.session-changed"
                                  and event["body"]["session"]["person_id"] == person
                                  and event["body"]["session"]["has_typed"])
        events.wait(typed_by("bea"), "bea typed")
        log = log_of(site, "two")
        for viewer in (ada, bea):
            viewer.check(log)
    with Events(site.rest, after=0) as events:
        events.wait(lambda event: event["type"] == "console.session-changed"
                    and event["body"]["session"]["closed_unix_ms"] > 0, "a session is closed")


def test_transcripts_survive_kills_and_drops(site):
    log = log_of(site, "one")
    with Cursor(site.rest, "one", "one") as viewer:
        log_in(viewer)
        viewer.type(TICKS)
        viewer.read_more()

        viewer.drop()  # the viewer's own connection
        viewer.resume()
        viewer.read_more()

        for name in ("provisioner", "libvirtd", "gateway"):  # the viewer stays connected
            with Killer(site.deployment, name, 0) as killer:
                killer.timer.join()
                killed, printed = time.monotonic(), os.path.getsize(log)
                viewer.read_until(lambda end=printed: viewer.offset > end, "what is printed after")
                print(f"{name}: bytes of later after {time.monotonic() - killed:.2f} s")
                killer.wait_back()
            assert viewer.texts[-1].get("is_live", True)

        os.kill(site.deployment.pids()["console"], signal.SIGKILL)
        killed = time.monotonic()
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                viewer.take(TIMEOUT_S)

        def resumed():
            try:
                viewer.resume()
            except (AssertionError, OSError, websockets.WebSocketException):
                return False
            return True
        wait_until(resumed, "the console service is back", TIMEOUT_S)
        viewer.read_more()
        print(f"console: bytes again after {time.monotonic() - killed:.2f} s")
        viewer.type("\x03")
        assert not [text for text in viewer.texts if text["type"] == "gap"]
        viewer.check(log)
        ticks = [int(tick) for tick in re.findall(rb"tick (\d+) of the guest", viewer.seen)]
        assert ticks == list(range(1, len(ticks) + 1))
