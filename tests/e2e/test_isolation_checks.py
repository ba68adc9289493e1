"""Hosts check that clusters are isolated: a guest that forges frames reaches nobody else, and a
port that is put into another cluster's VLAN is closed, reported, and opened once it is right."""
import base64
import contextlib
import gzip
import json
import subprocess
import time

import pytest

from conftest import BIN, Machines, a_deployment, wait_until
from console import Guest
from machines import Events, Host, run
from rack import hosts_of, state_of
from sender import make_sender
from sniffer import Sniffer

DETECTION_S = 30  # checked every 2 s, on a machine that emulates guests
EVERYONE = "ff" * 6


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest):
    """Two hosts, each with a node of the clusters `left` and `right`."""
    with a_deployment("--rack", "2") as deployment:
        machines = Machines(deployment, tiny_guest)
        for cluster in ("left", "right"):
            machines.create(cluster, 1)
            machines.rest.power(cluster, "poweron")
            wait_until(lambda name=cluster: hosts_of(machines, name)[name], "a host")
            other = {"rack-1": "rack-2", "rack-2": "rack-1"}[hosts_of(machines, cluster)[cluster]]
            machines.rest.start(cluster, computes=[{"name": f"vm-{cluster}-00", "host": other}])
        for cluster in ("left", "right"):
            machines.rest.wait_state(cluster, "active")
        yield machines


@pytest.fixture(scope="module", name="sender")
def sender_fixture(tmp_path_factory):
    """A program that sends frames, as text to type at a console."""
    program = tmp_path_factory.mktemp("sender") / "send_frame"
    make_sender(program)
    return base64.b64encode(gzip.compress(program.read_bytes())).decode()


def host_of(rack, name):
    return Host.joined(state_of(rack, name))


def private_port(rack, cluster, node):
    return next(port for port in rack.rest.v2_nodes(cluster)[node]["ports"]
                if not port["is_public"])


def tap_of(rack, cluster, node):
    """(host, tap) of a node's private port."""
    host = host_of(rack, hosts_of(rack, cluster)[node])
    return host, host.taps_by_mac()[private_port(rack, cluster, node)["mac"]]


def isolation(rack, cluster):
    return rack.rest.get(f"/v2/clusters/{cluster}/isolation")


def is_closed(host, tap):
    described = run("ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", host.bridge,
                    env={"PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
                         "OVS_RUNDIR": host.switch_folder})
    config = described.split(f"({tap})")[1].split("config:")[1].splitlines()[0]
    return {"NO_RECV", "NO_FWD"} <= set(config.split())


def test_running_clusters_are_verified_with_real_frames(rack):
    for cluster in ("left", "right"):
        seen = wait_until(lambda name=cluster: (one := isolation(rack, name))["state"] == "verified"
                          and one, "a verified cluster", DETECTION_S)
        assert seen["since_unix_s"] > 0 and not seen["faults"]
        assert time.time() - seen["checked_unix_s"] <= 60
    for host in rack.operator.get("/v2/hosts")["hosts"]:
        assert host["isolation"] == "verified" and host["reason"] == ""
    first = isolation(rack, "left")["checked_unix_s"]
    wait_until(lambda: isolation(rack, "left")["checked_unix_s"] > first, "another check", 60)


def test_frames_that_a_guest_forges_reach_nobody(rack, sender):
    own, other = (private_port(rack, cluster, cluster) for cluster in ("left", "right"))
    mac, foreign_mac = own["mac"].replace(":", ""), other["mac"].replace(":", "")
    mark = b"forged by a guest".hex()
    tags = {"other": f"8100{other['vlan']:04x}", "own": f"8100{own['vlan']:04x}",
            "priority": "8100e000", "provider": f"88a8{other['vlan']:04x}"}
    forged = [EVERYONE + mac + tag + "88b5" + mark for tag in tags.values()]
    forged += [EVERYONE + mac + tags["own"] + tags["other"] + "88b5" + mark,
               EVERYONE + mac + tags["provider"] + tags["own"] + "88b5" + mark,
               EVERYONE + foreign_mac + "88b5" + mark,
               foreign_mac + mac + tags["other"] + "88b5" + mark]
    # As the other cluster's frontend: ARP replies for its address.
    forged.append(EVERYONE + foreign_mac + "0806" + "0001080006040002" + foreign_mac + "0a000001"
                  + EVERYONE + "0a000002" + mark)
    honest = EVERYONE + mac + "88b5" + b"an honest frame".hex()
    flood = EVERYONE + mac + "88b5" + b"one of many frames".hex()
    _, own_tap = tap_of(rack, "left", "left")
    with contextlib.ExitStack() as stack:
        sniffers = {}
        for name in ("rack-1", "rack-2"):
            host = host_of(rack, name)
            ports = sorted(host.taps()) + ["uplink0"]
            sniffers[name] = stack.enter_context(Sniffer(host.namespace, ports))
        guest = stack.enter_context(Guest(rack.rest, "left", "left"))
        for begin in range(0, len(sender), 500):
            guest.run(f"echo -n {sender[begin:begin + 500]} >> /tmp/sender.b64")
        guest.run("base64 -d /tmp/sender.b64 | gunzip > /tmp/send_frame")
        guest.run("chmod 755 /tmp/send_frame")
        card = guest.run("ip -o -4 address | grep ' 10.0.0.'").split()
        index = card[0].rstrip(":")

        def send(frame, count=1):
            guest.run(f"/tmp/send_frame {index} {frame + '00' * 46} {count}")

        for frame in forged:
            send(frame)
        send(flood, 1000)
        send(honest)
        compute_host, compute_tap = tap_of(rack, "left", "vm-left-00")
        compute = hosts_of(rack, "left")["vm-left-00"]
        assert compute_host.namespace != host_of(rack, hosts_of(rack, "left")["left"]).namespace
        # The switches keep the order: forged frames would have arrived before the honest one.
        sniffers[compute].wait(compute_tap, "out", b"an honest frame")
        home = hosts_of(rack, "left")["left"]
        assert sniffers[home].ports_of("in", b"forged by a guest") == {own_tap}, "they were sent"
        for name, sniffer in sniffers.items():
            assert sniffer.ports_of("out", b"forged by a guest") == set(), name
            if name != home:
                assert sniffer.ports_of("in", b"forged by a guest") == set(), name
        others = {tap_of(rack, "right", node)[1] for node in ("right", "vm-right-00")}
        for sniffer in sniffers.values():
            for words in (b"one of many frames", b"an honest frame"):
                assert not sniffer.ports_of("out", words) & others
    assert isolation(rack, "right")["state"] == "verified"


