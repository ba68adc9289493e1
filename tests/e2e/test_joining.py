"""What `nucleus doctor --host` and `nucleus join` ask of a machine: a network namespace with the
programs that the test lets it see."""
import os
import shutil
import socket
import subprocess
import sys

import pytest
import yaml

from conftest import BIN, a_deployment, free_port, wait_until
from machines import Host, run
from sniffer import Sniffer

HEAD, MACHINE = "198.18.91.1", "198.18.91.2"
JOIN_FILE = """\
host_id: "h1"
ca: "a"
console_address: "127.0.0.1:3"
bus.requests_url: "tcp://127.0.0.1:1"
bus.events_url: "tcp://127.0.0.1:2"
bus.server_key: "a"
bus.public_key: "b"
bus.secret_key: "c"
"""


class Machine:
    """A network namespace in the place of a machine."""

    def __init__(self, name):
        self.name = name

    def ip(self, *words):
        return run("ip", "-n", self.name, *words)

    def nucleus(self, *words, path=None):
        """Of the namespaces only that of the network: the mounts stay those of the test."""
        return subprocess.run(
            ["/usr/bin/nsenter", f"--net=/run/netns/{self.name}", BIN / "nucleus", *words],
            text=True, capture_output=True, timeout=90, check=False,
            env={**os.environ, "PATH": path or os.environ["PATH"]})

    def links(self):
        return self.ip("-brief", "address")

    def connect(self, link, head, own):
        """A cable to the head, whose end is `link`."""
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "head0", "netns", self.name)
        run("ip", "address", "add", f"{head}/30", "dev", link)
        run("ip", "link", "set", link, "up")
        self.ip("address", "add", f"{own}/30", "dev", "head0")
        for one in ("lo", "head0"):
            self.ip("link", "set", one, "up")
        self.ip("route", "add", "100.64.0.0/10", "via", head)


@pytest.fixture(name="machine")
def machine_fixture():
    """With the interfaces lo, up0, and far0, the other end of up0's cable."""
    machine = Machine(f"tst-join-{os.getpid()}")
    run("ip", "netns", "add", machine.name)
    try:
        machine.ip("link", "add", "up0", "mtu", "1600", "type", "veth", "peer", "name", "far0",
                   "mtu", "1600")
        for one in ("lo", "up0", "far0"):
            machine.ip("link", "set", one, "up")
        yield machine
    finally:
        run("ip", "netns", "del", machine.name)


@pytest.fixture(name="join_file")
def join_file_fixture(tmp_path):
    file = tmp_path / "h1.join"
    file.write_text(JOIN_FILE)
    return file


