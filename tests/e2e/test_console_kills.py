"""Fifty consoles are open while each process behind them is killed: all resume by themselves, and
what each showed is what its node printed. Each is `cm comet console` in a script."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import BIN, Machines, a_deployment, wait_until
from console import Guest, Viewer, ticket_for
from shell import Shell

TIMEOUT_S = 60  # only bounds a failure
NODES, VIEWERS_EACH = 5, 10
TICKS = b'while true; do i=$((i+1)); echo "tick $i of $(hostname)"; sleep 0.05; done\n'
LAST = b'\x03echo "the last line of"" $(hostname)"\n'


class Consoles:
    """The nodes that print, and the viewers of each, which write to files."""

    def __init__(self, machines, folder):
        self.machines, self.folder = machines, folder
        self.shell = Shell(machines.deployment, folder)
        self.logs = {}
        for name, node in machines.rest.v2_nodes("five").items():
            [self.logs[name]] = machines.deployment.state.glob(
                f"**/domains/{node['node_id']}.log")
        self.shown = {name: [folder / f"{name}-{i}" for i in range(VIEWERS_EACH)]
                      for name in self.logs}

    def begin(self):
        for name in self.logs:
            with Guest(self.machines.rest, "five", name) as guest:
                guest.send(TICKS)
                guest.read_until(b"tick 1 of ")

    def end(self):
        for name in self.logs:
            ticket = ticket_for(self.machines.rest, "five", name)
            with Viewer(ticket["url"], ticket["ticket"]) as viewer:
                viewer.send(LAST)
                viewer.read_until(f"the last line of {name}\r\n".encode())
        self.wait_shown(self.sizes(), "the end")

    @contextlib.contextmanager
    def viewers(self):
        running = []
        try:
            for name, files in self.shown.items():
                for file in files:
                    with open(file, "wb") as out, open(f"{file}.err", "wb") as err:
                        running.append(subprocess.Popen(
                            [BIN / "cm", "comet", "console", "five", name, "--from-start"],
                            env=self.shell.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                            stdout=out, stderr=err))
            yield running
        finally:
            for one in running:
                one.kill()
                one.wait()

    def sizes(self):
        return {name: os.path.getsize(log) for name, log in self.logs.items()}

    def wait_shown(self, sizes, what):
        """All viewers have shown so many bytes of their nodes."""
        def late():
            return [file.name for name, files in self.shown.items() for file in files
                    if os.path.getsize(file) < sizes[name]]
        wait_until(lambda: not late(), f"{what}; late: {late()}", TIMEOUT_S)

    def wait_printed(self):
        """Each node has printed more."""
        before = self.sizes()
        wait_until(lambda: all(size > before[name] for name, size in self.sizes().items()),
                   "the nodes print", TIMEOUT_S)
        return self.sizes()

    def check(self):
        """Nothing is lost or doubled."""
        for name, files in self.shown.items():
            log = self.logs[name].read_bytes()
            for file in files:
                shown = file.read_bytes()
                assert f"the last line of {name}\r\n".encode() in shown, file
                assert log.startswith(shown), (file, open(f"{file}.err").read())
            ticks = [int(tick) for tick in re.findall(rb"tick (\d+) of", log)]
            assert ticks == list(range(1, len(ticks) + 1))


@pytest.fixture(name="consoles", scope="module")
def consoles_fixture(tiny_guest, tmp_path_factory):
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.boot("five", NODES - 1)
        machines.rest.wait_state("five", "active")
        yield Consoles(machines, tmp_path_factory.mktemp("consoles"))


def kill(deployment, *names):
    before = deployment.pids()
    for name in names:
        os.kill(before[name], signal.SIGKILL)
    wait_until(lambda: all(deployment.pids().get(name, before[name]) != before[name]
                           for name in names), f"the successors of {names}", TIMEOUT_S)


def test_all_consoles_resume_by_themselves_whatever_is_killed(consoles):
    deployment = consoles.machines.deployment
    everything = ("console", "gateway", "provisioner", "libvirtd")
    consoles.begin()
    with consoles.viewers() as viewers:
        consoles.wait_shown(consoles.wait_printed(), "all are attached")
        for names in [(name,) for name in everything] + [everything]:
            killed = time.monotonic()
            kill(deployment, *names)
            consoles.wait_shown(consoles.wait_printed(), f"all resume after {names}")
            print(f"{names}: all {len(viewers)} resumed {time.monotonic() - killed:.2f} s later")
            assert all(one.poll() is None for one in viewers)
        consoles.end()
    consoles.check()
