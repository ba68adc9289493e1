"""kill -9 of the processes beside real machines, at random moments of a power-on."""
import random
import time

import pytest

from conftest import Machines, a_deployment, wait_until
from console import Guest
from kills import CarefulClient, Killer, chosen_seed
from machines import PATIENCE_S, expected_taps

PROCESSES = ["provisioner", "libvirtd", "vswitchd", "ovsdb", "scheduler", "redis"]
COMPUTES = ["vm-crew-00", "vm-crew-01"]


@pytest.fixture(scope="module", name="crew")
def crew_fixture(tiny_guest):
    """Cluster `crew` whose frontend runs, and two computes that do not yet."""
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("crew", len(COMPUTES))
        machines.rest.power("crew", "poweron")
        machines.rest.wait_state("crew", "active", ["crew"])
        machines.client = CarefulClient(machines.rest)
        yield machines


def told(machines):
    return {node["name"]: node for node in machines.client.get("/v2/clusters/crew")["nodes"]}


def check_world(machines, running):
    """Exactly these nodes: as domains, as QEMU processes, as taps and as ports of the switch."""
    host = machines.host
    domains = {f"crew.{name}" for name in running}
    taps = expected_taps(machines.rest, host, "crew")
    wait_until(lambda: set(host.emulators()) == domains, f"QEMU of {domains}", PATIENCE_S)
    assert host.domains() == domains
    wait_until(lambda: host.taps() == taps, f"taps {taps}, not {host.taps()}", PATIENCE_S)
    wait_until(lambda: set(host.ports()) == taps, f"ports {taps}, not {host.ports()}", PATIENCE_S)
    vlans = {port["mac"]: port["vlan"] for node in told(machines).values()
             for port in node["ports"]}
    tags = host.ports()
    assert {tags[tap] == vlans[mac] for mac, tap in host.cards().items()} == {True}


def power_on_through(machines, name, after_s):
    frontend = machines.host.emulators()["crew.crew"]
    with Killer(machines.deployment, name, after_s) as killer:
        number = machines.client.start("crew", COMPUTES)
        killer.wait_back()
    wait_until(lambda: all(told(machines)[node]["state"] == "active" for node in COMPUTES),
               "the computes are active", PATIENCE_S)
    assert set(machines.client.sets()) == set(range(1, number + 1))
    check_world(machines, ["crew", *COMPUTES])
    return number, frontend


def stop(machines, number):
    machines.client.stop(number)
    check_world(machines, ["crew"])


@pytest.fixture(scope="module", name="chance")
def chance_fixture():
    return random.Random(chosen_seed())


@pytest.fixture(scope="module", name="usual_s")
def usual_s_fixture(crew):
    """How long a power-on takes undisturbed, until the domains run."""
    began = time.monotonic()
    number = crew.client.start("crew", COMPUTES)
    wait_until(lambda: all(told(crew)[node]["state"] == "active" for node in COMPUTES), "active",
               PATIENCE_S)
    took = time.monotonic() - began
    stop(crew, number)
    return took


@pytest.mark.parametrize("name", PROCESSES)
def test_a_power_on_of_machines_survives_the_kill_of(crew, chance, usual_s, name):
    after_s = chance.uniform(0, usual_s)
    print(f"\nkill {name} after {after_s * 1000:.1f} ms of some {usual_s * 1000:.0f} ms")
    number, frontend = power_on_through(crew, name, after_s)
    assert crew.host.emulators()["crew.crew"] == frontend  # who ran before, runs on
    with Guest(crew.rest, "crew", COMPUTES[0]) as guest:
        guest.run("until ping -c 1 -W 1 10.0.0.1; do :; done")  # a single packet may be lost
    stop(crew, number)
