"""Clusters to which Nucleus gives addresses: nodes on two hosts get theirs by DHCP alone, and find
their peers by name; each cluster is answered for itself, whatever is killed and whatever its nodes
send."""
import contextlib
import os
import pathlib
import re
import signal

import pytest

from comet import run_comet
from conftest import Machines, a_deployment, wait_until
from console import Guest
from machines import CMDLINE, Host, run
from pxe_site import add_archive
from rack import host_states, provisioner, state_of
from sender import arp_claim, datagram, make_sender
from sniffer import Sniffer

NAME_SERVER = "10.0.0.254"

# The guest takes nothing from its seed drive.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
for card in /sys/class/net/eth*; do
  ip link set "${card##*/}" up
  udhcpc -i "${card##*/}" -b -s /leased > /dev/null 2>&1 &
done
exec init
"""
LEASED = """#!/bin/busybox sh
echo "$1 $ip/$mask at $interface from $serverid" >> /dhcp.log
[ "$1" = bound ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/$mask" dev "$interface"
hostname "$hostname"
printf 'search %s\\nnameserver %s\\n' "$domain" "$dns" > /etc/resolv.conf
"""

# Where the nodes of both clusters are.
HOSTS = {"left": {"vm-left-00": "rack-1", "vm-left-01": "rack-2", "vm-left-02": "rack-1"},
         "right": {"vm-right-00": "rack-1"}}


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("addresses")
    tree = folder / "tree"
    tree.mkdir()
    for name, text in (("init", INIT), ("leased", LEASED)):
        (tree / name).write_text(text)
        (tree / name).chmod(0o755)
    make_sender(tree / "send_frame")
    image = folder / "initramfs"
    image.write_bytes(add_archive(tree, tiny_guest / "initramfs"))
    with a_deployment("--rack", "2") as deployment:
        site = Machines(deployment, tiny_guest)
        site.folder = folder
        deployment.nucleus("image", "import", "dhcp", "--kernel", tiny_guest / "vmlinuz",
                           "--initramfs", image, "--cmdline", CMDLINE)
        for cluster, nodes in HOSTS.items():
            create(site, cluster, len(nodes), "--addresses", "nucleus")
            start(site, cluster, nodes)
        for cluster in HOSTS:
            site.rest.wait_state(cluster, "active", list(HOSTS[cluster]))
        yield site


def create(site, cluster, computes, *options):
    site.deployment.nucleus("cluster", "create", cluster, "--computes", str(computes),
                            "--memory-mb", "128", "--image", "dhcp", *options)


def start(site, cluster, nodes):
    site.rest.start(cluster, computes=[{"name": name, "host": host}
                                       for name, host in nodes.items()])


@pytest.fixture(name="guests", scope="module")
def guests_fixture(site):
    with contextlib.ExitStack() as opened:
        guests = {node: opened.enter_context(Guest(site.rest, cluster, node))
                  for cluster, nodes in HOSTS.items() for node in nodes}
        for node, guest in guests.items():
            wait_until(lambda guest=guest: has_lease(guest), f"the lease of {node}")
        yield guests


@pytest.fixture(name="comet", scope="module")
def comet_fixture(site):
    env = {name: site.env[name] for name in ("NUCLEUS_URL", "NUCLEUS_TOKEN")}
    return lambda *words: run_comet(site.folder / "home", env, *words)


def has_lease(guest):
    return "bound" in guest.ask("cat /dhcp.log")[1]


def card_of(site, cluster, node):
    [port] = site.rest.v2_nodes(cluster)[node]["ports"]
    return port


def host(site, name):
    return Host.joined(state_of(site, name))


def service_ports(site, name):
    """VLAN by port of the switch that answers DHCP and DNS."""
    return {port: vlan for port, vlan in host(site, name).ports().items() if "-s" in port}


def servers(site, name):
    """The pids of dnsmasq on a host, by VLAN. Each has the directory of its files at /run."""
    own = "/".join((state_of(site, name) / "provisioner/addresses").parts[-5:])
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if not (folder / "cmdline").read_bytes().startswith(b"dnsmasq\0"):
                continue
            mounts = (folder / "mountinfo").read_text()
            if where := re.search(rf"{re.escape(own)}/(\d+) /run ", mounts):
                assert int(where[1]) not in found, "it is served twice"
                found[int(where[1])] = int(folder.name)
    return found


def lease_again(guest):
    """From whom the guest's card gets which address, now."""
    words = guest.run("udhcpc -i eth0 -n -q -f -t 20 -T 1 -s /leased 2>&1; tail -n 1 /dhcp.log", 60)
    return re.search(r"bound (\S+) at eth0 from (\S+)", words).groups()


def test_a_node_gets_its_address_its_name_and_its_name_server(site, guests):
    for cluster, nodes in HOSTS.items():
        for node in nodes:
            port = card_of(site, cluster, node)
            assert port["name_server"] == NAME_SERVER
            shown = guests[node].run("ip -4 -o address show dev eth0; hostname; ip route")
            assert f"inet {port['ip']}/24" in shown
            assert node in shown.splitlines()
            assert "default" not in shown, "there is no router"


def test_nodes_on_two_hosts_find_each_other_by_name(guests):
    for node, peer in (("vm-left-00", "vm-left-01"), ("vm-left-01", "vm-left-00")):
        guests[node].run(f"ping -c 2 -W 20 {peer}")
        guests[node].run(f"ping -c 2 -W 20 {peer}.left")
        assert "NXDOMAIN" in guests[node].ask("nslookup vm-left-77.left")[1]
        code, answer = guests[node].ask("nslookup example.org")
        assert code != 0 and "REFUSED" in answer, "it asks no other server"


def test_a_node_that_is_added_is_known_by_its_name_on_both_hosts(site, guests):
    size = {"cpus": 1, "memory_mb": 128, "disk_gb": 1}
    image = site.rest.v2_nodes("left")["vm-left-00"]["image_id"]
    site.rest.command("POST", "/v2/clusters/left/nodes",
                      json={"count": 1, "size": size, "image_id": image})
    for node in ("vm-left-00", "vm-left-01"):
        wait_until(lambda node=node: guests[node].ask("nslookup vm-left-03")[0] == 0,
                   f"{node} knows it")


def test_clusters_with_the_same_addresses_get_their_own_answers(site, guests):
    assert card_of(site, "left", "vm-left-00")["ip"] == card_of(site, "right", "vm-right-00")["ip"]
    guests["vm-right-00"].run("nslookup vm-right-00")
    for node, stranger in (("vm-right-00", "vm-left-00"), ("vm-left-00", "vm-right-00")):
        assert guests[node].ask(f"nslookup {stranger}")[0] != 0
    vlans = {cluster: card_of(site, cluster, f"vm-{cluster}-00")["vlan"] for cluster in HOSTS}
    assert sorted(service_ports(site, "rack-1").values()) == sorted(vlans.values())
    assert list(service_ports(site, "rack-2").values()) == [vlans["left"]]


def test_no_frame_of_the_service_crosses_the_uplink(site, guests):
    vlan = card_of(site, "left", "vm-left-00")["vlan"]
    mac = bytes.fromhex(f"024e5300{vlan:04x}")
    with Sniffer(host(site, "rack-1").namespace, ["uplink0"]) as sniffer:
        assert lease_again(guests["vm-left-00"])[1] == NAME_SERVER
        guests["vm-left-00"].run("ip neigh flush dev eth0; nslookup vm-left-01; ping -c 1 -W 9 "
                                 "vm-left-01")
        own = bytes.fromhex(card_of(site, "left", "vm-left-00")["mac"].replace(":", ""))
        sniffer.wait("uplink0", "out", own)
        assert not sniffer.ports_of("out", mac) and not sniffer.ports_of("in", mac)
        assert not sniffer.ports_of("out", b"\x00\x44\x00\x43"), "no DHCP request"


def test_killed_processes_are_started_again_and_known(site, guests):
    vlan = card_of(site, "left", "vm-left-00")["vlan"]
    before = servers(site, "rack-1")
    os.kill(provisioner(site, "rack-1"), signal.SIGKILL)
    wait_until(lambda: host_states(site)["rack-1"] == "up", "the next provisioner", 60)
    assert servers(site, "rack-1") == before
    os.kill(before[vlan], signal.SIGKILL)
    wait_until(lambda: servers(site, "rack-1").get(vlan, before[vlan]) != before[vlan],
               "another dnsmasq", 60)
    assert lease_again(guests["vm-left-00"]) == (f"{card_of(site, 'left', 'vm-left-00')['ip']}/24",
                                                 NAME_SERVER)
    other = card_of(site, "right", "vm-right-00")["vlan"]
    assert servers(site, "rack-1")[other] == before[other], "it was not started again"
    guests["vm-left-00"].run("nslookup vm-left-01")
    wait_until(lambda: set(host_isolation(site).values()) == {"verified"}, "isolation", 60)


def host_isolation(site):
    return {one["host_id"]: one["isolation"] for one in site.operator.get("/v2/hosts")["hosts"]}


def test_a_node_that_answers_dhcp_reaches_no_neighbour(site, guests):
    rogue, victim = guests["vm-left-02"], guests["vm-left-00"]
    taps = {node: host(site, "rack-1").taps_by_mac()[card_of(site, "left", node)["mac"]]
            for node in ("vm-left-02", "vm-left-00")}
    rogue.run("printf 'interface eth0\\nstart 10.0.0.100\\nend 10.0.0.110\\n"
              "lease_file /leases\\n' > /udhcpd.conf; touch /leases; udhcpd /udhcpd.conf")
    with Sniffer(host(site, "rack-1").namespace, list(taps.values())) as sniffer:
        assert lease_again(victim) == (f"{card_of(site, 'left', 'vm-left-00')['ip']}/24",
                                       NAME_SERVER)
        # What looks like an offer, and a claim of the service's address; then datagrams that must
        # arrive: the switch keeps the order.
        own = (card_of(site, "left", "vm-left-02")["mac"],
               card_of(site, "left", "vm-left-02")["ip"])
        claim = arp_claim(own[0], NAME_SERVER)
        for frame in (datagram(own, (67, 68), b"rogue-offer"), claim,
                      datagram((own[0], NAME_SERVER), (53, 53), b"rogue-answer"),
                      datagram(own, (7, 7), b"honest-words")):
            rogue.run(f"/send_frame $(cat /sys/class/net/eth0/ifindex) {frame.hex()} 3")
        victim_tap = taps["vm-left-00"]
        sniffer.wait(victim_tap, "out", b"honest-words")
        for payload in (b"rogue-offer", b"rogue-answer", claim[:42]):
            assert sniffer.ports_of("in", payload) == {taps["vm-left-02"]}
            assert not sniffer.ports_of("out", payload)
    victim.run("nslookup vm-left-01")
    vlan = card_of(site, "left", "vm-left-00")["vlan"]
    assert f"02:4e:53:00:{vlan >> 8:02x}:{vlan & 255:02x}" in victim.run("ip neigh show 10.0.0.254")


def test_a_wrong_tag_of_the_service_is_found_and_its_port_closed(site):
    [port] = service_ports(site, "rack-2")
    vlan = service_ports(site, "rack-2")[port]
    host(site, "rack-2").switch("set", "port", port, "tag=7")
    wait_until(lambda: host_isolation(site)["rack-2"] == "broken", "the fault", 60)
    host(site, "rack-2").switch("set", "port", port, f"tag={vlan}")
    wait_until(lambda: host_isolation(site)["rack-2"] == "verified", "it is right again", 60)


def test_the_mode_of_a_cluster_is_changed_and_shown(site, comet):
    create(site, "later", 1)
    assert site.rest.get("/v2/clusters/later")["address_mode"] == "frontend"
    assert "Nucleus answers" not in comet("network", "later")
    assert "Nucleus answers DHCP and DNS" in comet("network", "later", "--addresses=nucleus")
    shown = f"Nucleus answers DHCP and DNS at {NAME_SERVER}"
    wait_until(lambda: shown in comet("network", "later"), "the name server")
    start(site, "later", {"vm-later-00": "rack-2"})
    site.rest.wait_state("later", "active", ["vm-later-00"])
    with Guest(site.rest, "later", "vm-later-00") as guest:
        wait_until(lambda: has_lease(guest), "its lease")
        guest.run("nslookup later")
    assert "boots_from_network" in comet("node", "info", "later", "vm-later-00")
    refused = site.rest.ask("PATCH", "/v2/clusters/later", json={"address_mode": "none"})
    assert (refused.status_code, refused.json()["field"]) == (400, "address_mode")


def test_nothing_is_left_of_a_cluster_whose_nodes_are_off_nor_of_a_deployment(site):
    for cluster in ("right", "later"):
        for node in site.rest.v2_nodes(cluster):
            if node != cluster:
                site.rest.power(cluster, "poweroff", node)
    vlan = card_of(site, "left", "vm-left-00")["vlan"]
    for name in ("rack-1", "rack-2"):
        wait_until(lambda name=name: list(service_ports(site, name).values()) == [vlan]
                   and list(servers(site, name)) == [vlan], "only what is needed")
    namespaces = {host(site, name).namespace for name in ("rack-1", "rack-2")}
    pids = [pid for name in ("rack-1", "rack-2") for pid in servers(site, name).values()]
    site.deployment.down()
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids), "their end")
    assert not namespaces & set(run("ip", "netns", "list").split())
    site.deployment.up()
