"""Two clusters with the same addresses on one switch: no packet crosses between them."""
import os
import socket

import pytest

from console import Guest
from machines import run
from sniffer import Sniffer


@pytest.fixture(scope="module", name="guests")
def guests_fixture(machines):
    """A shell in each of the four nodes."""
    opened = {}
    try:
        for cluster in ("left", "right"):
            for node in (cluster, f"vm-{cluster}-00"):
                opened[node] = Guest(machines.rest, cluster, node)
        yield opened
    finally:
        for guest in opened.values():
            guest.__exit__()


def private_taps(machines, cluster):
    """The tap of each node's private port, by node."""
    taps = machines.host.taps_by_mac()
    return {name: taps[next(port["mac"] for port in node["ports"] if not port["is_public"])]
            for name, node in machines.rest.v2_nodes(cluster).items()}


def card_of(guest, address="10.0.0."):
    """The guest's interface with this address."""
    shown = guest.run(f"ip -o -4 address | grep ' {address}'")
    return shown.split()[1]


def test_both_clusters_have_the_same_addresses_and_no_vlan_in_common(machines):
    addresses, vlans = [], []
    for cluster in ("left", "right"):
        ports = [port for node in machines.rest.v2_nodes(cluster).values() for port in node["ports"]
                 if not port["is_public"]]
        addresses.append(sorted((port["ip"], port["prefix_length"]) for port in ports))
        vlans.append({port["vlan"] for port in ports})
    assert addresses[0] == addresses[1] == [("10.0.0.1", 24), ("10.0.0.2", 24)]
    assert len(vlans[0]) == len(vlans[1]) == 1 and vlans[0] != vlans[1]


def test_each_port_of_the_switch_has_its_clusters_vlan_and_no_other(machines):
    tags = machines.host.ports()
    for cluster in ("left", "right"):
        for name, node in machines.rest.v2_nodes(cluster).items():
            for port in node["ports"]:
                tap = machines.host.taps_by_mac()[port["mac"]]
                assert tags[tap] == port["vlan"], name
                trunks = machines.host.switch("get", "port", tap, "trunks", "vlan_mode")
                assert trunks.split() in (["[]", "[]"], ["[]", "access"]), name


@pytest.mark.parametrize("cluster", ["left", "right"])
def test_nodes_of_one_cluster_reach_each_other(guests, cluster):
    guests[cluster].run("ping -c 3 -W 20 10.0.0.2")
    guests[f"vm-{cluster}-00"].run("ping -c 3 -W 20 10.0.0.1")


def test_an_address_resolves_to_the_clusters_own_node(machines, guests):
    for cluster in ("left", "right"):
        guest = guests[f"vm-{cluster}-00"]
        guest.run("ip neigh flush dev eth0; ping -c 1 -W 20 10.0.0.1")
        mac = next(port["mac"] for port in machines.rest.v2_nodes(cluster)[cluster]["ports"]
                   if not port["is_public"])
        assert mac in guest.run("ip neigh show 10.0.0.1")


def test_an_address_of_the_other_cluster_does_not_answer(guests):
    for cluster, address in (("left", "10.0.0.77"), ("right", "10.0.0.88")):
        guest = guests[f"vm-{cluster}-00"]
        guest.run(f"ip address add {address}/24 dev {card_of(guest)}")
    guests["left"].run("ping -c 2 -W 20 10.0.0.77")
    guests["right"].run("ping -c 2 -W 20 10.0.0.88")
    for asker, address in (("left", "10.0.0.88"), ("right", "10.0.0.77")):
        code, output = guests[asker].ask(f"ping -c 3 -W 2 {address}")
        assert code == 1 and "100% packet loss" in output, output


def test_a_broadcast_reaches_exactly_the_ports_of_its_cluster(machines, guests):
    taps = {cluster: private_taps(machines, cluster) for cluster in ("left", "right")}
    every = [tap for of_cluster in taps.values() for tap in of_cluster.values()]
    with Sniffer(machines.host.namespace, every) as sniffer:
        for cluster, last in (("left", 201), ("right", 202), ("left", 203)):
            # An ARP request without an answer is broadcast.
            guest = guests[cluster]
            guest.ask(f"arping -c 2 -w 3 -I {card_of(guest)} 10.0.0.{last}")
            sniffer.wait(taps[cluster][f"vm-{cluster}-00"], "out",
                         socket.inet_aton(f"10.0.0.{last}"))
        # The switch keeps the order, so an earlier frame would have arrived before a later one.
        for cluster, last in (("left", 201), ("right", 202), ("left", 203)):
            asked = socket.inet_aton(f"10.0.0.{last}")
            assert sniffer.ports_of("in", asked) == {taps[cluster][cluster]}
            assert sniffer.ports_of("out", asked) == {taps[cluster][f"vm-{cluster}-00"]}


def test_no_frame_of_one_cluster_appears_at_the_others_ports(machines, guests):
    taps = {cluster: private_taps(machines, cluster) for cluster in ("left", "right")}
    macs = {cluster: [bytes.fromhex(port["mac"].replace(":", ""))
                      for node in machines.rest.v2_nodes(cluster).values() for port in node["ports"]
                      if not port["is_public"]] for cluster in ("left", "right")}
    every = [tap for of_cluster in taps.values() for tap in of_cluster.values()]
    with Sniffer(machines.host.namespace, every) as sniffer:
        for cluster in ("left", "right"):
            guests[cluster].run("ping -c 3 -W 20 10.0.0.2")
        for cluster, other in (("left", "right"), ("right", "left")):
            for mac in macs[cluster]:
                assert sniffer.ports_of("out", mac) == set(taps[cluster].values())
                assert not sniffer.ports_of("in", mac) & set(taps[other].values())


def test_a_frame_that_a_guest_tags_itself_is_dropped_by_the_switch(machines):
    """Traces a frame with the other cluster's tag through the switch."""
    env = {**os.environ, "OVS_RUNDIR": machines.host.switch_folder}
    control = f"{machines.host.switch_folder}/vswitchd.ctl"
    taps = {cluster: private_taps(machines, cluster)[cluster] for cluster in ("left", "right")}
    tags = machines.host.ports()

    def trace(cluster, tag):
        tagged = f",vlan_tci={0x1000 | tag:#06x}" if tag else ""
        output = run("ovs-appctl", "-t", control, "ofproto/trace", machines.host.bridge,
                   f"in_port={taps[cluster]},dl_src=52:54:00:00:00:99,dl_dst=ff:ff:ff:ff:ff:ff"
                   + tagged, env=env)
        return output.strip().splitlines()[-1]

    for cluster, other in (("left", "right"), ("right", "left")):
        assert trace(cluster, 0) != "Datapath actions: drop"
        for tag in (tags[taps[other]], tags[taps[cluster]]):
            assert trace(cluster, tag) == "Datapath actions: drop"
