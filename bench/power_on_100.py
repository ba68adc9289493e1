#!/usr/bin/python3
"""Measures the time from a request until 100 nodes are active, on simulated hosts.

A: POST of a computeset of 100 nodes, until the event stream has reported each node as active.
B, the baseline: libvirt's mock driver creates the same 100 domains from this process.
Only A includes REST, the token check, placement, durable commits and the event stream.
"""
import argparse

from support.computesets import create_raw, power_on
from support.deployment import deployment
from support.figures import judge, ms, p50, p99, show, show_load

GOAL_S = 0.250
NODES = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    runs, raw = [], []
    with deployment("--simulated", "--hosts", str(arguments.hosts)) as nucleus:
        events = nucleus.events()
        nucleus.make_cluster(events, "bench", NODES)
        for i in range(arguments.rounds + 1):
            run = power_on(nucleus, events, "bench", NODES)
            baseline = create_raw(NODES)
            if i > 0:  # the first round is a warm-up
                runs.append(run)
                raw.append(baseline)
    whole = [run.took for run in runs]
    print(f"{NODES} nodes on {arguments.hosts} simulated hosts:")
    show("request to response", [run.answered for run in runs])
    show("request to last node active (A)", whole)
    show("CPU time of all Nucleus processes", [run.cpu for run in runs])
    show("libvirt's mock driver alone (B)", raw)
    print(f"  A / B {p50(whole) / p50(raw):.1f} (medians), {p99(whole) / p99(raw):.1f} (p99)")
    judge("all active within 250 ms (median)", p50(whole), GOAL_S, ms(p50(whole)))
    show_load()


if __name__ == "__main__":
    main()
