#!/usr/bin/python3
"""Measures what a joined host's connection adds to the power-on of one node.

A: the host is connected as one that joined, by TCP with CURVE, with a key of its own. B: the same
program on a Unix socket of the head's machine, without CURVE. Both have a hypervisor in memory, so
that nothing else differs. Each from the request until the event stream reports the node as active.
"""
import argparse
import json
import pathlib
import tempfile

from joined_hosts import Hosts, wait_for_hosts
from power_on_one import power_off, power_on
from support.deployment import deployment
from support.figures import judge, ms, p50, show, show_load

GOAL_S = 0.001


def use_unix_socket(nucleus, file):
    """YAML reads JSON as well."""
    entries = dict(line.split(": ", 1) for line in file.read_text().splitlines() if ": " in line)
    host_id = entries["host_id"].strip("'\"")
    file.write_text(json.dumps({
        "host_id": host_id,
        "bus.requests_url": f"ipc://{nucleus.state}/run/bus.sock",
        "bus.events_url": f"ipc://{nucleus.state}/run/events.sock",
        "bus.server_key": "", "bus.public_key": "", "bus.secret_key": ""}))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    far, near = [], []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, \
            deployment("--simulated", "--hosts", "1") as nucleus:
        hosts = Hosts(nucleus, 2, pathlib.Path(folder))
        [other] = pathlib.Path(folder).glob("*/joined-0002.join")
        use_unix_socket(nucleus, other)
        try:
            hosts.start()
            wait_for_hosts(nucleus, 2)
            events = nucleus.events()
            nucleus.make_cluster(events, "bench", 0)
            nucleus.nucleus("host", "drain", "sim-0001")
            nucleus.nucleus("host", "drain", "joined-0002")
            runs = {"joined-0001": far, "joined-0002": near}
            for i in range(2 * rounds + 4):
                host, drained = sorted(runs, reverse=i % 2 == 1)
                nucleus.nucleus("host", "drain", drained)
                nucleus.nucleus("host", "resume", host)
                took = power_on(nucleus, events)[1]
                placed = nucleus.ask("GET", "/v2/clusters/bench/nodes")["nodes"][0]["host_id"]
                assert placed == host, placed
                power_off(nucleus, events)
                if i >= 4:  # the first rounds are a warm-up
                    runs[host].append(took)
        finally:
            hosts.stop()
    show("TCP and CURVE: request to active (A)", far)
    show("Unix socket: request to active (B)", near)
    added = p50(far) - p50(near)
    judge("adds at most 1 ms (medians)", added, GOAL_S, ms(added))
    show_load()


if __name__ == "__main__":
    main()
