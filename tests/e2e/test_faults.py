"""Faults next to real machines appear as a state with a reason, and affect no other node."""
import os
import re
import signal
import time

import pytest

from conftest import Machines, a_deployment, start_time, wait_until
from console import Guest
from machines import PATIENCE_S, Events

TOLD_WITHIN_S = 2  # the goal; printed with the measured time, and checked by bench/


@pytest.fixture(scope="module", name="hospital")
def hospital_fixture(tiny_guest):
    """Clusters `hurt` (a frontend) and `well` (a frontend and a compute)."""
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.boot("hurt", 0)
        machines.boot("well", 1)
        yield machines


@pytest.fixture(name="ward")
def ward_fixture(hospital):
    """All nodes of the shared deployment active, whatever an earlier test did to them."""
    if hospital.rest.states("hurt")["hurt"] in ("shutoff", "crashed"):
        hospital.rest.power("hurt", "poweron")
    for cluster in ("hurt", "well"):
        hospital.rest.wait_state(cluster, "active")
    return hospital


class Pings:
    """A guest that pings its neighbour during the context; each reply has a number."""

    def __init__(self, machines):
        self.guest = Guest(machines.rest, "well", "well")

    def __enter__(self):
        self.guest.run("ping -c 1 -W 20 10.0.0.2")
        self.guest.send(b"ping 10.0.0.2\n")
        self.wait_reply()
        return self

    def wait_reply(self):
        """The number of a reply that arrives from now on."""
        self.guest.read_until(rb"seq=(\d+)")
        return int(self.guest.read_until(rb"seq=(\d+)")[1])

    def __exit__(self, *_):
        self.guest.send(b"\x03")
        told = self.guest.read_until(rb"(\d+) packets transmitted, (\d+) packets received")
        self.sent, self.received = int(told[1]), int(told[2])
        self.guest.__exit__()


def ids_of(machines, cluster):
    return {name: node["node_id"] for name, node in machines.rest.told(cluster).items()}


def report(what, seconds):
    print(f"\n{what} was reported after {seconds:.2f} s (goal: {TOLD_WITHIN_S} s)")


def test_a_killed_qemu_is_reported_as_crashed_and_its_node_starts_again(ward):
    node_id = ids_of(ward, "hurt")["hurt"]
    others = {name: process for name, process in ward.host.emulators().items() if "well" in name}
    with Pings(ward) as pings, Events(ward.rest) as events:
        pid = ward.host.emulators()["hurt/hurt"][0]
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        when, told = events.wait_node(node_id, "crashed")
        report("the end of a killed QEMU", when - began)
        assert told["body"]["node"]["reason"] == "its hypervisor process ended unexpectedly"
        assert told["body"]["node"]["is_desired_on"] is False
        pings.wait_reply()
    assert pings.sent - pings.received <= 1  # one may have been in flight at the end
    assert ward.rest.told("hurt")["hurt"]["state"] == "crashed"
    assert set(ward.rest.states("well").values()) == {"active"}
    assert {n: p for n, p in ward.host.emulators().items() if "well" in n} == others

    ward.rest.power("hurt", "poweron")
    ward.rest.wait_state("hurt", "active")
    with Guest(ward.rest, "hurt", "hurt"):
        pass


def test_a_hung_libvirtd_makes_its_host_unreachable_and_affects_no_domain(ward):
    ids = {**ids_of(ward, "hurt"), **ids_of(ward, "well")}
    before = ward.host.emulators()
    libvirtd = ward.deployment.pids()["libvirtd"]
    host_name = ward.deployment.status()["hosts"][0]["name"]
    with Pings(ward) as pings, Events(ward.operator) as events:
        began = time.monotonic()
        os.kill(libvirtd, signal.SIGSTOP)
        try:
            when, told = events.wait(lambda e: e["type"] == "scheduler.host-changed"
                                     and e["body"]["host"]["state"] == "unreachable",
                                     "the host is unreachable")
            report("a hung libvirtd", when - began)
            assert told["body"]["host"]["host_id"] == host_name
            reason = told["body"]["host"]["reason"]
            assert reason
            for node_id in ids.values():
                node = events.wait_node(node_id, "nostate-error")[1]["body"]["node"]
                assert node["reason"] == f"host {host_name}: {reason}"
                assert node["is_desired_on"] is True
            first = pings.wait_reply()
            assert pings.wait_reply() > first  # the guests are not affected
            assert ward.host.emulators() == before
        finally:
            os.kill(libvirtd, signal.SIGCONT)
        healed = time.monotonic()
        for node_id in ids.values():
            when = events.wait_node(node_id, "active")[0]
        print(f"it had recovered after {when - healed:.2f} s")
    assert pings.sent - pings.received <= 1
    assert ward.host.emulators() == before
    assert ward.deployment.status()["hosts"][0]["state"] == "up"


def test_a_request_during_a_hang_of_libvirtd_takes_effect_afterwards(ward):
    rest = ward.rest
    ward.boot("late", 0)
    rest.wait_state("late", "active")
    rest.power("late", "poweroff")
    rest.wait_state("late", "shutoff")
    libvirtd = ward.deployment.pids()["libvirtd"]
    with Events(ward.operator) as events:
        os.kill(libvirtd, signal.SIGSTOP)
        try:
            events.wait(lambda e: e["type"] == "scheduler.host-changed"
                        and e["body"]["host"]["state"] == "unreachable", "unreachable")
            rest.power("hurt", "poweroff")
            refused = rest.ask("PUT", "/nucleus/v1/cluster/late/frontend/poweron")
            assert refused.status_code == 503  # no other host is up
            assert refused.headers["Retry-After"]
        finally:
            os.kill(libvirtd, signal.SIGCONT)
    rest.wait_state("hurt", "shutoff")
    assert "hurt/hurt" not in ward.host.emulators()
    wait_until(lambda: rest.ask("PUT", "/nucleus/v1/cluster/late/frontend/poweron").status_code
               == 204, "room again", PATIENCE_S)
    rest.wait_state("late", "active")


def test_a_restarted_libvirtd_finds_its_domains(ward):
    before = ward.host.emulators()
    killed = ward.deployment.pids()["libvirtd"]
    with Pings(ward) as pings:
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: start_time(killed) is None, "the end of libvirtd")
        wait_until(lambda: (ward.deployment.pids().get("libvirtd") or killed) != killed,
                   "another libvirtd", PATIENCE_S)
        wait_until(lambda: ward.deployment.status()["is_ready"], "ready", PATIENCE_S)
        pings.wait_reply()
    assert pings.sent - pings.received <= 1
    ward.rest.wait_state("well", "active")
    assert ward.host.emulators() == before
    assert ward.host.domains() == set(before)


def test_a_guest_that_powers_itself_off_is_reported(ward):
    ward.boot("brief", 0)
    ward.rest.wait_state("brief", "active")
    node_id = ids_of(ward, "brief")["brief"]
    with Events(ward.rest) as events, Guest(ward.rest, "brief", "brief") as guest:
        guest.send(b"poweroff\n")
        told = events.wait_node(node_id, "shutoff")[1]["body"]["node"]
    assert re.search("powered off", told["reason"])
    ward.rest.wait_state("brief", "shutoff")
