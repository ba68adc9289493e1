"""Two joined hosts with an uplink for the clusters and another one for the public network: h1 with
a switch of its own, h2 with the machine's. A namespace is the network between them: its bridge
`trunk` connects the uplinks, and its bridge `world` the public ones. The latter has the address of
the public network's gateway, and is the world outside."""
import json
import os
import pathlib
import shutil
import signal
import socket
import tempfile

import pytest

from conftest import Machines, a_deployment, pids_in, start_time, wait_until
from console import Guest
from machines import Host, run
from rack import hosts_of
from sniffer import Sniffer
from test_joining import Machine, send, tag_of
from test_own_services import OwnServices

GATEWAY, PUBLIC_VLAN = "172.30.0.1", 3000
UPLINKS = ["--uplink", "up0", "--public-uplink", "pub0"]
TRUNKS, PUBLICS = ["trunk1", "trunk2"], ["world1", "world2"]


class Site:
    """The network, and a state directory for each of the two machines."""

    def __init__(self):
        self.between = Machine(f"tst-net-{os.getpid()}")
        self.machines = {"h1": Machine(f"tst-pub-{os.getpid()}"), "h2": OwnServices("tst-pown")}
        self.states = {name: pathlib.Path(tempfile.mkdtemp(prefix=f"nuc-{name}-"))
                       for name in self.machines}
        self.options = {"h1": UPLINKS,
                        "h2": [*UPLINKS, "--ovs", str(self.machines["h2"].ovs)]}
        self.foreign = None
        self.rack = None
        self.guests = {}

    def start(self):
        for machine in (self.between, self.machines["h1"]):
            run("ip", "netns", "add", machine.name)
        self.machines["h1"].connect(f"tp{os.getpid()}"[:14], "198.18.94.1", "198.18.94.2")
        self.machines["h2"].start(f"to{os.getpid()}"[:14])
        self.machines["h2"].ip("link", "del", "up0")
        self.foreign = self.machines["h2"].foreign()
        for bridge in ("trunk", "world"):
            self.between.ip("link", "add", bridge, "type", "bridge")
            # One after the other: with both at once, the kernel sends IPv6 of its own.
            self.between.ip("link", "set", bridge, "addrgenmode", "none")
            self.between.ip("link", "set", bridge, "up")
        self.between.ip("address", "add", f"{GATEWAY}/20", "dev", "world")
        for number, machine in enumerate(self.machines.values(), 1):
            for port, bridge in (("up0", "trunk"), ("pub0", "world")):
                far = f"{bridge}{number}"
                self.between.ip("link", "add", far, "mtu", "1600", "type", "veth", "peer", "name",
                                port, "mtu", "1600", "netns", machine.name)
                self.between.ip("link", "set", far, "addrgenmode", "none", "master", bridge)
                self.between.ip("link", "set", far, "up")
                machine.ip("link", "set", port, "up")

    def boot(self):
        """The clusters `left` and `right`: frontends on h1 and h2, their computes on the other."""
        nucleus, rest = self.rack.deployment.nucleus, self.rack.rest
        nucleus("host", "drain", "rack-1")
        for cluster in ("left", "right"):
            self.rack.create(cluster, 1)
        for name, other, frontend, compute in (("h1", "h2", "left", "right"),
                                               ("h2", "h1", "right", "left")):
            nucleus("host", "resume", name)
            nucleus("host", "drain", other)
            rest.power(frontend, "poweron")
            rest.start(compute, count=1)
            rest.wait_state(frontend, "active", [frontend])
            rest.wait_state(compute, "active", [f"vm-{compute}-00"])
            assert hosts_of(self.rack, frontend)[frontend] == name
            assert hosts_of(self.rack, compute)[f"vm-{compute}-00"] == name

    def nucleus(self, name, command, *words):
        return self.machines[name].nucleus(command, *words, "--state", self.states[name])

    def host(self, name):
        """How to look at the host; h2 has its taps and switch where the machine has them."""
        host = Host.joined(self.states[name])
        if name == "h2":
            host.namespace = self.machines["h2"].name
            host.switch_folder = str(self.machines["h2"].ovs)
        return host

    def sniffer(self):
        return Sniffer(self.between.name, TRUNKS + PUBLICS)

    def public(self, cluster):
        """The public port of the frontend."""
        return self.rack.rest.v2_nodes(cluster)[cluster]["ports"][0]

    def public_tap(self, cluster):
        """(host, tap) of that port."""
        host = self.host(hosts_of(self.rack, cluster)[cluster])
        return host, host.taps_by_mac()[self.public(cluster)["mac"]]

    def remove(self):
        for guest in self.guests.values():
            guest.__exit__()
        for name, state in self.states.items():
            if (state / "host.yaml").exists():
                self.nucleus(name, "down")
            shutil.rmtree(state)
        self.machines["h2"].remove()
        for machine in (self.machines["h1"], self.between):
            run("ip", "netns", "del", machine.name, check=False)


