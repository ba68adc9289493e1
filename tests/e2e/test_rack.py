"""A rack: real hosts, joined to the head over TCP, whose nodes reach each other over the uplink."""
import json
import os
import signal
import socket
import subprocess
import uuid

import msgpack
import pytest
import yaml
import zmq
from zmq.utils.monitor import recv_monitor_message

from conftest import BIN, Machines, a_deployment, start_time, wait_until
from console import Guest
from http_client import http_get, operator_of
from machines import Events, Host, run
from rack import are_ready, head_link, host_states, hosts_of, provisioner, state_of
from sniffer import Sniffer


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest):
    """Two hosts, with the clusters `left` and `right`: a frontend on one, a compute on the other,
    also if a host was silent for a moment."""
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


@pytest.fixture(scope="module", name="guests")
def guests_fixture(rack):
    opened = {}
    try:
        for cluster in ("left", "right"):
            for node in (cluster, f"vm-{cluster}-00"):
                opened[node] = Guest(rack.rest, cluster, node)
        yield opened
    finally:
        for guest in opened.values():
            guest.__exit__()


class Intruder:
    """A program with the key of a host, connected to the bus as its provisioner is."""

    def __init__(self, rack, name):
        self.keys = yaml.safe_load((state_of(rack, name) / "host.yaml").read_text())
        self.context = zmq.Context()
        self.requests = self.open(zmq.DEALER, "bus.requests_url")
        self.events = self.open(zmq.SUB, "bus.events_url")
        for prefix in ("", "demo/", "public/", "_/"):
            self.events.subscribe(prefix)

    def open(self, kind, url):
        opened = self.context.socket(kind)
        opened.curve_serverkey = self.keys["bus.server_key"].encode()
        opened.curve_publickey = self.keys["bus.public_key"].encode()
        opened.curve_secretkey = self.keys["bus.secret_key"].encode()
        opened.connect(self.keys[url])
        return opened

    def send(self, kind, sender, to, topic, body, number=None):
        number = number or uuid.uuid4().hex
        envelope = {"kind": kind, "request_id": number, "trace_id": number, "sender": sender,
                    "to": to, "deadline_unix_ms": 0, "sequence": 0,
                    "after_sequence": 0, "event_id": 999_999, "timeout_ms": 20_000}
        self.requests.send_multipart([topic.encode(), msgpack.packb(envelope),
                                      msgpack.packb(body)])

    def ask(self, sender, to, topic, body):
        """The error of the answer. The host's own provisioner has the same name on the bus, and
        answers go to the one that sent last: the request is repeated."""
        number = uuid.uuid4().hex

        def answered():
            self.send("request", sender, to, topic, body, number)
            while self.requests.poll(50):
                _, envelope, _ = self.requests.recv_multipart()
                answer = msgpack.unpackb(envelope)
                if answer["request_id"] == number:
                    return [answer.get("error")]
            return None
        return wait_until(answered, f"an answer to {topic}")[0]

    def close(self):
        for opened in (self.requests, self.events):
            opened.close(linger=0)
        self.context.term()


