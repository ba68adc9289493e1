#!/usr/bin/python3
"""How long does the portal take from the sign-in to the live view of 1,944 nodes, and from an event
to its change in the page?

The first on a line of 3 Mbit/s that Chromium emulates, by a browser that has nothing in its cache.
It has no baseline to compare with.
"""
import argparse
import json
import sys

from support.deployment import ROOT, deployment
from support.figures import judge, ms, p50, show, show_load

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from browser import run_flow  # noqa: E402  pylint: disable=wrong-import-position


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    first, live, changes = [], [], []
    with deployment("--simulated", "--hosts", "4") as nucleus:
        nucleus.make_cluster(nucleus.events(), "wide", 1943)
        url, token = nucleus.env["NUCLEUS_URL"], nucleus.env["NUCLEUS_TOKEN"]
        for _ in range(arguments.rounds):
            took = json.loads(run_flow(url, "open_a_large_cluster_slowly", token=token,
                                       cluster="wide", nodes="1,944 nodes", bytesMax=150_000))
            first.append(took["first_rows_ms"] / 1000)
            live.append(took["live_ms"] / 1000)
        seen = run_flow(url, "time_changes", token=token, cluster="wide", node="wide",
                        rounds=arguments.rounds)
        changes = [json.loads(line)["after_event_ms"] / 1000 for line in seen.splitlines()]
    print(f"  {took['bytes_to_live']:,} bytes from the first visit to the live view")
    show("sign-in to the first rows", first)
    show("sign-in to the live view of 1,944 nodes", live)
    show("event to its change in the page", changes)
    judge("live view within 1 s", p50(live), 1, ms(p50(live)))
    judge("change within 250 ms", p50(changes), 0.250, ms(p50(changes)))
    show_load()


if __name__ == "__main__":
    main()