@pytest.fixture(scope="module", name="site")
def site_fixture(tiny_guest, tmp_path_factory):
    """With the clusters `left` and `right`, each a frontend and a compute on different hosts."""
    site, folder = Site(), tmp_path_factory.mktemp("files")
    try:
        site.start()
        with a_deployment("--rack", "1",
                          settings={"NUCLEUS_NETWORK_PUBLIC_VLAN": PUBLIC_VLAN}) as deployment:
            site.rack = Machines(deployment, tiny_guest)
            for name, options in site.options.items():
                deployment.nucleus("host", "add", name, "--file", folder / name)
                asked = site.nucleus(name, "doctor", "--host", *options)
                assert asked.returncode == 0, asked.stdout
                joined = site.nucleus(name, "join", folder / name, *options)
                assert joined.returncode == 0, joined.stderr
            try:
                site.boot()
                for cluster in ("left", "right"):
                    site.guests[cluster] = Guest(site.rack.rest, cluster, cluster)
                yield site
            finally:
                for guest in site.guests.values():
                    guest.__exit__()
                site.guests = {}
                for name in site.options:
                    site.nucleus(name, "down")
    finally:
        site.remove()


def frames_of(sniffer, length):
    """(port, tag) of the frames with a packet of this length."""
    with sniffer.news:
        return {(port, tag_of(frame)) for port, _, frame in sniffer.frames
                if len(frame) - (4 if tag_of(frame) else 0) == 14 + length}


def echo(size):
    """The length of a ping's packet."""
    return 20 + 8 + size


def test_the_kernel_of_a_host_sends_nothing_of_its_own(site):
    """The uplinks were up before the host joined, with an address of the kernel's IPv6."""
    for name in site.machines:
        for port in ("up0", "pub0"):
            [link] = json.loads(run("ip", "-n", site.host(name).namespace, "-json", "address",
                                    "show", "dev", port))
            assert (link["operstate"], link["addr_info"]) == ("UP", [])


def test_a_frontend_reaches_the_world_untagged_through_the_public_uplink(site):
    for cluster in ("left", "right"):
        assert site.public(cluster)["vlan"] == PUBLIC_VLAN
        host, tap = site.public_tap(cluster)
        assert host.ports()[tap] == host.ports()["pub0"] == 1
    with site.sniffer() as sniffer:
        for cluster, size in (("left", 333), ("right", 334)):
            site.guests[cluster].run(f"ping -c 2 -W 20 -s {size} {GATEWAY}")
            own = f"world{hosts_of(site.rack, cluster)[cluster].removeprefix('h')}"
            assert frames_of(sniffer, echo(size)) == {(own, 0)}


def test_the_frontends_of_two_hosts_reach_each_other(site):
    for cluster, other in (("left", "right"), ("right", "left")):
        site.guests[cluster].run(f"ping -c 2 -W 20 {site.public(other)['ip']}")


def test_each_uplink_carries_its_own_networks_alone(site):
    vlans = {cluster: site.rack.rest.v2_nodes(cluster)[cluster]["ports"][1]["vlan"]
             for cluster in ("left", "right")}
    with site.sniffer() as sniffer:
        for cluster, size in (("left", 444), ("right", 445)):
            site.guests[cluster].run(f"ping -c 2 -W 20 -s {size} 10.0.0.2")
            site.guests[cluster].run(f"ping -c 2 -W 20 -s {size + 100} {GATEWAY}")
            assert frames_of(sniffer, echo(size)) == {(port, vlans[cluster]) for port in TRUNKS}
        with sniffer.news:
            strays = [(port, way, frame.hex()) for port, way, frame in sniffer.frames
                      if tag_of(frame) not in (vlans.values() if port in TRUNKS else [0])]
    assert not strays


