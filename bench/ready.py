#!/usr/bin/python3
"""Measures how long `nucleus up` takes until everything is ready, without a build.

A: a new state directory and a real host (with --simulated: four simulated ones), until the command
returns. B, the baseline: the same programs, each run once with --version: the time that the machine
needs to load them.
"""
import argparse
import pathlib
import subprocess
import time

from support.deployment import Deployment
from support.figures import judge, ms, p50, p99, show, show_load


def up_and_down(*options):
    """Seconds until it is ready, and the programs that run by then."""
    nucleus = Deployment(*options)
    try:
        began = time.perf_counter()
        nucleus.nucleus("up", *options)
        took = time.perf_counter() - began
        pids = [int(f.read_text()) for f in (nucleus.state / "pids").iterdir()]
        programs = [pathlib.Path(f"/proc/{pid}/exe").resolve() for pid in pids]
    finally:
        nucleus.down()
    return took, programs


def load(programs):
    began = time.perf_counter()
    for program in programs:
        subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=False)
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--simulated", action="store_true")
    arguments = parser.parse_args()
    options = ("--simulated", "--hosts", "4") if arguments.simulated else ()
    ready, loaded = [], []
    for i in range(arguments.rounds + 1):
        took, programs = up_and_down(*options)
        baseline = load(programs)
        if i > 0:  # the first round is a warm-up
            ready.append(took)
            loaded.append(baseline)
    print("nucleus up, a new state directory,", "simulated:" if options else "a real host:")
    show("until it returns (A)", ready)
    show(f"its {len(programs)} programs loaded, one by one (B)", loaded)
    print(f"  A / B {p50(ready) / p50(loaded):.1f} (medians)")
    judge("ready within 5 s (p99)", p99(ready), 5.0, ms(p99(ready)))
    show_load()


if __name__ == "__main__":
    main()
