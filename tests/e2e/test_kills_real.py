"""kill -9 of the processes next to real machines, at random moments of a power-on."""
import contextlib
import random
import time

import pytest

from conftest import Machines, a_deployment, wait_until
from console import Guest
from kills import CarefulClient, Killer, chosen_seed
from machines import PATIENCE_S

PROCESSES = ["provisioner", "libvirtd", "vswitchd", "ovsdb", "scheduler", "redis"]


class Crew:
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
            wait_until(lambda: not self.emulators(), f"the end of {self.name}", PATIENCE_S)

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
                   "the computes are active", PATIENCE_S)

    def check_world(self, running):
        """Exactly these nodes run: as domains, QEMU processes, taps, and ports of the switch."""
        domains = {f"{self.name}/{name}" for name in running}
        wait_until(lambda: set(self.emulators()) == domains, f"QEMU of {domains}", PATIENCE_S)
        assert {one for one in self.host.domains() if one.startswith(self.name + "/")} == domains
        vlans = self.vlans()
        nodes = self.nodes()
        taps = {f"n{self.host.short_id}-" + port["mac"][9:].replace(":", "")
                for name in running for port in nodes[name]["ports"]}
        wait_until(lambda: self.host.taps() & set(vlans) == taps, f"taps {taps}", PATIENCE_S)
        wait_until(lambda: set(self.host.ports()) & set(vlans) == taps, f"ports {taps}",
                   PATIENCE_S)
        tags = self.host.ports()
        assert {tap: tags[tap] for tap in taps} == {tap: vlans[tap] for tap in taps}

    def stop(self, number):
        self.client.stop(number)
        self.check_world([self.name])


@pytest.fixture(scope="module", name="shared")
def shared_fixture(tiny_guest):
    with a_deployment() as deployment:
        yield Machines(deployment, tiny_guest)


@pytest.fixture(name="crew")
def crew_fixture(shared, request):
    with Crew(shared, "crew-" + request.node.callspec.params["name"]) as crew:
        yield crew


@pytest.fixture(scope="module", name="chance")
def chance_fixture():
    return random.Random(chosen_seed())


@pytest.fixture(scope="module", name="usual_s")
def usual_s_fixture(shared):
    """The duration of an undisturbed power-on, until the domains run."""
    with Crew(shared, "undisturbed") as crew:
        began = time.monotonic()
        number = crew.client.start(crew.name, crew.computes)
        crew.wait_active()
        took = time.monotonic() - began
        crew.stop(number)
    return took


@pytest.mark.parametrize("name", PROCESSES)
def test_a_power_on_of_machines_survives_the_kill_of(crew, chance, usual_s, name):
    after_s = chance.uniform(0, usual_s)
    print(f"\nkill {name} after {after_s * 1000:.1f} ms of about {usual_s * 1000:.0f} ms")
    before = set(crew.client.sets())
    frontend = crew.emulators()[f"{crew.name}/{crew.name}"]
    with Killer(crew.machines.deployment, name, after_s) as killer:
        number = crew.client.start(crew.name, crew.computes)
        killer.wait_back()
    crew.wait_active()
    assert set(crew.client.sets()) == before | {number}
    crew.check_world([crew.name, *crew.computes])
    assert crew.emulators()[f"{crew.name}/{crew.name}"] == frontend  # a running node is not touched
    with Guest(crew.machines.rest, crew.name, crew.computes[0]) as guest:
        guest.run("until ping -c 1 -W 1 10.0.0.1; do :; done")  # a single packet may be lost
    crew.stop(number)
