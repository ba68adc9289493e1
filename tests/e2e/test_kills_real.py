"""kill -9 of the processes next to real machines, at random moments of a power-on."""
import random
import time

import pytest

from conftest import Machines, a_deployment
from console import Guest
from kills import Killer, OwnCluster, chosen_seed

PROCESSES = ["provisioner", "libvirtd", "vswitchd", "ovsdb", "scheduler", "redis"]


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
