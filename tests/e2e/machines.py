"""Observes real machines through REST, the event stream, and the host itself.

The host is observed without the services: domains with virsh, interfaces with ip, ports with
ovs-vsctl, processes in /proc.
"""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import requests
import yaml

from conftest import start_time, wait_until
from http_client import TIMEOUT_S, Client

CMDLINE = "console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off"


def run(*argv, check=True, **more):
    """A command's output; fails with its standard error."""
    ran = subprocess.run(argv, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                         check=False, **more)
    if check:
        assert ran.returncode == 0, f"{argv}: {ran.stdout}{ran.stderr}"
    return ran.stdout


class Rest(Client):
    """Clusters, nodes and computesets as one person sees and commands them; by default the admin
    of project demo."""

    def __init__(self, env, token=None):
        super().__init__(env["NUCLEUS_URL"], token or env["NUCLEUS_TOKEN"])

    def cluster(self, name):
        return self.get(f"/nucleus/v1/cluster/{name}/")

    def nodes(self, cluster):
        """Each node's v1 body, by name."""
        body = self.cluster(cluster)
        return {node["name"]: node for node in [body["frontend"], *body["computes"]]}

    def states(self, cluster):
        return {name: node["state"] for name, node in self.nodes(cluster).items()}

    def v2_nodes(self, cluster):
        """Each node's v2 body, by name, with reason and host."""
        return {node["name"]: node for node in self.get(f"/v2/clusters/{cluster}")["nodes"]}

    def wait_state(self, cluster, state, nodes=None, timeout_s=TIMEOUT_S):
        def has_state():
            states = self.states(cluster)
            return all(states[name] == state for name in nodes or states)
        wait_until(has_state, f"{cluster} {nodes or ''} {state}", timeout_s)

    def command(self, method, path, **more):
        """The answer to a command, repeated while it is 503."""
        def answered():  # in a list, because a refusal is false
            answer = self.ask(method, path, **more)
            return None if answer.status_code == 503 else [answer]
        [answer] = wait_until(answered, f"{method} {path}: another answer than 503", TIMEOUT_S)
        assert answer.status_code in (201, 204), answer.text
        return answer

    def power(self, cluster, action, node=None):
        """For the frontend, or for a compute if one is named."""
        where = f"compute/{node}" if node else "frontend"
        self.command("PUT", f"/nucleus/v1/cluster/{cluster}/{where}/{action}")

    def start(self, cluster, **what):
        body = {"cluster": cluster, **what}
        return self.command("POST", "/nucleus/v1/computeset/", json=body).json()["id"]

    def computeset(self, number):
        return self.get(f"/nucleus/v1/computeset/{number}/")


class Events:
    """Follows GET /v2/events from now on, or after event `after`; keeps each with its arrival."""

    def __init__(self, rest, after=None):
        self.rest, self.after = rest, after
        self.seen, self.news = [], threading.Condition()
        self.failure = None
        self.answer = None
        self.thread = threading.Thread(target=self.follow, daemon=True)

    def __enter__(self):
        headers = {} if self.after is None else {"Last-Event-ID": str(self.after)}
        self.answer = self.rest.session.get(self.rest.url + "/v2/events", headers=headers,
                                            stream=True, timeout=(30, 60))
        assert self.answer.status_code == 200, self.answer.text
        lines = self.answer.iter_lines(chunk_size=1)
        assert next(lines).startswith(b"retry:")  # the stream starts here
        self.lines = lines
        self.thread.start()
        return self

    def __exit__(self, *_):
        # Closing the file would wait for the reader, which waits for the socket.
        with contextlib.suppress(OSError, AttributeError):
            self.answer.raw.connection.sock.shutdown(2)
        self.thread.join(timeout=30)
        self.answer.close()

    def follow(self):
        try:
            for line in self.lines:
                if not line.startswith(b"data:"):
                    continue
                with self.news:
                    self.seen.append((time.monotonic(), json.loads(line[5:])))
                    self.news.notify_all()
        except (requests.RequestException, AttributeError, ValueError, OSError) as ended:
            with self.news:
                self.failure = ended
                self.news.notify_all()

    def wait(self, is_wanted, what, timeout_s=TIMEOUT_S):
        """(arrival, event) of the first event that is wanted."""
        until = time.monotonic() + timeout_s
        with self.news:
            looked_at = 0
            while True:
                for when, event in self.seen[looked_at:]:
                    if is_wanted(event):
                        return when, event
                looked_at = len(self.seen)
                left = until - time.monotonic()
                assert left > 0 and not self.failure, f"no such event: {what} ({self.failure})"
                self.news.wait(left)

    def wait_node(self, node_id, state):
        return self.wait(lambda e: e["type"] == "scheduler.node-changed"
                         and e["body"]["node"]["node_id"] == node_id
                         and e["body"]["node"]["state"] == state, f"{node_id} is {state}")