def cm(rack, *words):
    ran = subprocess.run([BIN / "cm", "comet", *words], text=True, capture_output=True, timeout=60,
                         env={**rack.env, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
                         check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_port_with_a_wrong_tag_is_closed_reported_and_opened_again(rack):
    host, tap = tap_of(rack, "left", "vm-left-00")
    name = hosts_of(rack, "left")["vm-left-00"]
    own, other = (private_port(rack, cluster, cluster)["vlan"] for cluster in ("left", "right"))
    assert cm(rack, "network", "left").startswith("Isolated since ")
    with Events(rack.rest) as events:
        host.switch("set", "port", tap, f"tag={other}")
        try:
            for cluster in ("left", "right"):
                _, event = events.wait(
                    lambda e, of=cluster: e["type"] == "scheduler.isolation-changed"
                    and e["body"]["isolation"]["cluster_id"] == of, "a broken cluster", DETECTION_S)
                assert event["body"]["isolation"]["state"] == "broken"
            wait_until(lambda: is_closed(host, tap), "the closed port", DETECTION_S)
            fault = isolation(rack, "left")["faults"][0]
            assert fault["reason"] == f"its VLAN is {other}, not {own}"
            assert (fault["port"], fault["is_quarantined"]) == (tap, True)
            node = rack.rest.v2_nodes("left")["vm-left-00"]
            assert node["state"] == "active" and node["reason"].startswith("a port of it is closed")
            shown = cm(rack, "network", "left")
            assert shown.startswith("NOT isolated since ") and "the port is closed" in shown
            listed = {one["host_id"]: one for one in rack.operator.get("/v2/hosts")["hosts"]}
            assert listed[name]["isolation"] == "broken"
            assert listed[name]["reason"].startswith("it takes no nodes: isolation broken: ")
            assert "it takes no nodes" in rack.deployment.nucleus("host", "list").stdout
            verified = rack.deployment.nucleus("verify", check=False)
            assert verified.returncode == 1
            assert f"port {tap} of {name} is in VLAN {other}, leased is {own}" in verified.stdout
            assert f"{name} breaks the isolation of left" in verified.stdout
            checked = rack.deployment.nucleus("host", "check", name, check=False)
            assert checked.returncode == 1 and "the port is closed" in checked.stdout
            # No node is placed there, and `why` says so.
            refused = rack.deployment.nucleus("cluster", "create", "third", "--computes", "1",
                                              "--memory-mb", "128", "--image", "tiny", check=False)
            assert refused.returncode == 0, refused.stderr
            number = rack.rest.start("third", computes=[{"name": "vm-third-00", "host": name}])
            why = json.dumps(rack.operator.get(f"/v2/computesets/{number}/why"))
            assert "isolation is in doubt" in why and "isolation broken" in why
            with Guest(rack.rest, "left", "vm-left-00") as guest:
                assert guest.run("echo still here").strip() == "still here"
                assert guest.ask("ping -c 1 -W 1 10.0.0.1")[0] != 0
        finally:
            host.switch("set", "port", tap, f"tag={own}")
        events.wait(lambda e: e["type"] == "scheduler.isolation-changed"
                    and e["body"]["isolation"]["cluster_id"] == "left"
                    and e["body"]["isolation"]["state"] == "verified", "isolation again", 60)
    wait_until(lambda: not is_closed(host, tap), "the open port", DETECTION_S)
    rack.rest.wait_state("third", "active", ["vm-third-00"])
    with Guest(rack.rest, "left", "vm-left-00") as guest:
        guest.run("ping -c 3 -W 20 10.0.0.1")
    assert cm(rack, "network", "left").startswith("Isolated since ")


def test_a_flow_that_is_left_out_is_reported_and_restored(rack):
    host, tap = tap_of(rack, "right", "vm-right-00")
    env = {"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "OVS_RUNDIR": host.switch_folder}
    with Events(rack.rest) as events:
        run("ovs-ofctl", "-O", "OpenFlow13", "del-flows", host.bridge, f"in_port={tap}", env=env)
        states = []
        for state in ("broken", "verified"):
            _, event = events.wait(
                lambda e, wanted=state: e["type"] == "scheduler.isolation-changed"
                and e["body"]["isolation"]["state"] == wanted, state, 60)
            states.append(event["body"]["isolation"]["cluster_id"])
        assert states == ["right", "right"]
    with Guest(rack.rest, "right", "vm-right-00") as guest:
        guest.run("ping -c 3 -W 20 10.0.0.1")
