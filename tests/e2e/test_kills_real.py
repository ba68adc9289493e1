"""kill -9 of the processes next to real machines, at random moments of a power-on."""
import contextlib
import random
import time

import pytest

from conftest import Machines, a_deployment, wait_until
from console import Guest
from kills import CarefulClient, Killer, chosen_seed
from machines import TIMEOUT_S

PROCESSES = ["provisioner", "libvirtd", "vswitchd", "ovsdb", "scheduler", "redis"]


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


@pytest.fixture(scope="module", name="shared")
def shared_fixture(tiny_guest):
    with a_deployment() as deployment:
        yield Machines(deployment, tiny_guest)


@pytest.fixture(name="own")
def own_fixture(shared, request):
    with OwnCluster(shared, "own-" + request.node.callspec.params["name"]) as own:
        yield own


@pytest.fixture(scope="module", name="rng")
def rng_fixture():
    return random.Random(chosen_seed())


@pytest.fixture(scope="module", name="usual_s")
def usual_s_fixture(shared):
    """The duration of an undisturbed power-on, until the domains run."""
    with OwnCluster(shared, "undisturbed") as own:
        began = time.monotonic()
        number = own.client.start(own.name, own.computes)
        own.wait_active()
        took = time.monotonic() - began
        own.stop(number)
    return took


@pytest.mark.parametrize("name", PROCESSES)
def test_a_power_on_of_machines_survives_the_kill_of(own, rng, usual_s, name):
    after_s = rng.uniform(0, usual_s)
    print(f"\nkill {name} after {after_s * 1000:.1f} ms of about {usual_s * 1000:.0f} ms")
    before = set(own.client.sets())
    frontend = own.emulators()[f"{own.name}/{own.name}"]
    with Killer(own.machines.deployment, name, after_s) as killer:
        number = own.client.start(own.name, own.computes)
        killer.wait_back()
    own.wait_active()
    assert set(own.client.sets()) == before | {number}
    own.check_world([own.name, *own.computes])
    assert own.emulators()[f"{own.name}/{own.name}"] == frontend  # a running node is not touched
    with Guest(own.machines.rest, own.name, own.computes[0]) as guest:
        guest.run("until ping -c 1 -W 1 10.0.0.1; do :; done")  # a single packet may be lost
    own.stop(number)
