#!/usr/bin/python3
"""Measures what the gateway's I/O thread spares its loop, and what a write costs beside reads.

A: writes while wrk reads a cluster of 1,000 nodes over 16 connections, as fast as it can. B, the
baseline: the same writes without reads. The CPU time of both threads of the gateway is printed.
"""
import argparse
import os
import pathlib
import threading
import time

from support.deployment import deployment
from support.figures import judge, p50, show, show_load
from support.reads import wrk

PATH = "/v2/clusters/big"
SETTLE_S = 0.5


def thread_seconds(pid):
    """CPU time of each thread of a process so far, by thread id."""
    seconds = {}
    for task in (pathlib.Path("/proc") / str(pid) / "task").iterdir():
        words = (task / "stat").read_text().rpartition(")")[2].split()
        seconds[int(task.name)] = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def writes(nucleus, until):
    """Seconds of each write until that time; each waits for its response."""
    took = []
    while (began := time.perf_counter()) < until:
        nucleus.ask("PATCH", PATH, {"description": f"change {began}"})
        took.append(time.perf_counter() - began)
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    alone, beside, rates, loop, reading = [], [], [], [], []
    with deployment("--simulated", "--hosts", "4") as nucleus:
        nucleus.make_cluster(nucleus.events(), "big", 999)
        pid = int((nucleus.state / "pids" / "gateway").read_text())
        reader = nucleus.env["NUCLEUS_URL"] + PATH
        for _ in range(arguments.rounds):
            alone += writes(nucleus, time.perf_counter() + arguments.seconds)

            before = thread_seconds(pid)
            rates.append(wrk(reader, arguments.seconds, nucleus.env["NUCLEUS_TOKEN"])[0])
            after = thread_seconds(pid)
            spent = {task: after[task] - before.get(task, 0) for task in after}
            loop.append(spent.pop(pid) / arguments.seconds)
            reading.append(sum(spent.values()) / arguments.seconds)

            reads = threading.Thread(target=wrk, args=(
                reader, arguments.seconds, nucleus.env["NUCLEUS_TOKEN"]))
            reads.start()
            beside += writes(nucleus, time.perf_counter() + arguments.seconds - SETTLE_S)
            reads.join()
    show("a write beside reads (A)", beside)
    show("a write alone (B)", alone)
    print(f"  reads only: {p50(rates):.0f}/s; the I/O thread is busy {p50(reading) * 100:.0f} % of "
          f"the time, the loop {p50(loop) * 100:.1f} %")
    judge("a write takes at most 3 times as long", p50(beside) / p50(alone), 3,
          f"{p50(beside) / p50(alone):.1f} times")
    show_load()


if __name__ == "__main__":
    main()
