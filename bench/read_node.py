#!/usr/bin/python3
"""How many GETs of one node are answered a second?

A: REST v2 on kept connections, the token checked. B, the floor: nginx sends the same bytes from a
file. wrk asks both over 16 connections.
"""
import argparse

from support.deployment import deployment
from support.reads import compare, judge_rate


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with deployment("--simulated", "--hosts", "4") as nucleus:
        nucleus.make_cluster(nucleus.events(), "small", 2)
        share, _ = compare(nucleus, "/v2/clusters/small/nodes/vm-small-00", arguments.rounds,
                           arguments.seconds)
    judge_rate(share, 0.4)


if __name__ == "__main__":
    main()