def folder_with(tmp_path, *programs):
    """A PATH with these programs alone; the folders of system programs are searched as well."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program))
    return str(folder)


ON_PATH = ["virsh", "qemu-system-x86_64", "qemu-img", "nbdkit", "ip", "unshare", "mformat"]


def test_a_host_needs_no_programs_of_the_head(machine, tmp_path):
    path = folder_with(tmp_path, *ON_PATH)
    state = str(tmp_path / "s")
    asked = machine.nucleus("doctor", "--host", "--state", state, path=path)
    assert asked.returncode == 0 and "meets all requirements" in asked.stdout, asked.stdout
    head = machine.nucleus("doctor", "--state", state, path=path)
    assert head.returncode == 1 and "redis-server is not installed" in head.stdout
    assert "redis" not in asked.stdout


@pytest.mark.parametrize("program,package", [
    ("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"),
    ("unshare", "util-linux"), ("mformat", "mtools"), ("virsh", "libvirt-clients")])
def test_join_refuses_a_machine_without_a_program_as_doctor_does(machine, tmp_path, join_file,
                                                                  program, package):
    path = folder_with(tmp_path, *[one for one in ON_PATH if one != program])
    state = tmp_path / "s"
    asked = machine.nucleus("doctor", "--host", "--state", state, path=path)
    assert asked.returncode == 1
    problem = f"error:   {program} is not installed\n         apt-get install -y " \
              f"--no-install-recommends {package}"
    assert problem in asked.stdout
    before = run("ip", "netns", "list")
    refused = machine.nucleus("join", join_file, "--state", state, path=path)
    assert refused.returncode == 1 and problem in refused.stderr, refused
    assert not state.exists() and run("ip", "netns", "list") == before


@pytest.mark.parametrize("option", ["--uplink", "--public-uplink"])
def test_join_refuses_an_uplink_that_the_machine_needs(machine, tmp_path, join_file, option):
    state = tmp_path / "s"

    def refusal(uplink):
        links, namespaces = machine.links(), run("ip", "netns", "list")
        asked = machine.nucleus("doctor", "--host", option, uplink, "--state", state)
        refused = machine.nucleus("join", join_file, "--state", state, option, uplink)
        assert refused.returncode == 1 and asked.returncode == 1, (asked, refused)
        line = next(one for one in asked.stdout.splitlines() if option in one)
        assert line in refused.stderr
        assert machine.links() == links and run("ip", "netns", "list") == namespaces
        assert not state.exists()
        return line.removeprefix(f"error:   {option}: ")

    assert refusal("none0") == "this machine has no interface none0"
    assert refusal("lo") == "lo is the loopback interface: the machine would lose it"
    machine.ip("address", "add", "192.0.2.7/24", "dev", "up0")
    assert refusal("up0") == "up0 has the address 192.0.2.7: the machine would lose it"
    machine.ip("address", "flush", "dev", "up0")
    machine.ip("route", "add", "default", "dev", "up0")
    assert refusal("up0") == "up0 has the default route: the machine would lose it"
    machine.ip("route", "del", "default")
    machine.ip("link", "add", "mv0", "link", "up0", "type", "macvlan")
    assert refusal("up0") == "up0 carries mv0: the machine would lose it"
    machine.ip("link", "del", "mv0")
    machine.ip("link", "add", "br0", "type", "bridge")
    assert refusal("br0") == "br0 is a bridge: the machine would lose it"
    machine.ip("link", "set", "up0", "master", "br0")
    assert refusal("up0") == "up0 is a port of br0: the machine would lose it"
    machine.ip("link", "set", "up0", "nomaster")
    asked = machine.nucleus("doctor", "--host", option, "up0", "--state", state)
    assert asked.returncode == 0, asked.stdout


def test_join_refuses_one_interface_for_both_uplinks(machine, tmp_path, join_file):
    options = ["--state", tmp_path / "s", "--uplink", "up0", "--public-uplink", "up0"]
    problem = "--public-uplink: up0 is the --uplink already"
    asked = machine.nucleus("doctor", "--host", *options)
    assert asked.returncode == 1 and problem in asked.stdout
    refused = machine.nucleus("join", join_file, *options)
    assert refused.returncode == 1 and problem in refused.stderr
    assert "up0" in machine.links() and not (tmp_path / "s").exists()


def test_the_ports_for_hosts_are_chosen_and_kept(make_deployment, tmp_path):
    purposes = ("requests", "events", "console_hosts", "image_store")
    ports = {purpose: free_port() for purpose in purposes}
    chosen = [word for one, port in ports.items() for word in ("--port", f"{one}={port}")]
    deployment = make_deployment("--simulated", "--hosts", "1")
    deployment.nucleus("up", *deployment.options, *chosen)

    def said():
        file = yaml.safe_load((tmp_path / "h1.join").read_text())
        places = (file["bus.requests_url"], file["bus.events_url"], file["console_address"],
                  file["image_store_url"])
        return {one: int(place.rpartition(":")[2]) for one, place in zip(purposes, places)}

    deployment.nucleus("host", "add", "h1", "--file", tmp_path / "h1.join")
    assert said() == ports
    deployment.down()
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports["events"]))
        other.listen()
        refused = deployment.up(check=False)
        assert refused.returncode == 1
        assert f"port {ports['events']} of events is in use" in refused.stderr
    deployment.up()
    deployment.nucleus("host", "add", "h1", "--renew", "--file", tmp_path / "h1.join")
    assert said() == ports
    for one in ("requests", "events", "console_hosts"):
        socket.create_connection(("127.0.0.1", ports[one]), timeout=10).close()
    changed = deployment.nucleus("up", "--port", f"events={free_port()}", check=False)
    assert "already running with other options" in changed.stderr
    deployment.down()
    twice = deployment.nucleus("up", "--port", f"events={ports['requests']}", check=False)
    assert twice.returncode == 1 and "is in use" in twice.stderr


def test_a_host_of_a_head_on_every_address_is_told_one_of_them(make_deployment, tmp_path):
    deployment = make_deployment("--simulated", "--hosts", "1", "--bus-listen", "0.0.0.0")
    deployment.up()
    file = tmp_path / "h1.join"

    def add(*options):
        return deployment.nucleus("host", "add", "h1", "--file", file, *options, check=False)

    assert "--head-address says which" in add().stderr
    refused = add("--head-address", "192.0.2.7").stderr
    assert "the head's certificate is not for 192.0.2.7" in refused and not file.exists()
    assert add("--head-address", "127.0.0.1").returncode == 0
    joined = yaml.safe_load(file.read_text())
    assert joined["console_address"].startswith("127.0.0.1:")
    assert joined["image_store_url"].startswith("https://127.0.0.1:")


def test_a_hostlist_of_hosts_is_added_and_removed_at_once(shared, tmp_path):
    rights = shared.state / "rights"

    def add(*words):
        return shared.nucleus("host", "add", *words, "--directory", tmp_path, check=False)

    before = sorted(rights.iterdir())
    added = add("h[08-12],other")
    assert added.returncode == 0, added.stderr
    names = ["h08", "h09", "h10", "h11", "h12", "other"]
    files = {one: yaml.safe_load((tmp_path / f"{one}.join").read_text()) for one in names}
    assert [files[one]["host_id"] for one in names] == names
    assert len({file["bus.secret_key"] for file in files.values()}) == len(names)
    assert all((tmp_path / f"{one}.join").stat().st_mode & 0o077 == 0 for one in names)
    granted = sorted(rights.iterdir())
    assert len(granted) == len(before) + len(names)
    refused = add("h[10-14]")
    assert refused.returncode == 1 and "hosts h[10-12] have a key: --renew" in refused.stderr
    refused = shared.nucleus("host", "add", "n[1-2]", "--file", tmp_path / "n", check=False)
    assert refused.returncode == 2 and "--directory" in refused.stderr
    assert sorted(rights.iterdir()) == granted and len(list(tmp_path.iterdir())) == len(names)
    renewed = add("h[12-13]", "--renew", "--revoke-old")
    assert renewed.returncode == 0, renewed.stderr
    assert len(list(rights.iterdir())) == len(granted) + 1
    assert yaml.safe_load((tmp_path / "h12.join").read_text()) != files["h12"]
    removed = shared.nucleus("host", "remove", "h[08-14],other", check=False)
    assert removed.returncode == 1 and "no such host: h14" in removed.stderr
    assert "hosts h[08-13],other are removed" in removed.stdout
    assert sorted(rights.iterdir()) == before


SEND = """
import socket, sys
opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
opened.bind((sys.argv[1], 0))
opened.send(bytes.fromhex(sys.argv[2]))
"""


def send(namespace, port, tag, mark):
    """A broadcast of a protocol for experiments, with a tag unless that is 0."""
    tagged = b"\x81\x00" + tag.to_bytes(2, "big") if tag else b""
    frame = b"\xff" * 6 + bytes.fromhex("525400000099") + tagged + b"\x88\xb5" + mark.ljust(46)
    run("ip", "netns", "exec", namespace, sys.executable, "-c", SEND, port, frame.hex())


def tag_of(frame):
    return int.from_bytes(frame[14:16], "big") & 0xfff if frame[12:14] == b"\x81\x00" else 0


def test_the_uplink_of_a_joined_machine_carries_tagged_frames(machine, tmp_path):
    machine.connect(f"tj{os.getpid()}"[:14], HEAD, MACHINE)
    file = tmp_path / "h1.join"
    with a_deployment("--simulated", "--hosts", "1", "--bus-listen", HEAD) as deployment:
        state = deployment.state / "h1"
        deployment.nucleus("host", "add", "h1", "--file", file)
        try:
            joined = machine.nucleus("join", file, "--state", state, "--uplink", "up0")
            assert joined.returncode == 0, joined.stderr
            assert "up0" not in machine.links()
            carries_frames_of_a_vlan(machine, Host.joined(state))
        finally:
            assert machine.nucleus("down", "--state", state).returncode == 0


def carries_frames_of_a_vlan(machine, host):
    """A port of the switch in VLAN 123 sends and receives over the uplink with that tag."""
    wait_until(lambda: host.bridge in host.switch("list-br").split(), "the switch")
    host.switch("add-port", host.bridge, "probe0", "tag=123", "--", "set", "interface", "probe0",
                "type=internal")
    wait_until(lambda: "probe0" in run("ip", "-n", host.namespace, "link"), "the port")
    run("ip", "-n", host.namespace, "link", "set", "probe0", "up")

    def arrives(sniffer, port, mark, *sender):
        send(*sender, mark)
        return port in sniffer.ports_of("in", mark)

    with Sniffer(machine.name, ["far0"]) as outside, Sniffer(host.namespace, ["probe0"]) as inside:
        # The switch's rules for a new port take up to 2 s.
        wait_until(lambda: arrives(outside, "far0", b"outwards", host.namespace, "probe0", 0),
                   "a frame on the uplink")
        assert {tag_of(frame) for _, way, frame in outside.frames if way == "in"} == {123}
        send(machine.name, "far0", 124, b"of another VLAN")
        wait_until(lambda: arrives(inside, "probe0", b"inwards", machine.name, "far0", 123),
                   "a frame of the VLAN")
        assert not inside.ports_of("in", b"of another VLAN")
