"""Two clusters with the same addresses on one switch: no packet crosses between them."""
import os
import socket

import pytest

from conftest import wait_until
from console import Guest
from kills import Killer
from machines import TIMEOUT_S, run
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

    macs = {cluster: next(port["mac"] for port in machines.rest.v2_nodes(cluster)[cluster]["ports"]
                          if not port["is_public"]) for cluster in ("left", "right")}

    def trace(cluster, tag, mac=None):
        tagged = f",vlan_tci={0x1000 | tag:#06x}" if tag else ""
        output = run("ovs-appctl", "-t", control, "ofproto/trace", machines.host.bridge,
                     f"in_port={taps[cluster]},dl_src={mac or macs[cluster]}"
                     f",dl_dst=ff:ff:ff:ff:ff:ff{tagged}", env=env)
        return output.strip().splitlines()[-1]

    for cluster, other in (("left", "right"), ("right", "left")):
        assert trace(cluster, 0) != "Datapath actions: drop"
        for tag in (tags[taps[other]], tags[taps[cluster]]):
            assert trace(cluster, tag) == "Datapath actions: drop"
        for mac in (macs[other], "52:54:00:00:00:99"):
            assert trace(cluster, 0, mac) == "Datapath actions: drop", "not its own MAC"


# What a frontend may send into the segment that it shares with other tenants. `ours` and `theirs`
# are ports of two tenants; each frame is traced through the switch, so that nothing is awaited.
BROADCAST, ROUTERS = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"


def link_local(mac):
    octets = [int(octet, 16) for octet in mac.split(":")]
    octets[0] ^= 2
    return "fe80::{:x}:{:x}:{:x}:{:x}".format(
        octets[0] << 8 | octets[1], octets[2] << 8 | 0xff, 0xfe00 | octets[3],
        octets[4] << 8 | octets[5])


def frames(ours, theirs, gateway):
    """(what, frame, whether it passes), as ofproto/trace has them."""
    mac, ip, local = ours["mac"], ours["ip"], link_local(ours["mac"])
    other, victim, other_local = theirs["mac"], theirs["ip"], link_local(theirs["mac"])
    arp = f"arp,dl_dst={BROADCAST},arp_op=2"
    ndp = f"icmp6,dl_src={mac},dl_dst={ROUTERS},nw_ttl=255,ipv6_src={local},ipv6_dst=ff02::1"
    udp = f"udp,dl_src={mac},dl_dst={BROADCAST},nw_dst=255.255.255.255"
    udp6 = f"udp6,dl_src={mac},dl_dst={ROUTERS},ipv6_src={local},ipv6_dst=ff02::1"
    return [
        ("own ARP", f"{arp},dl_src={mac},arp_sha={mac},arp_spa={ip},arp_tpa={victim}", True),
        ("ARP probe", f"{arp},dl_src={mac},arp_sha={mac},arp_spa=0.0.0.0,arp_tpa={ip}", True),
        ("ARP probe for another's address",
         f"{arp},dl_src={mac},arp_sha={mac},arp_spa=0.0.0.0,arp_tpa={victim}", False),
        ("ARP as the gateway", f"{arp},dl_src={mac},arp_sha={mac},arp_spa={gateway}", False),
        ("ARP as another", f"{arp},dl_src={mac},arp_sha={mac},arp_spa={victim}", False),
        ("ARP of another's MAC", f"{arp},dl_src={mac},arp_sha={other},arp_spa={ip}", False),
        ("ARP from another's MAC", f"{arp},dl_src={other},arp_sha={mac},arp_spa={ip}", False),
        ("own IPv4", f"tcp,dl_src={mac},dl_dst={other},nw_src={ip},nw_dst={victim}", True),
        ("IPv4 of another MAC", f"tcp,dl_src={other},dl_dst={other},nw_src={ip}", False),
        ("IPv4 of another", f"tcp,dl_src={mac},dl_dst={other},nw_src={victim}", False),
        ("IPv4 of the gateway", f"icmp,dl_src={mac},dl_dst={other},nw_src={gateway}", False),
        ("IPv4 of a private network", f"tcp,dl_src={mac},dl_dst={other},nw_src=10.0.0.2", False),
        ("own IPv4 fragment", f"udp,dl_src={mac},dl_dst={other},nw_src={ip},nw_frag=later", True),
        ("DHCP request", f"{udp},nw_src=0.0.0.0,udp_src=68,udp_dst=67", True),
        ("DHCP reply", f"{udp},nw_src={ip},udp_src=67,udp_dst=68", False),
        ("DHCP reply in fragments", f"{udp},nw_src={ip},udp_src=67,nw_frag=first", False),
        ("other frames from 0.0.0.0", f"{udp},nw_src=0.0.0.0,udp_src=68,udp_dst=53", False),
        ("DHCPv6 reply", f"{udp6},udp_src=547,udp_dst=546", False),
        ("own IPv6", f"{udp6},udp_src=5353,udp_dst=5353", True),
        ("IPv6 of another",
         f"udp6,dl_src={mac},dl_dst={ROUTERS},ipv6_src={other_local},ipv6_dst=ff02::1", False),
        ("IPv6 fragment", f"{udp6},nw_frag=first", False),
        ("a later IPv6 fragment",
         f"ipv6,dl_src={mac},dl_dst={ROUTERS},ipv6_src={local},nw_proto=58,nw_frag=later", False),
        ("router solicitation", f"{ndp},icmpv6_type=133", True),
        ("router advertisement", f"{ndp},icmpv6_type=134", False),
        ("redirect", f"{ndp},icmpv6_type=137", False),
        ("duplicate address detection",
         f"icmp6,dl_src={mac},dl_dst={ROUTERS},ipv6_src=::,icmpv6_type=135"
         f",nd_target={local}", True),
        ("duplicate address detection for another",
         f"icmp6,dl_src={mac},dl_dst={ROUTERS},ipv6_src=::,icmpv6_type=135"
         f",nd_target={other_local}", False),
        ("own neighbour advertisement",
         f"{ndp},icmpv6_type=136,nd_target={local},nd_tll={mac}", True),
        ("neighbour advertisement for another",
         f"{ndp},icmpv6_type=136,nd_target={other_local},nd_tll={mac}", False),
        ("neighbour advertisement with another's MAC",
         f"{ndp},icmpv6_type=136,nd_target={local},nd_tll={other}", False),
        ("VLAN tag",
         f"tcp,dl_src={mac},dl_dst={other},nw_src={ip},vlan_tci={0x1000 | ours['vlan']:#06x}",
         False),
        ("priority tag", f"tcp,dl_src={mac},dl_dst={other},nw_src={ip},vlan_tci=0x1000", False),
        ("provider tag", f"dl_src={mac},dl_dst={BROADCAST},dl_type=0x88a8", False),
        ("LLDP", f"dl_src={mac},dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc", False),
        ("an unknown protocol", f"dl_src={mac},dl_dst={BROADCAST},dl_type=0x88b5", False),
    ]


