"""Disks of nodes on hosts that read images from the head and keep what was written."""
import os
import signal
import subprocess

import pytest

from conftest import BIN, start_time, wait_until
from console import Guest
from machines import Host, run
from rack import a_rack_with_disks, state_of


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest, tmp_path_factory):
    with a_rack_with_disks(tiny_guest, tmp_path_factory.mktemp("image")) as rack:
        yield rack


def host_of(rack, cluster):
    return rack.rest.v2_nodes(cluster)[cluster]["host_id"]


def boot(rack, cluster):
    rack.create(cluster, 0, image="disked")
    rack.rest.power(cluster, "poweron")
    rack.rest.wait_state(cluster, "active")
    return host_of(rack, cluster)


def power_cycle(rack, cluster):
    rack.rest.power(cluster, "poweroff")
    rack.rest.wait_state(cluster, "shutoff")
    rack.rest.power(cluster, "poweron")
    rack.rest.wait_state(cluster, "active")


def volume_of(rack, cluster, host):
    node_id = rack.rest.v2_nodes(cluster)[cluster]["node_id"]
    return state_of(rack, host) / "provisioner/volumes" / node_id


def server_of(volume):
    """(pid, start) of the process that serves the base of a disk; nothing if it does not run."""
    pid = int((volume / "pid").read_text())
    try:
        is_it = os.readlink(f"/proc/{pid}/cwd") == str(volume)
    except OSError:
        is_it = False
    return (pid, start_time(pid)) if is_it else None


def digest_of(guest, first_mib, count):
    return guest.run(f"dd if=/dev/vda bs=1M skip={first_mib} count={count} 2>/dev/null | md5sum"
                     ).split()[0]


def expected_digest(rack, first_mib, count):
    part = rack.image[first_mib << 20:(first_mib + count) << 20]
    return subprocess.run(["md5sum"], input=part, capture_output=True, check=True
                          ).stdout.decode().split()[0]


def test_a_node_finds_its_data_after_it_was_off_and_only_on_its_host(rack):
    host = boot(rack, "keep")
    volume = volume_of(rack, "keep", host)
    assert volume.is_dir() and server_of(volume)
    assert (volume / "ticket").stat().st_mode & 0o077 == 0
    with Guest(rack.rest, "keep", "keep") as guest:
        assert digest_of(guest, 0, 2) == expected_digest(rack, 0, 2)
        guest.run("echo written-by-the-guest | dd of=/dev/vda bs=512 seek=8192 conv=fsync")
    power_cycle(rack, "keep")
    assert host_of(rack, "keep") == host
    with Guest(rack.rest, "keep", "keep") as guest:
        text = guest.run("dd if=/dev/vda bs=512 skip=8192 count=1 2>/dev/null | head -n 1")
        assert text.strip() == "written-by-the-guest"
    rack.rest.power("keep", "poweroff")
    rack.rest.wait_state("keep", "shutoff")
    wait_until(lambda: server_of(volume) is None, "the end of the base's server")
    rack.deployment.nucleus("host", "drain", host, "--reason", "test")
    try:
        refused = rack.rest.ask("PUT", "/nucleus/v1/cluster/keep/frontend/poweron")
        assert f"its disk is on host {host}, which is drained" in refused.text
    finally:
        rack.deployment.nucleus("host", "resume", host)


def snapshot(rack, cluster, name):
    """Saves the disk of the cluster's frontend, which is off; the generation."""
    path = f"/v2/clusters/{cluster}/nodes/{cluster}/disk"
    before = rack.rest.get(path)
    begun = rack.rest.ask("POST", path + "/generations", json={"name": name})
    assert begun.status_code == 202, begun.text

    def saved():
        disk = rack.rest.get(path)
        assert not disk["work"].get("reason"), disk
        return disk if disk["work"].get("ended_unix_s") else None
    disk = wait_until(saved, "the disk is saved", 120)
    assert disk["generation"] == before["generation"] + 1
    return disk


