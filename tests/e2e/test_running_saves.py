"""Disks that hosts keep are saved while their nodes run: a guest writes and flushes one numbered
block after the other meanwhile, and processes are killed in between."""
import hashlib
import os
import signal

import pytest

from conftest import start_time, wait_until
from console import Guest
from machines import Host
from rack import a_rack_with_disks, state_of

BEFORE_BYTES = 16 << 20  # written before the first save
FIRST_SECTOR = 65536  # of the numbered blocks, beyond the image
WRITER = (
    "i=%d; while true; do i=$((i + 1)); "
    f"printf 'block %%08d\\n' $i | dd of=/dev/vda bs=512 seek=$(({FIRST_SECTOR} + i)) conv=fsync "
    "2>/dev/null || break; echo $i > /tmp/count.new; mv /tmp/count.new /tmp/count; done")


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest, tmp_path_factory):
    with a_rack_with_disks(tiny_guest, tmp_path_factory.mktemp("image")) as rack:
        yield rack


class Writer:
    """A frontend whose guest writes blocks 1, 2, … and flushes each before the next."""

    def __init__(self, rack, name):
        self.rack, self.rest, self.name = rack, rack.rest, name
        rack.create(name, 0, image="disked")
        self.start()

    def node(self):
        return self.rest.v2_nodes(self.name)[self.name]

    def host_state(self):
        return state_of(self.rack, self.node()["host_id"])

    def start(self):
        self.rest.power(self.name, "poweron")
        self.rest.wait_state(self.name, "active")

    def stop(self):
        self.rest.power(self.name, "poweroff")
        self.rest.wait_state(self.name, "shutoff")

    def guest(self):
        return Guest(self.rest, self.name, self.name)

    def write_on(self, after=0):
        with self.guest() as guest:
            guest.run("rm -f /tmp/count")
            guest.run("{ (" + WRITER % after + ") </dev/null >/dev/null 2>&1 & }")
            wait_until(lambda: self.count_in(guest) > after, "the first block is written")

    @staticmethod
    def count_in(guest):
        return int(guest.run("cat /tmp/count 2>/dev/null || echo 0").split()[-1])

    def flushed(self, more_than=0):
        """The number of a block that was flushed before this returns, at least `more_than`."""
        with self.guest() as guest:
            return wait_until(lambda: (self.count_in(guest) > more_than and self.count_in(guest)),
                              "more blocks are written")

    def has_blocks(self, count):
        """Whether the first `count` blocks are as they were written."""
        expected = b"".join(f"block {number:08}\n".encode().ljust(512, b"\0")
                            for number in range(1, count + 1))
        with self.guest() as guest:
            found = guest.run(f"dd if=/dev/vda bs=512 skip={FIRST_SECTOR + 1} count={count} "
                              "2>/dev/null | md5sum")
        return found.split()[0] == hashlib.md5(expected).hexdigest()

    def url(self, what=""):
        return f"/v2/clusters/{self.name}/nodes/{self.name}/disk{what}"

    def disk(self):
        return self.rest.get(self.url())

    def begin_save(self, name=""):
        begun = self.rest.ask("POST", self.url("/generations"), json={"name": name})
        assert begun.status_code == 202, begun.text
        return begun.json()["work"]["work_id"]

    def wait_saved(self, work_id):
        def saved():
            answer = self.rest.ask("GET", self.url())
            if answer.status_code != 200:
                return None  # a service starts again
            work = answer.json()["work"]
            assert work["work_id"] == work_id, work
            return answer.json() if work["ended_unix_s"] else None
        disk = wait_until(saved, "the disk is saved", 180)
        assert not disk["work"]["reason"], disk
        return disk

    def files(self):
        """Those of the disk on its host."""
        directory = self.host_state() / "provisioner/volumes" / self.node()["node_id"]
        return {file.name for file in directory.glob("disk*.qcow2")}

    def emulator(self):
        [(pid, _)] = [found for title, found in Host.joined(self.host_state()).emulators().items()
                      if title.startswith(f"{self.name}/")]
        return pid


