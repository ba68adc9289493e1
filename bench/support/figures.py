"""Medians, 99th percentiles, and how they are printed."""
import math
import os
import typing


class Run(typing.NamedTuple):
    """Seconds of one run: to the response, to the effect, and CPU time of all Nucleus processes."""
    answered: float
    took: float
    cpu: float


def percentile(values, share):
    """By nearest rank: with few values the 99th percentile is the largest."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def p50(values):
    return percentile(values, 0.50)


def p99(values):
    return percentile(values, 0.99)


def ms(seconds):
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def show(name, values):
    print(f"  {name:<50} p50 {ms(p50(values)):>10}   p99 {ms(p99(values)):>10}   n {len(values)}")


def judge(what, value, goal, text):
    """Prints whether the goal is reached; a missed goal is not a failure."""
    print(f"  {what:<50} {text}   goal {'reached' if value <= goal else 'MISSED'}")


def show_load():
    print(f"  (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs)")
