"""A host that uses the machine's own libvirtd and Open vSwitch. A private pair in a network
namespace plays the machine's; it has a domain and a port that are not of Nucleus."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Machines, a_deployment, wait_until
from machines import Host, run
from test_joining import Machine

HEAD, MACHINE = "198.18.92.1", "198.18.92.2"
FOREIGN = """<domain type='qemu'><name>foreign</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""


class OwnServices(Machine):
    """A machine with a libvirtd and a switch, a foreign domain and a foreign port."""

    def __init__(self, name="tst-own"):
        super().__init__(f"{name}-{os.getpid()}")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nuc-own-"))
        self.ovs = self.folder / "ovs"
        self.socket = self.folder / "libvirt/run/libvirt-sock"
        self.uri = f"qemu+unix:///system?socket={self.socket}"
        self.processes = []

    def start(self, link):
        run("ip", "netns", "add", self.name)
        self.ip("link", "add", "up0", "mtu", "1600", "type", "veth", "peer", "name", "far0")
        self.connect(link, HEAD, MACHINE)
        self.run_program("private_ovs", "db", self.ovs)
        self.run_program("private_ovs", "switch", self.ovs, "br-foreign", self.name,
                         "set", "bridge", "br-foreign", "datapath_type=netdev")
        self.run_program("private_libvirtd", self.folder / "libvirt", self.ovs, self.name)
        wait_until(lambda: (self.ovs / "vswitchd.ctl").exists(), "the machine's switch", 30)
        wait_until(self.socket.exists, "the machine's libvirtd", 30)
        self.vsctl("add-port", "br-foreign", "foreign0", "tag=7", "--", "set", "interface",
                   "foreign0", "type=internal")
        (self.folder / "foreign.xml").write_text(FOREIGN)
        self.virsh("create", str(self.folder / "foreign.xml"))

    def run_program(self, name, *words):
        self.processes.append(subprocess.Popen([BIN / name, *map(str, words)],
                                               stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL,
                                               stderr=subprocess.DEVNULL))

    def vsctl(self, *words):
        return run("ovs-vsctl", "--timeout=30", f"--db=unix:{self.ovs}/db.sock", *words)

    def virsh(self, *words):
        return run("virsh", "-c", self.uri, *words)

    def domains(self):
        return set(self.virsh("list", "--name").split())

    def foreign(self):
        """What must stay as it is: the domain with its process, and the port with its settings."""
        pid = (self.folder / "libvirt/run/qemu/foreign.pid").read_text()
        return (self.virsh("domstate", "foreign").strip(), pid,
                self.vsctl("list-ports", "br-foreign").split(),
                self.vsctl("get", "port", "foreign0", "tag", "_uuid"),
                self.vsctl("get", "bridge", "br-foreign", "_uuid", "fail_mode", "external_ids"))

    def remove(self):
        if self.socket.exists():
            subprocess.run(["virsh", "-c", self.uri, "destroy", "foreign"], check=False,
                           capture_output=True)
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        run("ip", "netns", "del", self.name, check=False)
        shutil.rmtree(self.folder)


@pytest.fixture(name="own")
def own_fixture():
    own = OwnServices()
    try:
        own.start(f"to{os.getpid()}"[:14])
        yield own
    finally:
        own.remove()


@pytest.mark.parametrize("has_libvirt", [True, False], ids=["libvirt and ovs", "ovs alone"])
def test_foreign_domains_and_ports_of_the_machine_are_left_alone(own, tiny_guest, tmp_path,
                                                                 has_libvirt):
    file = tmp_path / "h2.join"
    state = pathlib.Path(tempfile.mkdtemp(prefix="nuc-h2-"))
    options = ["--uplink", "up0", "--ovs", str(own.ovs)]
    options += ["--libvirt", own.uri] if has_libvirt else []
    before = own.foreign()
    with a_deployment("--rack", "1") as deployment:
        machines = Machines(deployment, tiny_guest)
        rest = machines.rest
        deployment.nucleus("host", "add", "h2", "--file", file)
        deployment.nucleus("host", "drain", "rack-1")
        try:
            asked = own.nucleus("doctor", "--host", "--state", str(state), *options)
            assert asked.returncode == 0, asked.stdout
            joined = own.nucleus("join", file, "--state", str(state), *options)
            assert joined.returncode == 0, joined.stderr
            host = Host.joined(state)
            assert own.foreign() == before
            machines.create("vc", 0)
            for _ in range(2):
                rest.power("vc", "poweron")
                rest.wait_state("vc", "active")
                node = rest.v2_nodes("vc")["vc"]
                assert node["host_id"] == "h2"
                assert own.domains() == {"foreign", *([node["node_id"]] if has_libvirt else [])}
                ports = set(own.vsctl("list-ports", host.bridge).split())
                assert len(ports) == 1 + len(node["ports"]) and "up0" in ports
                assert own.foreign() == before
                rest.power("vc", "poweroff")
                rest.wait_state("vc", "shutoff")
            rest.power("vc", "poweron")
            rest.wait_state("vc", "active")
        finally:
            down = own.nucleus("down", "--state", str(state))
            shutil.rmtree(state)
        assert down.returncode == 0, down.stderr
    wait_until(lambda: own.domains() == {"foreign"}, "the node's domain has ended")
    assert own.vsctl("list-br").split() == ["br-foreign"]
    assert own.foreign() == before
    assert "up0" in own.links()


def test_what_is_chosen_must_answer_and_be_free(own, tmp_path):
    state = tmp_path / "s"

    def problems(*options):
        asked = own.nucleus("doctor", "--host", "--state", str(state), *options)
        assert asked.returncode == 1, asked.stdout
        return asked.stdout

    ovs = ["--ovs", str(own.ovs)]
    assert "--ovs: no switch answers in /none" in problems("--ovs", "/none")
    assert "does not answer" in problems(
        *ovs, "--libvirt", "qemu+unix:///system?socket=/none/libvirt-sock")
    # pytest's folder is closed to QEMU's user.
    assert f"QEMU's user cannot reach {state}" in problems(*ovs, "--libvirt", own.uri)
    assert "--uplink: foreign0 is a port of br-foreign" in problems(*ovs, "--uplink", "foreign0")
    own.vsctl("set", "bridge", "br-foreign", 'external_ids:nucleus="/other"')
    assert "another host uses this switch: /other" in problems(*ovs)