def kill(folder, name):
    """Kills a process of the deployment, and waits for the next one."""
    file = folder / "pids" / name
    pid = int(file.read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: file.exists() and int(file.read_text() or 0) not in (0, pid),
               f"the next {name}")


def test_a_node_is_saved_while_it_writes_whatever_is_killed(rack):
    writer = Writer(rack, "busy")
    with writer.guest() as guest:
        guest.run(f"dd if=/dev/urandom of=/dev/vda bs=1M seek=64 count={BEFORE_BYTES >> 20} "
                  "conv=fsync 2>/dev/null", 120)
    writer.write_on()
    host, emulator = writer.node()["host_id"], writer.emulator()
    flushed, generations = 0, []
    for number, killed in enumerate(["nothing", "provisioner", "image_store", "nothing"], 1):
        flushed = writer.flushed(flushed + 5)
        work = writer.begin_save(f"g{number}")
        if killed == "provisioner":
            kill(writer.host_state(), killed)
        if killed == "image_store":
            kill(rack.deployment.state, killed)
        disk = writer.wait_saved(work)
        assert disk["generation"] == number and disk["host_id"] == host
        assert disk["is_changed"], "what it writes from now on is on its host alone"
        generations.append(disk["generations"][-1])
    assert writer.emulator() == emulator, "the node ran all the time"
    sizes = [generation["size_bytes"] for generation in generations]
    assert sizes[0] > BEFORE_BYTES and all(size < BEFORE_BYTES / 2 for size in sizes[1:]), sizes

    # QEMU is killed when the disk was sealed: what was flushed since is on this host.
    files = writer.files()
    flushed = writer.flushed(flushed + 5)
    work = writer.begin_save("g5")
    wait_until(lambda: writer.files() - files, "the disk is sealed")
    later = writer.flushed(flushed + 5)
    os.kill(emulator, signal.SIGKILL)
    wait_until(lambda: start_time(emulator) is None, "the end of QEMU")
    writer.rest.wait_state("busy", "crashed")
    disk = writer.wait_saved(work)
    assert disk["host_id"] == host and disk["is_changed"]
    writer.start()
    assert writer.node()["host_id"] == host
    assert writer.has_blocks(later)

    # Another host has what was flushed before the newest generation was sealed.
    writer.stop()
    rack.deployment.nucleus("host", "drain", host, "--reason", "test")
    try:
        begun = writer.rest.ask("POST", writer.url("/rollback"), json={"generation": 5})
        assert begun.status_code == 202, begun.text
        writer.wait_saved(begun.json()["work"]["work_id"])
        writer.start()
        assert writer.node()["host_id"] != host
        assert writer.has_blocks(flushed)
    finally:
        rack.deployment.nucleus("host", "resume", host)


def test_a_node_is_saved_every_few_minutes_and_its_chain_stays_short(rack):
    writer = Writer(rack, "often")
    writer.write_on()
    changed = writer.rest.ask("PATCH", "/v2/clusters/often/nodes",
                              json={"nodes": ["often"], "save_every_minutes": 1})
    assert changed.status_code == 200, changed.text
    first = wait_until(lambda: (writer.disk()["generations"] or None), "saved by itself", 150)
    assert first[0]["is_automatic"]
    writer.rest.ask("PATCH", "/v2/clusters/often/nodes",
                    json={"nodes": ["often"], "save_every_minutes": 0})
    wait_until(lambda: writer.disk()["work"]["ended_unix_s"], "no save is under way", 60)
    flushed = 0
    for number in range(7):
        flushed = writer.flushed(flushed + 3)
        writer.wait_saved(writer.begin_save(f"g{number}"))
    assert len(writer.files()) <= 8, "merged while the node runs"
    assert writer.has_blocks(flushed)
    writer.stop()
    writer.start()
    assert writer.has_blocks(flushed)
    assert len(writer.files()) == 1