def test_a_broadcast_is_seen_once(site):
    """A loop would repeat it: what follows the broadcast on the same way is seen after that."""
    mark = b"from outside"
    taps = {cluster: site.public_tap(cluster) for cluster in ("left", "right")}
    with site.sniffer() as sniffer, \
            Sniffer(taps["left"][0].namespace, [taps["left"][1]]) as left, \
            Sniffer(taps["right"][0].namespace, [taps["right"][1]]) as right:
        send(site.between.name, "world", 0, mark)
        for sniffed, cluster in ((left, "left"), (right, "right")):
            sniffed.wait(taps[cluster][1], "out", mark)
            site.guests[cluster].run(f"ping -c 2 -W 20 {GATEWAY}")
            assert sum(mark in frame for _, _, frame in sniffed.frames) == 1
        assert sorted((port, way) for port, way, frame in sniffer.frames if mark in frame) == \
            [(port, "out") for port in PUBLICS]
        # An ARP request without an answer.
        card = site.guests["left"].run(f"ip -o -4 address | grep {site.public('left')['ip']}")
        asked = socket.inet_aton("172.30.15.201")
        site.guests["left"].ask(f"arping -c 1 -w 1 -I {card.split()[1]} 172.30.15.201")
        site.guests["left"].run(f"ping -c 2 -W 20 {GATEWAY}")
        with sniffer.news:
            requests = sorted(way for _, way, frame in sniffer.frames if asked in frame)
        assert requests == ["in", "out"], "in from one host, out to the other"


def test_a_public_vlan_enters_by_the_public_uplink_alone(site):
    host, tap = site.public_tap("left")
    number = hosts_of(site.rack, "left")["left"].removeprefix("h")
    with Sniffer(host.namespace, [tap]) as sniffer:
        for tag in (0, 1, PUBLIC_VLAN):
            send(site.between.name, f"trunk{number}", tag, b"by the trunk")
        for tag in (1, PUBLIC_VLAN, 100):
            send(site.between.name, f"world{number}", tag, b"with a tag")
        send(site.between.name, f"world{number}", 0, b"untagged")
        sniffer.wait(tap, "out", b"untagged")
        site.guests["left"].run(f"ping -c 2 -W 20 {GATEWAY}")
        for mark in (b"by the trunk", b"with a tag"):
            assert not sniffer.ports_of("out", mark), mark


def test_a_frontend_sends_outside_from_its_own_address_alone(site):
    card = site.guests["left"].run(
        f"ip -o -4 address | grep {site.public('left')['ip']}").split()[1]
    with site.sniffer() as sniffer:
        site.guests["left"].run(f"ip address add 172.30.15.99/32 dev {card}")
        code, output = site.guests["left"].ask(f"ping -c 1 -W 1 -I 172.30.15.99 {GATEWAY}")
        assert code == 1 and "100% packet loss" in output, output
        site.guests["left"].run(f"ip address del 172.30.15.99/32 dev {card}")
        site.guests["left"].run(f"ping -c 2 -W 20 {GATEWAY}")
        assert not sniffer.ports_of("in", socket.inet_aton("172.30.15.99"))


def test_a_restart_of_the_switch_keeps_the_uplinks(site):
    host = site.host("h1")
    ports = host.ports()
    pid = pids_in(site.states["h1"])["vswitchd"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: start_time(pid) is None, "the end of the switch")
    with site.sniffer() as sniffer:
        for cluster in ("left", "right"):
            wait_until(lambda: site.guests[cluster].ask(f"ping -c 1 -W 1 {GATEWAY}")[0] == 0,
                       "the public network", 60)
            wait_until(lambda: site.guests[cluster].ask("ping -c 1 -W 1 10.0.0.2")[0] == 0,
                       "the cluster's network", 60)
        with sniffer.news:
            tags = {tag_of(frame) for port, _, frame in sniffer.frames if port in PUBLICS}
    assert tags == {0}
    assert host.ports() == ports and "pub0" in ports


def test_another_public_uplink_needs_the_host_to_be_down(site, tmp_path):
    site.rack.deployment.nucleus("host", "add", "h1", "--renew", "--file", tmp_path / "h1.join")
    refused = site.nucleus("h1", "join", tmp_path / "h1.join", "--public-uplink", "pub1")
    assert refused.returncode == 1 and "already joined with another uplink" in refused.stderr


def test_down_leaves_the_machines_switch_as_it_was(site):
    own = site.machines["h2"]
    down = site.nucleus("h2", "down")
    assert down.returncode == 0, down.stderr
    assert own.vsctl("list-br").split() == ["br-foreign"]
    assert own.foreign() == site.foreign
    assert all(port in own.links() for port in ("up0", "pub0"))