def is_key_accepted(keys):
    """The outcome of a handshake with the keys of a joined host."""
    context = zmq.Context()
    opened = context.socket(zmq.SUB)
    opened.curve_serverkey = keys["bus.server_key"].encode()
    opened.curve_publickey = keys["bus.public_key"].encode()
    opened.curve_secretkey = keys["bus.secret_key"].encode()
    handshakes = opened.get_monitor_socket(
        zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    try:
        opened.connect(keys["bus.events_url"])
        assert handshakes.poll(5_000), "no handshake"
        return recv_monitor_message(handshakes)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
    finally:
        handshakes.close(linger=0)
        opened.close(linger=0)
        context.term()


def tags_of(frames):
    """The VLANs of the frames; 0 = no tag."""
    return {int.from_bytes(frame[14:16], "big") & 0xfff if frame[12:14] == b"\x81\x00" else 0
            for frame in frames}


def test_each_host_has_its_own_switch_and_records_and_reaches_the_head_over_tcp_alone(rack):
    assert host_states(rack) == {"rack-1": "up", "rack-2": "up"}
    for name in host_states(rack):
        settings = yaml.safe_load((state_of(rack, name) / "config/provisioner.yaml").read_text())
        assert settings["bus.requests_url"].startswith("tcp://100.")
        assert not any(key.startswith("redis.") for key in settings)
        assert (state_of(rack, name) / "provisioner/state.db").stat().st_mode & 0o077 == 0
        host = Host.joined(state_of(rack, name))
        assert "uplink0" in host.ports()
        assert run("ip", "netns", "identify", str(provisioner(rack, name))).strip() == \
            host.namespace


def test_the_nodes_of_a_cluster_on_two_hosts_reach_each_other(rack, guests):
    for cluster in ("left", "right"):
        whys = [rack.rest.get(f"/v2/clusters/{cluster}/nodes/{name}/why")["timeline"]
                for name in (cluster, f"vm-{cluster}-00")]
        assert set(hosts_of(rack, cluster).values()) == {"rack-1", "rack-2"}, whys
        guests[cluster].run("ping -c 3 -W 20 10.0.0.2")
        guests[f"vm-{cluster}-00"].run("ping -c 3 -W 20 10.0.0.1")


def test_the_uplink_carries_the_frames_of_a_cluster_with_its_vlan_alone(rack, guests):
    vlans = {cluster: next(port["vlan"] for port in rack.rest.v2_nodes(cluster)[cluster]["ports"]
                           if not port["is_public"]) for cluster in ("left", "right")}
    assert vlans["left"] != vlans["right"]
    namespace = Host.joined(state_of(rack, "rack-1")).namespace
    with Sniffer(namespace, ["uplink0"]) as sniffer:
        for cluster, size in (("left", 333), ("right", 444)):
            guests[cluster].run(f"ping -c 2 -W 20 -s {size} 10.0.0.2")
    for cluster, size in (("left", 333), ("right", 444)):
        pings = [frame for _, _, frame in sniffer.frames if len(frame) == 14 + 4 + 20 + 8 + size]
        assert len(pings) >= 4, "requests and replies"
        assert tags_of(pings) == {vlans[cluster]}
    private = {frame for _, _, frame in sniffer.frames if socket.inet_aton("10.0.0.2") in frame}
    assert tags_of(private) <= set(vlans.values())


def test_the_same_address_in_another_cluster_does_not_answer(guests):
    guests["vm-right-00"].run("ip address add 10.0.0.77/24 dev eth0")
    guests["right"].run("ping -c 2 -W 20 10.0.0.77")
    code, output = guests["left"].ask("ping -c 3 -W 2 10.0.0.77")
    assert code == 1 and "100% packet loss" in output, output


def test_a_host_that_is_cut_off_goes_on_running_its_nodes_and_is_adopted_when_it_returns(rack):
    name = hosts_of(rack, "left")["vm-left-00"]
    host = Host.joined(state_of(rack, name))
    before = host.emulators()
    link = head_link(rack, name)
    run("ip", "link", "set", link, "down")
    try:
        wait_until(lambda: host_states(rack)[name] == "unreachable", "the host's silence")
        rack.rest.wait_state("left", "nostate-error", ["vm-left-00"])
        assert host.emulators() == before
    finally:
        run("ip", "link", "set", link, "up")
    wait_until(lambda: host_states(rack)[name] == "up", "the host's return", 60)
    rack.rest.wait_state("left", "active")
    assert host.emulators() == before


def test_what_ended_while_the_provisioner_was_dead_is_reported_by_the_next(rack):
    rack.boot("short", 0)
    rack.rest.wait_state("short", "active")
    name = hosts_of(rack, "short")["short"]
    host = Host.joined(state_of(rack, name))
    emulator, _ = host.emulators()["short/short"]
    supervisor = int((state_of(rack, name) / "pids/supervisor").read_text())
    os.kill(supervisor, signal.SIGSTOP)  # or it would start the next at once
    try:
        os.kill(provisioner(rack, name), signal.SIGKILL)
        os.kill(emulator, signal.SIGKILL)
        wait_until(lambda: start_time(emulator) is None, "the end of the domain")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    rack.rest.wait_state("short", "shutoff")


def test_a_hosts_key_in_hostile_hands_reads_and_changes_nothing_of_others(rack):
    before = {cluster: rack.rest.v2_nodes(cluster) for cluster in ("left", "right")}
    own = "provisioner/rack-1"
    victim = before["left"][next(name for name, host in hosts_of(rack, "left").items()
                                 if host == "rack-2")]
    heartbeat = {"host_id": "rack-2", "process": own, "boot_id": "x", "cpus": 1, "memory_mb": 1,
                 "is_reachable": False}
    crash = {"host_id": "rack-2", "node_id": victim["node_id"], "epoch": 1, "state": "crashed"}
    report = {"process": own, "log_id": "x", "first_number": 1, "changes": [crash]}
    intruder = Intruder(rack, "rack-1")
    try:
        for to, topic, body in (
                ("scheduler", "scheduler.report-host", heartbeat),
                ("scheduler", "scheduler.report-domains",
                 report | {"process": "provisioner/rack-2"}),
                ("scheduler", "scheduler.list-hosts", {}),
                ("registry", "registry.issue-token", {"person_id": "operator"}),
                ("provisioner/rack-2", "provisioner.apply-grants", {"host_id": "rack-2"}),
                ("provisioner/rack-2", "provisioner.open-console", {"node_id": victim["node_id"]})):
            error = intruder.ask(own, to, topic, body)
            assert error and error["code"] == "forbidden", (topic, error)
        # What the scheduler takes, it takes without effect; what is not its to say is dropped.
        assert intruder.ask(own, "scheduler", "scheduler.report-domains", report) is None
        intruder.send("request", "scheduler", "registry", "registry.list-people", {})
        intruder.send("event", own, "", "demo/left/provisioner.domain-changed", crash)
        with Events(rack.rest) as events:
            rack.create("witness", 0)
            events.wait(lambda e: e["type"] == "registry.cluster-defined"
                        and e["body"]["cluster"]["cluster_id"] == "witness", "the cluster")
            assert not any(e["type"] == "provisioner.domain-changed" for _, e in events.seen)
        assert not intruder.events.poll(500), "an event reached a host"
    finally:
        intruder.close()
    assert {cluster: rack.rest.v2_nodes(cluster) for cluster in before} == before
    wait_until(lambda: are_ready(rack), "both hosts")


def test_a_hosts_key_is_renewed_without_a_gap(rack, tmp_path):
    file, state = tmp_path / "again.join", state_of(rack, "rack-1")
    host, process = Host.joined(state), provisioner(rack, "rack-1")
    earlier = yaml.safe_load((state / "host.yaml").read_text())
    emulators = host.emulators()
    with Events(rack.operator) as events:
        printed = rack.deployment.nucleus("host", "add", "rack-1", "--renew", "--file", file)
        assert "the old key ends" in printed.stdout
        assert is_key_accepted(earlier), "until the new one is used"
        joined = run(str(BIN / "nucleus"), "join", str(file), "--state", str(state))
        assert "host rack-1 has joined" in joined
        assert not is_key_accepted(earlier)
        assert is_key_accepted(yaml.safe_load((state / "host.yaml").read_text()))
        rack.create("renewed", 0)
        events.wait(lambda e: e["type"] == "registry.cluster-defined"
                    and e["body"]["cluster"]["cluster_id"] == "renewed", "the cluster")
        changed = [e for _, e in events.seen if e["type"] == "scheduler.host-changed"]
        assert not changed, "heartbeats went on"
    assert host.emulators() == emulators
    assert provisioner(rack, "rack-1") == process
    assert host_states(rack)["rack-1"] == "up"


def test_a_stolen_key_ends_at_once(rack, tmp_path):
    overtaken, file = tmp_path / "overtaken.join", tmp_path / "new.join"
    state = state_of(rack, "rack-2")
    host, emulators = Host.joined(state), Host.joined(state).emulators()
    stolen = (state / "host.yaml").read_text()
    rack.deployment.nucleus("host", "add", "rack-2", "--renew", "--file", overtaken)
    rack.deployment.nucleus("host", "add", "rack-2", "--renew", "--revoke-old", "--file", file)
    wait_until(lambda: not is_key_accepted(yaml.safe_load(stolen)), "the key's end", 2)
    refused = subprocess.run([BIN / "nucleus", "join", overtaken, "--state", state], text=True,
                             capture_output=True, timeout=60, check=False)
    assert refused.returncode == 1 and "refuses the file's key" in refused.stderr
    assert (state / "host.yaml").read_text() == stolen, "nothing was changed"
    run(str(BIN / "nucleus"), "join", str(file), "--state", str(state))
    wait_until(lambda: host_states(rack)["rack-2"] == "up", "the host's return")
    assert host.emulators() == emulators


def test_a_machine_joins_with_a_file_and_is_removed(rack, tmp_path):
    file, state = tmp_path / "third.join", rack.deployment.state / "third"
    rack.deployment.nucleus("host", "add", "third", "--file", file)
    assert file.stat().st_mode & 0o077 == 0
    refused = rack.deployment.nucleus("host", "add", "third", check=False)
    assert refused.returncode == 1 and "--renew" in refused.stderr
    try:
        joined = run(str(BIN / "nucleus"), "join", str(file), "--state", str(state),
                     "--metrics-listen", "0.0.0.0:19400")
        assert "host third has joined" in joined
        again = run(str(BIN / "nucleus"), "join", str(file), "--state", str(state))
        assert "host third has joined" in again, "it may be repeated"
        wait_until(lambda: host_states(rack).get("third") == "up", "the third host")
        targets = operator_of(rack.deployment).ask("GET", "/v2/monitoring/targets").json()
        found = [one["targets"][0] for one in targets
                 if one["labels"]["process"] == "provisioner/third"]
        assert len(found) == 1 and found[0].endswith(":19400"), targets
        assert http_get(f"http://{found[0]}/healthz")[0] == 200
        addresses = [address for one in targets for address in one["targets"]]
        assert len(set(addresses)) == len(addresses), "each process once"
        status = json.loads(run(str(BIN / "nucleus"), "status", "--json", "--state", str(state)))
        assert status["host"] == "third" and status["is_ready"]
        assert [process["health"] for process in status["processes"]] == ["healthy"] * 4
        used = {name for cluster in ("left", "right") for name in hosts_of(rack, cluster).values()}
        for busy in used:
            refused = rack.deployment.nucleus("host", "remove", busy, check=False)
            assert refused.returncode == 1 and "nodes" in refused.stderr
    finally:
        run(str(BIN / "nucleus"), "down", "--state", str(state))
    rack.deployment.nucleus("host", "remove", "third")
    assert "third" not in host_states(rack)
    refused = rack.deployment.nucleus("host", "remove", "third", check=False)
    assert refused.returncode == 1 and "no such host" in refused.stderr
