#!/usr/bin/python3
"""Measures GETs per second of a cluster with 1,000 nodes.

A: REST v2 with the token check; each response is as new as the last event. B, the baseline: nginx
sends the same bytes from a file. wrk requests both over 16 connections.
"""
import argparse

from support.deployment import deployment
from support.figures import judge
from support.reads import compare, judge_rate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with deployment("--simulated", "--hosts", "4") as nucleus:
        nucleus.make_cluster(nucleus.events(), "big", 999)
        share, late = compare(nucleus, "/v2/clusters/big", arguments.rounds, arguments.seconds)
        before = nucleus.ask("GET", "/v2/clusters/big")
        nucleus.ask("PATCH", "/v2/clusters/big", {"description": "changed"})
        after = nucleus.ask("GET", "/v2/clusters/big")
        assert (before["description"], after["description"]) == ("", "changed")
    judge("p99 at most 5 times nginx's", late, 5, f"{late:.1f} times")
    judge_rate(share, 0.5)


if __name__ == "__main__":
    main()
