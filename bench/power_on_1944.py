#!/usr/bin/python3
"""Measures whether power-on is linear up to 1,944 hosts and 1,944 nodes, the size of Comet.

A: a computeset of 1,944 nodes. B: one of 100 nodes, on the same hosts. Each until the event stream
has reported every node as active. Also the baseline of A: libvirt's mock driver creates 1,944
domains from this process.
"""
import argparse

from support.computesets import create_raw, power_on
from support.deployment import deployment
from support.figures import judge, ms, p50, show, show_load

GOAL_S = 2.0
GOAL_RATIO = 25


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1944)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    many, few = arguments.many, arguments.few
    many_runs, few_runs, raw = [], [], []
    with deployment("--simulated", "--hosts", str(many)) as nucleus:
        events = nucleus.events()
        nucleus.make_cluster(events, "few", few)
        nucleus.make_cluster(events, "many", many)
        for i in range(arguments.rounds + 1):
            runs = (power_on(nucleus, events, "many", many), power_on(nucleus, events, "few", few))
            baseline = create_raw(many)
            if i > 0:  # the first round is a warm-up
                many_runs.append(runs[0])
                few_runs.append(runs[1])
                raw.append(baseline)
    took = p50([run.took for run in many_runs])
    ratio = took / p50([run.took for run in few_runs])
    print(f"{many} simulated hosts:")
    show(f"{many} nodes: request to response", [run.answered for run in many_runs])
    show(f"{many} nodes: request to last node active (A)", [run.took for run in many_runs])
    show(f"{many} nodes: CPU time of Nucleus", [run.cpu for run in many_runs])
    show(f"{few} nodes: request to last node active (B)", [run.took for run in few_runs])
    show(f"{few} nodes: CPU time of Nucleus", [run.cpu for run in few_runs])
    show(f"libvirt's mock driver alone, {many} domains", raw)
    judge(f"{many} active within 2 s (median)", took, GOAL_S, ms(took))
    judge("A / B at most 25 (medians)", ratio, GOAL_RATIO, f"{ratio:.1f}")
    show_load()


if __name__ == "__main__":
    main()
