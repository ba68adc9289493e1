"""Looks at the hosts of a rack, and cuts them off."""
import contextlib
import os
import re
import signal
import threading
import time

import yaml

from conftest import Machines, a_deployment, start_time, wait_until
from machines import Host, run

IMAGE_BYTES = 8 << 20


@contextlib.contextmanager
def a_rack_with_disks(tiny_guest, folder):
    """Two hosts that keep disks; the image `disked` boots the tiny guest and has a qcow2 disk. Its
    content is random, and `image` of what is returned. `folder`: for files. Hosts have of it what
    guests read, and copy no more."""
    raw, disk = folder / "disk.raw", folder / "disk.qcow2"
    raw.write_bytes(os.urandom(IMAGE_BYTES))
    run("qemu-img", "convert", "-O", "qcow2", str(raw), str(disk))
    with a_deployment("--rack", "2",
                      settings={"NUCLEUS_PROVISIONER_COPY_RATE_MB_S": 0}) as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.image = raw.read_bytes()
        deployment.nucleus("image", "import", "disked", *machines.boots, "--disk", disk,
                           "--format", "qcow2")
        yield machines


def state_of(rack, name):
    return rack.deployment.state / "rack" / name.removeprefix("rack-")


def hosts_of(rack, cluster):
    """The host of each node, by node."""
    return {name: node["host_id"] for name, node in rack.rest.v2_nodes(cluster).items()}


def host_states(rack):
    return {host["host_id"]: host["state"] for host in rack.operator.get("/v2/hosts")["hosts"]}


def are_ready(rack):
    """Whether each host is up and has checked its isolation, so that nodes are placed on it."""
    return {(host["state"], host["isolation"])
            for host in rack.operator.get("/v2/hosts")["hosts"]} == {("up", "verified")}


def provisioner(rack, name):
    return int((state_of(rack, name) / "pids/provisioner").read_text())


def head_link(rack, name):
    """The head's end of its link to the host."""
    short_id = yaml.safe_load((rack.deployment.state / "deployment.yaml").read_text())["short_id"]
    return f"n{short_id}m{name.removeprefix('rack-')}"


def kill_all(pids, *others):
    """Kills these processes of a machine, by name, as a power failure does, and others by pid."""
    os.kill(pids["supervisor"], signal.SIGKILL)  # or it would start the others again
    rest = [pid for name, pid in pids.items() if name != "supervisor"] + list(others)
    for pid in rest:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(start_time(pid) for pid in rest), "the end of all")


@contextlib.contextmanager
def stopped(pid):
    """A process that hangs (SIGSTOP)."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it was killed
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def cut(host, way, share=1):
    """Drops this share of what the host receives from the head (`in`) or sends to it (`out`)."""
    rule = {"in": ["INPUT", "-i", "head0"], "out": ["OUTPUT", "-o", "head0"]}[way]
    if share < 1:
        rule += ["-m", "statistic", "--mode", "random", "--probability", str(share)]
    inside = ["ip", "netns", "exec", host.namespace, "iptables", "-w"]
    run(*inside, "-A", *rule, "-j", "DROP")
    try:
        yield
    finally:
        run(*inside, "-D", *rule, "-j", "DROP")


class Beats:
    """Follows a node on all hosts of a rack: the epoch that its guest prints each second, as it
    arrives in the console's log, and its QEMU processes."""

    def __init__(self, rack, node_id, domain):
        self.hosts = {name: Host.joined(state_of(rack, name)) for name in host_states(rack)}
        self.node_id, self.domain = node_id, domain
        self.read = {}
        self.seen = []  # (time, host, epoch)
        self.most = 0   # QEMU processes at a time
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)

    def __enter__(self):
        self.look(is_old=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def follow(self):
        try:
            while not self.stopping.wait(0.1):
                self.look()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def look(self, is_old=False):
        for name, host in self.hosts.items():
            for log in (host.state / "provisioner" / "domains").glob(f"{self.node_id}.log"):
                words = log.read_bytes()
                fresh = words[self.read.get(log, 0):]
                # A guest that was killed within a line has not ended it.
                end = len(fresh) if is_old else fresh.rfind(b"\n") + 1
                self.read[log] = self.read.get(log, 0) + end
                if not is_old:
                    self.seen += [(time.monotonic(), name, int(epoch))
                                  for epoch in re.findall(rb"epoch (\d+)\b", fresh[:end])]
        running = sum(self.domain in host.emulators() for host in self.hosts.values())
        self.most = max(self.most, running)

    def first(self, host):
        """When the guest first printed on this host; None if it did not."""
        return min((when for when, name, _ in self.seen if name == host), default=None)

    def check(self):
        """The epochs followed one another, each on one host. Returns (host, epoch) of each."""
        assert not self.failure, self.failure
        assert self.most == 1, "it ran twice"
        spans = {}
        for when, host, epoch in self.seen:
            begin, _ = spans.get((host, epoch), (when, when))
            spans[host, epoch] = (begin, when)
        ordered = sorted(spans, key=lambda one: spans[one])
        for one, after in zip(ordered, ordered[1:]):
            assert one[1] < after[1], ordered
            assert spans[one][1] < spans[after][0], (ordered, spans)
        return ordered
