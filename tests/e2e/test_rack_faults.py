"""Faults of a rack's hosts, of their links and of the head: a node never runs twice, and only what
is on the faulty part is affected. The guest prints its epoch to its console each second."""
import contextlib
import time

import pytest

from conftest import Machines, a_deployment, pids_in, wait_until
from machines import Host
from rack import (Beats, are_ready, cut, host_states, hosts_of, kill_all, provisioner, state_of,
                  stopped)

LEASE_S = 20
BOOT_S = 120  # of an emulated guest on a loaded machine
HEAL_S = 60  # TCP repeats what was lost ever more slowly


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest):
    """Two hosts with a short lease, and the clusters `lone`, a frontend that runs, and `pair`, with
    two computes that do not."""
    with a_deployment("--rack", "2", settings={
            "NUCLEUS_SCHEDULER_HOST_LEASE_MS": LEASE_S * 1000}) as deployment:
        machines = Machines(deployment, tiny_guest, "nucleus.beat")
        machines.boot("lone", 0)
        machines.create("pair", 2)
        machines.rest.wait_state("lone", "active")
        yield machines


@pytest.fixture(name="beats")
def beats_fixture(rack):
    """The node runs, and both hosts are up, whatever an earlier test did to them."""
    wait_until(lambda: are_ready(rack), "both hosts", HEAL_S)
    if rack.rest.states("lone")["lone"] == "shutoff":
        rack.rest.power("lone", "poweron")
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
    kill_all(rack.deployment.pids())
    away = len(beats.seen)
    # The guest beats once a second: this is half of the lease.
    wait_until(lambda: len(beats.seen) >= away + LEASE_S // 2, "the guest's beats", LEASE_S)
    rack.deployment.up()
    wait_until(lambda: are_ready(rack), "both hosts", HEAL_S)
    rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    assert host.emulators() == emulators, "the same process"
    assert [on for on, _ in beats.check()] == [name]


def test_a_link_that_loses_packets_delays_and_refuses_nothing(rack, beats):
    name = hosts_of(rack, "lone")["lone"]
    host = Host.joined(state_of(rack, name))
    with cut(host, "in", 0.1), cut(host, "out", 0.1):
        rack.rest.power("lone", "poweroff")
        rack.rest.wait_state("lone", "shutoff", timeout_s=HEAL_S)
        rack.rest.power("lone", "poweron")
        rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    beats.check()


def test_a_hung_emulator_is_powered_off_and_started_again(rack, beats):
    name = hosts_of(rack, "lone")["lone"]
    [pid] = [pid for node, (pid, _) in Host.joined(state_of(rack, name)).emulators().items()
             if node == "lone/lone"]
    with stopped(pid):
        rack.rest.power("lone", "poweroff")
        rack.rest.wait_state("lone", "shutoff", timeout_s=HEAL_S)
    rack.rest.power("lone", "poweron")
    rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    beats.check()


@pytest.mark.parametrize("process", ["provisioner", "libvirtd"])
def test_a_hung_host_delays_its_own_nodes_of_a_computeset_alone(rack, beats, process):
    hung, other = "rack-1", "rack-2"
    wait_until(lambda: are_ready(rack), "both hosts", HEAL_S)
    hangs = stopped(pids_in(state_of(rack, hung))[process])
    with contextlib.ExitStack() as stack:
        stack.enter_context(hangs)
        # Within the time in which the host still counts as up.
        number = rack.rest.start("pair", count=2)
        nodes = {on: node for node, on in hosts_of(rack, "pair").items() if on}
        assert set(nodes) == {hung, other}, "one on each"
        rack.rest.wait_state("pair", "active", nodes=[nodes[other]])
        wait_until(lambda: host_states(rack)[hung] == "unreachable", "the host's silence")
        waiting = rack.rest.v2_nodes("pair")[nodes[hung]]
        assert waiting["state"] == "nostate-error" and hung in waiting["reason"], waiting
        assert rack.rest.computeset(number)["state"] == "running"
    rack.rest.wait_state("pair", "active", nodes=list(nodes.values()), timeout_s=HEAL_S)
    assert {on: node for node, on in hosts_of(rack, "pair").items() if on} == nodes
    rack.rest.ask("PUT", f"/nucleus/v1/computeset/{number}/poweroff")
    wait_until(lambda: rack.rest.computeset(number)["state"] == "completed", "its end", HEAL_S)


def test_what_ran_on_a_host_that_lost_its_power_is_off_and_starts_again(rack, beats):
    name = hosts_of(rack, "lone")["lone"]
    host = Host.joined(state_of(rack, name))
    kill_all(pids_in(host.state), *[pid for pid, _ in host.emulators().values()])
    rack.deployment.up()
    rack.rest.wait_state("lone", "shutoff", timeout_s=HEAL_S)
    assert "ended while the provisioner was not watching" in \
        rack.rest.v2_nodes("lone")["lone"]["reason"]
    wait_until(lambda: are_ready(rack), "both hosts", HEAL_S)  # the first one has it again
    rack.rest.power("lone", "poweron")
    rack.rest.wait_state("lone", "active", timeout_s=HEAL_S)
    beats.check()


@contextlib.contextmanager
def unable_to_start(host):
    """A host that cannot write seed drives: a file is where their directory was."""
    seeds = host.state / "provisioner/seeds"
    aside = seeds.rename(seeds.with_name("seeds-aside"))
    seeds.touch()
    try:
        yield
    finally:
        seeds.unlink()
        aside.rename(seeds)


@contextlib.contextmanager
def pair_of(rack):
    """The computeset of both computes, one on each host."""
    wait_until(lambda: are_ready(rack), "both hosts", HEAL_S)
    number = rack.rest.start("pair", count=2)
    try:
        yield number
    finally:
        rack.rest.ask("PUT", f"/nucleus/v1/computeset/{number}/poweroff")
        wait_until(lambda: rack.rest.computeset(number)["state"] == "completed", "its end", HEAL_S)


def test_a_node_that_its_host_cannot_start_runs_on_another_and_the_others_run_on(rack, beats):
    broken, other = "rack-1", "rack-2"
    able = Host.joined(state_of(rack, other))
    with unable_to_start(Host.joined(state_of(rack, broken))), pair_of(rack) as number:
        rack.rest.wait_state("pair", "active", nodes=["vm-pair-00", "vm-pair-01"],
                             timeout_s=HEAL_S)
        assert {on for on in hosts_of(rack, "pair").values() if on} == {other}
        nodes = rack.rest.v2_nodes("pair")
        why = {name: [step["text"] for step in rack.rest.get(
            f"/v2/clusters/pair/nodes/{name}/why")["timeline"]] for name in nodes if name != "pair"}
        moved = [name for name, steps in why.items()
                 if any(f"{name} failed to start on host {broken}: cannot be started" in step
                        for step in steps)]
        assert len(moved) == 1, why
        assert rack.rest.computeset(number)["state"] == "running"
        assert {f"pair/{name}" for name in why} <= set(able.emulators())
    beats.check()


def test_a_node_of_a_lost_host_runs_on_another_and_the_others_of_its_computeset_run_on(rack, beats):
    with pair_of(rack) as number:
        rack.rest.wait_state("pair", "active", nodes=["vm-pair-00", "vm-pair-01"],
                             timeout_s=HEAL_S)
        nodes = {on: node for node, on in hosts_of(rack, "pair").items() if on}
        lost = next(on for on in nodes if on != hosts_of(rack, "lone")["lone"])
        [kept] = [on for on in nodes if on != lost]
        staying = Host.joined(state_of(rack, kept))
        emulator = staying.emulators()[f"pair/{nodes[kept]}"]
        with cut(Host.joined(state_of(rack, lost)), "in"):
            wait_until(lambda: hosts_of(rack, "pair")[nodes[lost]] == kept, "another host",
                       LEASE_S + HEAL_S)
            rack.rest.wait_state("pair", "active", nodes=list(nodes.values()), timeout_s=HEAL_S)
            assert staying.emulators()[f"pair/{nodes[kept]}"] == emulator, "the same process"
            assert f"pair/{nodes[lost]}" in staying.emulators()
            assert rack.rest.computeset(number)["state"] == "running"
        wait_until(lambda: host_states(rack)[lost] == "up", "the host's return", HEAL_S)
    beats.check()
