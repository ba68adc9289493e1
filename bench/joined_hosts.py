#!/usr/bin/python3
"""Measures a head with 1,944 hosts that have joined, each with its own connection and key.

How long until all are up; the memory of the bus for each; whether each heartbeat comes while 1,944
nodes are powered on (A), one a host, beside libvirt's mock driver (B); and how long after a restart
of the head until all have reported.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import subprocess
import tempfile
import time

from support.computesets import create_raw, power_on
from support.deployment import BIN, TIMEOUT_S, deployment
from support.figures import judge, ms, p50, show, show_load

GOAL_POWER_ON_S = 2.0
GOAL_RESTART_S = 5.0
ADDERS = 4
HOSTS_OF_PROCESS = 500


class Hosts:
    """The processes that run them; each host has some 20 descriptors."""

    def __init__(self, nucleus, count, folder):
        self.programs = []
        with concurrent.futures.ThreadPoolExecutor(ADDERS) as pool:
            list(pool.map(lambda i: self.add(nucleus, folder, i), range(1, count + 1)))
        self.folder = folder

    @staticmethod
    def add(nucleus, folder, i):
        files = folder / str(i // HOSTS_OF_PROCESS)
        files.mkdir(exist_ok=True)
        name = f"joined-{i:04}"
        nucleus.nucleus("host", "add", name, "--file", files / f"{name}.join")

    def start(self):
        for files in sorted(self.folder.iterdir()):
            with open(files / "log", "w") as log:
                self.programs.append(subprocess.Popen(
                    [BIN / "nucleus-joined-hosts", files, files, "1"], text=True,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log))
        for program in self.programs:
            if program.stdout.readline() != "running\n":
                raise RuntimeError(f"nucleus-joined-hosts has ended: {program.wait()}")

    def stop(self):
        for program in self.programs:
            program.stdin.close()
        for program in self.programs:
            program.wait(TIMEOUT_S)


def hosts_of(nucleus):
    """All hosts, as the head knows them."""
    connection, cursor, found = http.client.HTTPConnection(nucleus.address), "", []
    while True:
        token = nucleus.env["NUCLEUS_OPERATOR_TOKEN"]
        connection.request("GET", f"/v2/hosts?limit=1000&after={cursor}" if cursor else
                           "/v2/hosts?limit=1000", headers={"Authorization": f"Token {token}"})
        answer = json.loads(connection.getresponse().read())
        found += answer["hosts"]
        cursor = answer.get("next") or ""
        if not cursor:
            return [host for host in found if host["host_id"].startswith("joined-")]


def wait_for_hosts(nucleus, count, since_unix_ms=0):
    """Returns once as many are up and have reported since that time."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        up = [host for host in hosts_of(nucleus) if host["state"] == "up"
              and host["last_heartbeat_unix_ms"] >= since_unix_ms]
        if len(up) == count:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{len(up)} of {count} hosts are up")
        time.sleep(0.05)


def memory_kb(nucleus, process):
    pid = (nucleus.state / "pids" / process).read_text().strip()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1944)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count = arguments.hosts
    # All of them have one address here.
    os.environ["NUCLEUS_BUS_CONNECTIONS_MAX"] = str(2 * count + 100)
    os.environ["NUCLEUS_BUS_CONNECTIONS_PER_ADDRESS_MAX"] = str(2 * count + 100)
    # Records of the hosts in memory: on real hosts each has a disk of its own.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, \
            deployment("--simulated", "--hosts", "1") as nucleus:
        hosts = Hosts(nucleus, count, pathlib.Path(folder))
        try:
            before_kb = memory_kb(nucleus, "bus")
            began = time.perf_counter()
            hosts.start()
            wait_for_hosts(nucleus, count)
            print(f"{count} joined hosts: all up after {time.perf_counter() - began:.1f} s",
                  flush=True)
            used_kb = (memory_kb(nucleus, "bus") - before_kb) / count
            print(f"memory of the bus: {used_kb:.0f} KiB for each host", flush=True)
            events = nucleus.events()
            lost = events.expect(rb'^scheduler\.host-changed .*"state":"(unreachable)"')
            nucleus.make_cluster(events, "many", count)
            runs, raw = [], []
            for i in range(arguments.rounds + 1):
                run, baseline = power_on(nucleus, events, "many", count), create_raw(count)
                if i > 0:  # the first round is a warm-up
                    runs.append(run)
                    raw.append(baseline)
            show(f"{count} nodes: request to last node active (A)", [run.took for run in runs])
            show(f"libvirt's mock driver alone, {count} domains (B)", raw)
            took = p50([run.took for run in runs])
            judge("all active within 2 s (median)", took, GOAL_POWER_ON_S, ms(took))
            print("hosts lost meanwhile:", "some" if lost.done.is_set() else "none")
            nucleus.nucleus("down")
            nucleus.nucleus("up", *nucleus.options)
            # `up` returns once the head is ready.
            restarted, began = int(time.time() * 1000), time.perf_counter()
            wait_for_hosts(nucleus, count, restarted)
            after = time.perf_counter() - began
            judge("all hosts report within 5 s of a restart", after, GOAL_RESTART_S,
                  f"{after:.1f} s")
        finally:
            hosts.stop()
    show_load()


if __name__ == "__main__":
    main()
