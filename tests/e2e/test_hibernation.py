"""Computesets are hibernated and go on later: real guests, whose memory is saved by their host."""
import os
import signal
import time

import pytest

from comet import run_comet
from conftest import Machines, a_deployment, start_time, wait_until
from console import Guest
from machines import run
from rack import hosts_of

SAVE_S = 180  # of the memory of an emulated guest on a loaded machine
COUNTER = ("{ (i=0; while true; do i=$((i + 1)); echo $i > /tmp/count.new; "
           "mv /tmp/count.new /tmp/count; done) </dev/null >/dev/null 2>&1 & }")


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest, tmp_path_factory):
    """One host, and cluster `c` with two computes; their root file system is memory."""
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("c", 2)
        yield Site(machines, tmp_path_factory.mktemp("home"))


class Site:
    def __init__(self, machines, home):
        self.machines, self.rest, self.home = machines, machines.rest, home
        self.state = machines.deployment.state

    def comet(self, *words, code=0):
        return run_comet(self.home, self.machines.env, *words, code=code)

    def start(self, count=1):
        number = self.rest.start("c", count=count, walltime_mins=60)
        names = [f"vm-c-{i:02}" for i in range(count)]
        self.rest.wait_state("c", "active", names)
        return number

    def set(self, number):
        return self.rest.get(f"/v2/computesets/{number}")

    def wait_set(self, number, state):
        return wait_until(lambda: self.set(number)["state"] == state and self.set(number),
                          f"computeset {number} {state}", SAVE_S)

    def ask(self, number, action, **body):
        answer = self.rest.ask("POST", f"/v2/computesets/{number}/{action}", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def hibernate(self, number):
        self.ask(number, "hibernate")
        return self.wait_set(number, "hibernated")

    def resume(self, number, *names):
        self.ask(number, "resume")
        self.wait_set(number, "running")
        self.rest.wait_state("c", "active", names or ["vm-c-00"])

    def end(self, number):
        self.rest.command("PUT", f"/nucleus/v1/computeset/{number}/poweroff")
        self.wait_set(number, "completed")

    def used_core_s(self, number):
        [used] = [entry["used_core_s"] for entry in self.rest.get("/v2/usage")["entries"]
                  if entry["computeset_id"] == number]
        return used

    def files(self):
        return sorted(self.state.glob("**/memory/*/*.memory*"))

    def guest(self, name="vm-c-00"):
        return Guest(self.rest, "c", name)


def boot_id(guest):
    return guest.run("cat /proc/sys/kernel/random/boot_id").strip()


def count(guest):
    return int(guest.run("cat /tmp/count").split()[-1])


def test_a_program_in_memory_goes_on_where_it_was(site):
    number = site.start()
    with site.guest() as guest:
        guest.run("mount -t proc proc /proc 2>/dev/null || true")
        guest.run(COUNTER)
        booted = boot_id(guest)
        before = wait_until(lambda: count(guest), "the counter counts")
    planned = site.comet("hibernate", number, "--plan")
    assert "hibernating" in planned
    assert site.set(number)["state"] == "running", "a plan changes nothing"
    assert "comet resume" in site.comet("hibernate", number)
    hibernated = site.wait_set(number, "hibernated")
    node = site.rest.v2_nodes("c")["vm-c-00"]
    assert node["state"] == "shutoff" and node["saved_memory_bytes"] > 1 << 20, node
    assert not node["host_id"] and not site.machines.host.emulators()
    [saved] = [file for file in site.files() if file.suffix == ".memory"]
    assert saved.stat().st_mode & 0o777 == 0o600
    assert site.rest.computeset(number)["state"] == "submitted", "as clients of v1 know it"
    assert "hibernated" in site.comet("computeset", number)
    assert "comet resume" in site.comet("why", number)

    used = node["cpus"] * (hibernated["hibernated_unix_s"] - hibernated["start_unix_s"])
    assert used > 0 and site.used_core_s(number) == used
    until = hibernated["hibernated_unix_s"] + 3
    wait_until(lambda: time.time() >= until, "some seconds in which it is hibernated")
    site.comet("resume", number, "--plan")
    site.resume(number)
    with site.guest() as guest:
        assert boot_id(guest) == booted, "the same run of its kernel"
        first = count(guest)
        assert first >= before
        wait_until(lambda: count(guest) > first, "the counter goes on")
    resumed = site.set(number)
    assert resumed["hibernated_s"] >= 3 and resumed["hibernated_unix_s"] == 0
    assert resumed["start_unix_s"] == hibernated["start_unix_s"]
    wait_until(lambda: not site.files(), "the file of its memory is deleted")
    site.end(number)
    ended = site.set(number)
    ran_s = ended["end_unix_s"] - ended["start_unix_s"] - ended["hibernated_s"]
    assert site.used_core_s(number) == node["cpus"] * ran_s, "nothing while it was hibernated"


def test_damaged_memory_lets_its_node_boot_and_says_so(site):
    number = site.start(2)
    with site.guest("vm-c-00") as guest:
        booted = boot_id(guest)
    site.hibernate(number)
    ids = {name: node["node_id"] for name, node in site.rest.v2_nodes("c").items()}
    [saved] = [file for file in site.files()
               if file.suffix == ".memory" and ids["vm-c-00"] in file.name]
    with open(saved, "r+b") as file:
        file.seek(saved.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    site.resume(number, "vm-c-00", "vm-c-01")
    wait_until(lambda: "vm-c-00 has booted from its disk" in site.set(number)["reason"],
               "the reason")
    assert "damaged" in site.set(number)["reason"]
    assert "has booted from its disk" in site.comet("why", number)
    with site.guest("vm-c-00") as guest:
        assert boot_id(guest) != booted
    site.end(number)
    wait_until(lambda: not site.files(), "the files are deleted")


def test_a_hibernated_computeset_is_ended_and_its_memory_deleted(site):
    number = site.start()
    site.hibernate(number)
    assert site.files()
    site.rest.command("PUT", f"/nucleus/v1/computeset/{number}/poweroff")
    assert site.wait_set(number, "completed")["end_unix_s"] > 0
    wait_until(lambda: not site.files(), "the files are deleted")


@pytest.mark.parametrize("killed", ["provisioner", "libvirtd"])
def test_what_is_killed_while_memory_is_saved_loses_nothing(site, killed):
    number = site.start()
    with site.guest() as guest:
        booted = boot_id(guest)
    pid = site.machines.deployment.pids()[killed]
    site.ask(number, "hibernate")
    wait_until(site.files, "the file is written", SAVE_S)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not start_time(pid), f"the end of {killed}")
    hibernated = site.wait_set(number, "hibernated")
    has_memory = site.rest.v2_nodes("c")["vm-c-00"]["saved_memory_bytes"] > 0
    assert has_memory == ("without the memory of" not in hibernated["reason"]), hibernated
    site.resume(number)
    with site.guest() as guest:
        assert (boot_id(guest) == booted) == has_memory
    site.end(number)
    wait_until(lambda: not site.files(), "the files are deleted")


def test_a_node_with_a_disk_goes_on_at_the_host_that_has_both(tiny_guest, tmp_path):
    """Two hosts that keep disks; the image `disked` boots the tiny guest and has a disk."""
    run("qemu-img", "create", "-f", "qcow2", str(tmp_path / "disk.qcow2"), "16M")
    with a_deployment("--rack", "2") as deployment:
        rack = Machines(deployment, tiny_guest)
        deployment.nucleus("image", "import", "disked", *rack.boots, "--disk",
                           tmp_path / "disk.qcow2", "--format", "qcow2")
        rack.create("c", 1, image="disked")
        site = Site(rack, tmp_path)
        number = site.start()
        host = hosts_of(rack, "c")["vm-c-00"]
        with site.guest() as guest:
            booted = boot_id(guest)
            guest.run("dd if=/dev/urandom of=/dev/vda bs=1M count=4 conv=fsync 2>/dev/null", 120)
            written = guest.run("dd if=/dev/vda bs=1M count=4 2>/dev/null | md5sum")
        hibernated = site.hibernate(number)
        assert not hibernated["reason"], hibernated
        refused = site.rest.ask("POST", "/v2/clusters/c/nodes/vm-c-00/disk/generations", json={})
        assert refused.status_code == 409 and "is hibernated" in refused.text
        deployment.nucleus("host", "drain", host)
        site.ask(number, "resume")
        waiting = wait_until(lambda: site.set(number)["reason"] and site.set(number), "its reason")
        assert f"its memory is on host {host}, which is drained" in waiting["reason"]
        deployment.nucleus("host", "resume", host)
        site.wait_set(number, "running")
        site.rest.wait_state("c", "active", ["vm-c-00"])
        assert hosts_of(rack, "c")["vm-c-00"] == host
        with site.guest() as guest:
            assert boot_id(guest) == booted
            assert guest.run("dd if=/dev/vda bs=1M count=4 2>/dev/null | md5sum") == written
            guest.run("echo 3 > /proc/sys/vm/drop_caches; "
                      "dd if=/dev/urandom of=/dev/vda bs=1M count=4 conv=fsync 2>/dev/null", 120)
        site.end(number)
