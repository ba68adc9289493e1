#!/usr/bin/python3
"""How long do `cm --version` and `cm comet cluster` of 1,000 nodes take?

A: the program, from start to exit. B: `curl --version`, another dynamically linked program with
libcurl.
"""
import argparse
import os
import subprocess
import time

from support.deployment import BIN, deployment
from support.figures import judge, ms, p50, show, show_load


def seconds(words, environment):
    began = time.perf_counter()
    child = os.posix_spawn(words[0], words, environment,
                           file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, (words, code)
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    cm = str(BIN / "cm")
    version, listing, curl = [], [], []
    with deployment("--simulated", "--hosts", "4") as nucleus:
        nucleus.make_cluster(nucleus.events(), "big", 999)
        environment = {"PATH": os.environ["PATH"], "HOME": str(nucleus.state), **nucleus.env}
        shown = subprocess.run([cm, "comet", "cluster", "big"], env=environment, text=True,
                               capture_output=True, check=True).stdout
        assert shown.count("| compute ") == 999, shown[:500]
        for _ in range(arguments.rounds):
            curl.append(seconds(["/usr/bin/curl", "--version"], environment))
            version.append(seconds([cm, "--version"], environment))
            listing.append(seconds([cm, "comet", "cluster", "big"], environment))
    show("cm --version (A)", version)
    show("cm comet cluster, 1,000 nodes (A)", listing)
    show("curl --version (B)", curl)
    ratio = p50(version) / p50(curl)
    judge("cm --version within 3 x curl --version", ratio, 3, f"{ratio:.2f} x")
    judge("cm comet cluster within 40 ms", p50(listing), 0.040, ms(p50(listing)))
    show_load()


if __name__ == "__main__":
    main()