def test_a_saved_disk_goes_on_on_another_host(rack):
    first = boot(rack, "mover")
    with Guest(rack.rest, "mover", "mover") as guest:
        guest.run("echo first-host | dd of=/dev/vda bs=512 seek=8192 conv=fsync")
    rack.rest.power("mover", "poweroff")
    rack.rest.wait_state("mover", "shutoff")
    disk = snapshot(rack, "mover", "one")
    assert disk["host_id"] == "" and disk["generations"][0]["name"] == "one"
    rack.deployment.nucleus("host", "drain", first, "--reason", "test")
    try:
        rack.rest.power("mover", "poweron")
        rack.rest.wait_state("mover", "active")
        second = host_of(rack, "mover")
        assert second != first
        with Guest(rack.rest, "mover", "mover") as guest:
            text = guest.run("dd if=/dev/vda bs=512 skip=8192 count=1 2>/dev/null | head -n 1")
            assert text.strip() == "first-host"
            assert digest_of(guest, 0, 2) == expected_digest(rack, 0, 2)
            guest.run("echo second-host | dd of=/dev/vda bs=512 seek=8193 conv=fsync")
        rack.rest.power("mover", "poweroff")
        rack.rest.wait_state("mover", "shutoff")
        assert len(snapshot(rack, "mover", "two")["generations"]) == 2
    finally:
        rack.deployment.nucleus("host", "resume", first)
    rack.deployment.nucleus("host", "drain", second, "--reason", "test")
    try:
        rack.rest.power("mover", "poweron")
        rack.rest.wait_state("mover", "active")
        assert host_of(rack, "mover") == first
        with Guest(rack.rest, "mover", "mover") as guest:
            for sector, text in ((8192, "first-host"), (8193, "second-host")):
                read = guest.run(f"dd if=/dev/vda bs=512 skip={sector} count=1 2>/dev/null | "
                                 "head -n 1")
                assert read.strip() == text
    finally:
        rack.deployment.nucleus("host", "resume", second)


def test_a_guest_runs_on_while_the_image_store_is_away_and_reads_on_when_it_returns(rack):
    host = boot(rack, "patient")
    supervisor = int((rack.deployment.state / "pids/supervisor").read_text())
    store = int((rack.deployment.state / "pids/image_store").read_text())
    with Guest(rack.rest, "patient", "patient") as guest:
        os.kill(supervisor, signal.SIGSTOP)  # or it would start the next at once
        try:
            os.kill(store, signal.SIGKILL)
            wait_until(lambda: start_time(store) is None, "the end of the image store")
            guest.run("echo still here")
            guest.send(b"dd if=/dev/vda bs=1M skip=4 count=2 2>/dev/null | md5sum\n")
            log = volume_of(rack, "patient", host) / "log"
            wait_until(lambda: "curl" in log.read_text(), "a read that the store does not answer")
        finally:
            os.kill(supervisor, signal.SIGCONT)
        guest.read_until(expected_digest(rack, 4, 2).encode())
    assert rack.rest.states("patient") == {"patient": "active"}


def test_a_guest_outlives_the_provisioner_and_the_server_of_its_base(rack):
    host = boot(rack, "stable")
    volume = volume_of(rack, "stable", host)
    before = server_of(volume)
    emulators = Host.joined(state_of(rack, host)).emulators()
    pids = state_of(rack, host) / "pids/provisioner"
    pid = int(pids.read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pids.exists() and int(pids.read_text() or 0) not in (0, pid),
               "the next provisioner")
    with Guest(rack.rest, "stable", "stable") as guest:
        assert digest_of(guest, 1, 1) == expected_digest(rack, 1, 1)
        assert server_of(volume) == before
        os.kill(before[0], signal.SIGKILL)
        assert digest_of(guest, 6, 2) == expected_digest(rack, 6, 2)
    assert server_of(volume) not in (None, before)
    assert Host.joined(state_of(rack, host)).emulators() == emulators


def test_the_disk_of_a_removed_node_is_deleted(rack):
    host = boot(rack, "gone")
    volume = volume_of(rack, "gone", host)
    assert volume.is_dir()
    run(str(BIN / "nucleus"), "cluster", "remove", "gone", "--state",
        str(rack.deployment.state))
    wait_until(lambda: not volume.exists(), "the disk's end")
