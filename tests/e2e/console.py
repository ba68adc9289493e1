"""A console viewer without a browser: gets a ticket through REST, then opens a WebSocket."""
import asyncio
import itertools
import re
import ssl
import time

import websockets

TIMEOUT_S = 120  # only bounds a failure: emulated guests boot slowly
count = itertools.count(1)


def ticket_for(rest, cluster, node, kind="serial"):
    path = f"/v2/clusters/{cluster}/nodes/{node}/console"
    return rest.command("POST", path, json={"kind": kind}).json()


class Viewer:
    """One WebSocket, opened with a ticket."""

    def __init__(self, url, ticket, ca=None):
        self.loop = asyncio.new_event_loop()
        self.seen = b""
        try:
            self.socket = self.wait(self.connect(url, ticket, ca))
        except BaseException:
            self.loop.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wait(self.socket.close())
        self.loop.close()

    @staticmethod
    async def connect(url, ticket, ca=None):
        more = {"ssl": ssl.create_default_context(cafile=ca)} if ca else {}
        return await websockets.connect(
            url, subprotocols=["nucleus.console", f"nucleus.ticket.{ticket}"],
            open_timeout=TIMEOUT_S, max_size=None, ping_interval=None, **more)

    def wait(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def send(self, words):
        self.wait(self.socket.send(words))

    def read_until(self, pattern, timeout_s=TIMEOUT_S):
        """Reads up to and including the pattern; returns the match."""
        until = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.seen)):
            left = until - time.monotonic()
            assert left > 0, f"no {pattern} on the console: {self.seen[-2000:]!r}"
            self.read_for(left)
        self.seen = self.seen[found.end():]
        return found

    def read_for(self, seconds):
        """False if nothing arrived in this time."""
        try:
            self.seen += self.wait(asyncio.wait_for(self.socket.recv(), seconds))
            return True
        except asyncio.TimeoutError:
            return False


class Guest(Viewer):
    """A root shell on a guest's serial console."""

    def __init__(self, rest, cluster, node):
        self.name = node
        ticket = ticket_for(rest, cluster, node)
        super().__init__(ticket["url"], ticket["ticket"])
        self.log_in()

    def log_in(self):
        """The log may end with output of an earlier boot or viewer, so only a response counts."""
        until = time.monotonic() + TIMEOUT_S
        mark = f"m{next(count)}"
        while True:
            assert time.monotonic() < until, f"{self.name}: no shell: {self.seen[-2000:]!r}"
            line = b"root" if self.seen.endswith(b"login: ") else f'echo "<""{mark}>"'.encode()
            self.send(line + b"\n")
            while self.read_for(1):
                if f"<{mark}>".encode() in self.seen:
                    return self.ask("true")

    def ask(self, command, timeout_s=TIMEOUT_S):
        """(exit code, output). The echoed command does not match the markers: it has quotes."""
        mark = f"m{next(count)}"
        self.send(f'echo "<""{mark}>"; {command}; echo "<$?""/{mark}>"\n'.encode())
        self.read_until(f"<{mark}>\r?\n".encode(), timeout_s)
        found = self.read_until(f"(?s)(.*?)<(\\d+)/{mark}>\r?\n".encode(), timeout_s)
        self.read_until(rb"# ", timeout_s)
        return int(found[2]), found[1].decode(errors="replace").replace("\r", "")

    def run(self, command, timeout_s=TIMEOUT_S):
        code, output = self.ask(command, timeout_s)
        assert code == 0, f"{self.name}: {command}: {output}"
        return output
