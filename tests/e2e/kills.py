"""Kills processes at random moments of a power-on, and a client that copes with it.

NUCLEUS_KILL_SEED repeats a run; NUCLEUS_KILL_MOMENTS is the number of kills of each process.
"""
import contextlib
import os
import random
import signal
import threading

import requests

from conftest import wait_until
from machines import TIMEOUT_S


def chosen_seed():
    seed = int(os.environ.get("NUCLEUS_KILL_SEED", 0)) or random.SystemRandom().randrange(1, 10**9)
    print(f"\nNUCLEUS_KILL_SEED={seed}")
    return seed


class Killer:
    """Kills one process after a delay, in a thread of its own."""

    def __init__(self, deployment, name, after_s):
        self.deployment, self.name = deployment, name
        self.pid = deployment.pids()[name]
        self.timer = threading.Timer(after_s, os.kill, (self.pid, signal.SIGKILL))

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.join()

    def wait_back(self):
        """Waits for its successor; `up` starts that of a supervisor."""
        self.timer.join()
        if self.name == "supervisor":
            self.deployment.up()
        wait_until(lambda: self.deployment.pids().get(self.name, self.pid) != self.pid,
                   f"another {self.name}", TIMEOUT_S)


class CarefulClient:
    """Repeats requests until it knows the outcome; after a lost answer it first reads the state."""

    def __init__(self, rest):
        self.rest = rest

    def ask(self, method, path, **more):
        """The answer if it is definite; None if the outcome is unknown."""
        try:
            answer = self.rest.ask(method, path, **more)
        except requests.RequestException:
            return None
        return answer if answer.status_code < 500 else None

    def read(self, path):
        def answered():  # in a list, because a refusal is false
            answer = self.ask("GET", path)
            return None if answer is None else [answer]
        [answer] = wait_until(answered, f"an answer of {path}", TIMEOUT_S)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer

    def get(self, path):
        return self.read(path).json()

    def sets(self):
        return {one["id"]: one for one in self.get("/nucleus/v1/computeset/")}

    def start(self, cluster, computes):
        """The id of the one computeset that this request created."""
        known = set(self.sets())
        body = {"cluster": cluster, "computes": computes}

        def made():
            answer = self.ask("POST", "/nucleus/v1/computeset/", json=body)
            if answer is not None and answer.status_code == 201:
                assert answer.json()["id"] not in known
                return answer.json()["id"]
            fresh = set(self.sets()) - known
            assert len(fresh) <= 1, f"one request created {fresh}"
            # A refusal means that an earlier attempt was accepted, which is then visible.
            assert answer is None or "is in computeset" in answer.text, answer.text
            return fresh.pop() if fresh else None
        return wait_until(made, f"a computeset of {computes}", TIMEOUT_S)

    def stop(self, number):
        path = f"/nucleus/v1/computeset/{number}"

        def is_over():
            state = self.get(path + "/")["state"]
            if state == "running":
                self.ask("PUT", path + "/poweroff")
            return state == "completed"
        wait_until(is_over, f"computeset {number} is completed", TIMEOUT_S)

    def computes(self, cluster):
        return {one["name"]: one for one in
                self.get(f"/nucleus/v1/cluster/{cluster}/")["computes"]}

    def power_on(self, cluster, compute=None):
        """One attempt, for the frontend if no compute is named; the answer may be lost."""
        where = f"compute/{compute}" if compute else "frontend"
        self.ask("PUT", f"/nucleus/v1/cluster/{cluster}/{where}/poweron")


class OwnCluster:
    """One test's own cluster in the shared deployment: a frontend that runs, and two computes that
    do not yet. Only objects of this cluster are examined, whatever other tests left."""

    def __init__(self, machines, name):
        self.machines, self.host, self.name = machines, machines.host, name
        self.client = CarefulClient(machines.rest)
        self.computes = [f"vm-{name}-00", f"vm-{name}-01"]

    def __enter__(self):
        self.machines.create(self.name, len(self.computes))
        self.machines.rest.power(self.name, "poweron")
        self.machines.rest.wait_state(self.name, "active", [self.name])
        return self

    def __exit__(self, *_):
        """Frees the host for the next test, even after a failure."""
        with contextlib.suppress(AssertionError):
            self.machines.deployment.nucleus("cluster", "remove", self.name)
            wait_until(lambda: not self.emulators(), f"the end of {self.name}", TIMEOUT_S)

    def nodes(self):
        return {node["name"]: node
                for node in self.client.get(f"/v2/clusters/{self.name}")["nodes"]}

    def emulators(self):
        return {domain: process for domain, process in self.host.emulators().items()
                if domain.startswith(self.name + "/")}

    def vlans(self):
        """The VLAN of each port, by the tap that the port has while its node runs."""
        return {f"n{self.host.short_id}-" + port["mac"][9:].replace(":", ""): port["vlan"]
                for node in self.nodes().values() for port in node["ports"]}

    def wait_active(self):
        wait_until(lambda: all(self.nodes()[name]["state"] == "active" for name in self.computes),
                   "the computes are active", TIMEOUT_S)

    def check_world(self, running):
        """Exactly these nodes run: as domains, QEMU processes, taps, and ports of the switch."""
        domains = {f"{self.name}/{name}" for name in running}
        wait_until(lambda: set(self.emulators()) == domains, f"QEMU of {domains}", TIMEOUT_S)
        assert {one for one in self.host.domains() if one.startswith(self.name + "/")} == domains
        vlans = self.vlans()
        nodes = self.nodes()
        taps = {f"n{self.host.short_id}-" + port["mac"][9:].replace(":", "")
                for name in running for port in nodes[name]["ports"]}
        wait_until(lambda: self.host.taps() & set(vlans) == taps, f"taps {taps}", TIMEOUT_S)
        wait_until(lambda: set(self.host.ports()) & set(vlans) == taps, f"ports {taps}",
                   TIMEOUT_S)
        tags = self.host.ports()
        assert {tap: tags[tap] for tap in taps} == {tap: vlans[tap] for tap in taps}

    def stop(self, number):
        self.client.stop(number)
        self.check_world([self.name])
