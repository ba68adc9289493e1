"""Hosts of a rack that are cut off one way: a node never runs twice. The guest prints its epoch to
its console each second."""
import time

import pytest

from conftest import Machines, a_deployment, wait_until
from machines import Host
from rack import Beats, cut, host_states, hosts_of, kill_head, state_of

LEASE_S = 20
BOOT_S = 120  # of an emulated guest on a loaded machine
HEAL_S = 60  # TCP repeats what was lost ever more slowly


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest):
    """Two hosts with a short lease, and the cluster `lone`, a frontend."""
    with a_deployment("--rack", "2", settings={
            "NUCLEUS_SCHEDULER_HOST_LEASE_MS": LEASE_S * 1000}) as deployment:
        machines = Machines(deployment, tiny_guest, "nucleus.beat")
        machines.boot("lone", 0)
        machines.rest.wait_state("lone", "active")
        yield machines


@pytest.fixture(name="beats")
def beats_fixture(rack):
    """The node runs, and both hosts are up, whatever an earlier test did to them."""
    wait_until(lambda: set(host_states(rack).values()) == {"up"}, "both hosts", HEAL_S)
    rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    with Beats(rack, rack.rest.v2_nodes("lone")["lone"]["node_id"], "lone/lone") as beats:
        wait_until(lambda: beats.seen, "the guest's epoch", BOOT_S)
        yield beats


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_host_cut_one_way_within_its_lease_keeps_its_nodes(rack, beats, way):
    name = hosts_of(rack, "lone")["lone"]
    host = Host.joined(state_of(rack, name))
    emulators = host.emulators()
    with cut(host, way):
        wait_until(lambda: host_states(rack)[name] == "unreachable", "the host's silence")
        rack.rest.wait_state("lone", "nostate-error")
        assert hosts_of(rack, "lone") == {"lone": name}
    wait_until(lambda: host_states(rack)[name] == "up", "the host's return", HEAL_S)
    rack.rest.wait_state("lone", "active")
    assert host.emulators() == emulators, "the same process"
    assert [on for on, _ in beats.check()] == [name]


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_node_of_a_host_cut_one_way_runs_elsewhere_only_after_the_lease(rack, beats, way):
    name = hosts_of(rack, "lone")["lone"]
    host = Host.joined(state_of(rack, name))
    other = next(one for one in host_states(rack) if one != name)
    with cut(host, way):
        began = time.monotonic()
        wait_until(lambda: beats.first(other), "the guest on the other host", LEASE_S + BOOT_S)
        assert beats.first(other) - began >= LEASE_S
        assert "lone/lone" not in host.emulators(), "it was stopped at the lease's end"
        rack.rest.wait_state("lone", "active")
    wait_until(lambda: host_states(rack)[name] == "up", "the host's return", HEAL_S)
    assert hosts_of(rack, "lone") == {"lone": other}
    rack.rest.wait_state("lone", "active")
    last = beats.seen[-1][0]
    wait_until(lambda: beats.seen[-1][0] > last, "it runs on")
    (first_host, first), (second_host, second) = beats.check()
    assert (first_host, second_host) == (name, other) and second == first + 1
    assert "lone/lone" not in host.emulators()


def test_guests_run_on_without_a_head_which_finds_them_when_it_returns(rack, beats):
    name = hosts_of(rack, "lone")["lone"]
    host = Host.joined(state_of(rack, name))
    emulators = host.emulators()
    kill_head(rack)
    away = len(beats.seen)
    # The guest beats once a second: this is half of the lease.
    wait_until(lambda: len(beats.seen) >= away + LEASE_S // 2, "the guest's beats", LEASE_S)
    rack.deployment.up()
    wait_until(lambda: set(host_states(rack).values()) == {"up"}, "both hosts", HEAL_S)
    rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    assert host.emulators() == emulators, "the same process"
    assert [on for on, _ in beats.check()] == [name]