def test_a_frontend_sends_into_the_public_segment_only_as_itself(machines):
    env = {**os.environ, "OVS_RUNDIR": machines.host.switch_folder}
    control = f"{machines.host.switch_folder}/vswitchd.ctl"
    public = {cluster: next(port for port in machines.rest.v2_nodes(cluster)[cluster]["ports"]
                            if port["is_public"]) for cluster in ("left", "right")}
    for cluster, other in (("left", "right"), ("right", "left")):
        ours, theirs = public[cluster], public[other]
        tap = machines.host.taps_by_mac()[ours["mac"]]
        passed = {}
        for what, frame, _ in (all_frames := frames(ours, theirs, ours["gateway"])):
            told = run("ovs-appctl", "-t", control, "ofproto/trace", machines.host.bridge,
                       f"in_port={tap},{frame}", env=env)
            passed[what] = told.strip().splitlines()[-1] != "Datapath actions: drop"
        assert passed == {what: passes for what, _, passes in all_frames}


def test_a_forged_answer_reaches_no_other_frontend(machines, guests):
    """With real frames: the forged ones precede an honest one, and the switch keeps their order."""
    public = {cluster: next(port for port in machines.rest.v2_nodes(cluster)[cluster]["ports"]
                            if port["is_public"]) for cluster in ("left", "right")}
    taps = {cluster: machines.host.taps_by_mac()[port["mac"]] for cluster, port in public.items()}
    guest, card = guests["left"], card_of(guests["left"], "172.30.")
    mac = bytes.fromhex(public["left"]["mac"].replace(":", ""))
    forged = [public["left"]["gateway"], public["right"]["ip"]]
    with Sniffer(machines.host.namespace, list(taps.values())) as sniffer:
        for address in forged:
            guest.run(f"ip address add {address}/32 dev {card}")
            guest.ask(f"arping -c 1 -w 1 -U -s {address} -I {card} {address}")
            guest.run(f"ip address del {address}/32 dev {card}")
            sniffer.wait(taps["left"], "in", mac + socket.inet_aton(address))
        guest.ask(f"arping -c 1 -w 1 -I {card} {public['right']['ip']}")
        sniffer.wait(taps["right"], "out", mac + socket.inet_aton(public["left"]["ip"]))
        for address in forged:
            assert sniffer.ports_of("in", mac + socket.inet_aton(address)) == {taps["left"]}
            assert not sniffer.ports_of("out", mac + socket.inet_aton(address))


def test_the_rules_of_all_ports_return_after_the_switch_restarts(machines):
    env = {**os.environ, "OVS_RUNDIR": machines.host.switch_folder}

    def flows():
        listed = run("ovs-ofctl", "-O", "OpenFlow13", "--no-stats", "--names", "dump-flows",
                     machines.host.bridge, env=env, check=False)
        return sorted(line.strip() for line in listed.splitlines() if "priority=" in line)

    before = flows()
    assert before
    assert machines.host.switch("get", "bridge", machines.host.bridge,
                                "fail_mode").strip() == "secure"
    with Killer(machines.deployment, "vswitchd", 0) as killer:
        killer.wait_back()
    wait_until(lambda: flows() == before, "the same flows as before", TIMEOUT_S)