class Host:
    """The domains, taps and ports of a host with this state directory."""

    def __init__(self, state, namespace, short_id):
        self.state = state
        self.uri = f"qemu+unix:///system?socket={state}/libvirt/run/libvirt-sock"
        self.namespace = namespace
        self.short_id = short_id
        self.switch_folder = str(state / "ovs")
        self.bridge = f"nuc{self.short_id}"
        self.titles = {}

    @classmethod
    def of(cls, deployment):
        """The deployment's own host."""
        namespace = deployment.env()["NUCLEUS_NETNS"]
        return cls(deployment.state, namespace, namespace.removeprefix("nuc-"))

    @classmethod
    def joined(cls, state):
        """A host that has joined, with its own state directory."""
        host = yaml.safe_load((state / "host.yaml").read_text())
        return cls(state, host["network_namespace"], host["short_id"])

    def title(self, domain):
        """CLUSTER/NODE of a domain, which is named by the node's id; from libvirt's own file, so
        that it can be read while libvirtd is dead."""
        file = self.state / "libvirt/run/qemu" / f"{domain}.xml"
        with contextlib.suppress(OSError):
            self.titles[domain] = re.search("<title>(.*?)</title>", file.read_text())[1]
        return self.titles.get(domain, domain)

    def domains(self):
        """CLUSTER/NODE of each domain."""
        return {self.title(name)
                for name in run("virsh", "-c", self.uri, "list", "--name").split()}

    def emulators(self):
        """(pid, start) of each QEMU of this deployment, by domain; fails if one runs twice."""
        found = {}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "qemu" not in words[0] or str(self.state) not in "".join(words):
                    continue
                name = self.title(
                    re.match(r"guest=([^,]*)", words[words.index("-name") + 1])[1])
                start = start_time(int(folder.name))
                if start is None:
                    continue
                assert name not in found, f"{name} runs twice: {found[name]} and {folder.name}"
                found[name] = (int(folder.name), start)
        return found

    def taps(self):
        """Names of the taps in the deployment's network namespace."""
        return set(self.taps_by_mac().values())

    def switch(self, *words):
        return run("ovs-vsctl", "--timeout=30", *words,
                   env={**os.environ, "OVS_RUNDIR": self.switch_folder})

    def ports(self):
        """VLAN by port of the switch, without the bridge's own."""
        listed = json.loads(self.switch("--format=json", "--columns=name,tag", "list", "port"))
        return {name: tag for name, tag in listed["data"] if name != self.bridge}

    def taps_by_mac(self):
        """Name of the tap by MAC of the guest's interface."""
        links = json.loads(run("ip", "-n", self.namespace, "-j", "link"))
        prefix = f"n{self.short_id}-"
        return {"52:54:00:" + ":".join(re.findall("..", link["ifname"].removeprefix(prefix))):
                link["ifname"] for link in links if link["ifname"].startswith(prefix)}


def expected_taps(rest, host, cluster):
    """The taps that this cluster's running nodes must have, according to REST."""
    wanted = set()
    for node in rest.v2_nodes(cluster).values():
        if node["state"] == "active":
            wanted |= {f"n{host.short_id}-" + port["mac"][9:].replace(":", "")
                       for port in node["ports"]}
    return wanted


def processes_of(state):
    """Command lines that contain this state directory."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes()
            if str(state).encode() in words:
                found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found
