#!/usr/bin/python3
"""Measures how many starts a second are accepted: durable, scheduled, and answered.

A: `POST /v2/computesets` of one node each, from 8 connections of wrk, on simulated hosts that start
the nodes meanwhile. B: held jobs, from 8 processes that run `sbatch`, into a Slurm of this
benchmark's own: it records them, and starts nothing.
"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support.deployment import ROOT, deployment
from support.figures import judge, p50, show_load

CLIENTS = 8
CLUSTERS = 4
COMPUTES = 2000
GOAL_PER_S = 5000
GOAL_RATIO = 10
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local next = 0
request = function()
  local cluster = "c" .. math.floor(next / {computes})
  local name = string.format("vm-%s-%0{digits}d", cluster, next % {computes})
  next = next + 1
  return wrk.format(nil, nil, nil, string.format(
    '{{"cluster_id": "%s", "names": ["%s"], "walltime_mins": 60}}', cluster, name))
end
"""


def accepted_by_nucleus(seconds):
    """Starts a second that were accepted; each is listed afterwards."""
    with deployment("--simulated", "--hosts", "200") as nucleus:
        events = nucleus.events()
        for i in range(CLUSTERS):
            nucleus.make_cluster(events, f"c{i}", COMPUTES)
        script = nucleus.state / "start.lua"
        script.write_text(SCRIPT.format(computes=COMPUTES, digits=len(str(COMPUTES - 1))))
        began = time.perf_counter()
        told = subprocess.run(
            ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "-s", script,
             "-H", f"Authorization: Token {nucleus.env['NUCLEUS_TOKEN']}",
             nucleus.env["NUCLEUS_URL"] + "/v2/computesets"],
            check=True, capture_output=True, text=True).stdout
        took = time.perf_counter() - began
        if "Non-2xx" in told or "Socket errors" in told:
            raise RuntimeError(told)
        return count_computesets(nucleus) / took


def count_computesets(nucleus):
    count, after = 0, ""
    while True:
        page = nucleus.ask("GET", f"/v2/computesets?limit=1000&fields=computeset_id{after}")
        count += len(page["computesets"])
        if "next" not in page:
            return count
        after = "&after=" + page["next"]


@contextlib.contextmanager
def private_slurm():
    """The environment of a client of a Slurm with two nodes."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nb-", dir="/tmp"))
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [str(one.getsockname()[1]) for one in free]
    with subprocess.Popen([ROOT / "tools" / "private_slurm", folder, ports[0], f"n1:{ports[1]}",
                           f"n2:{ports[2]}"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as slurm:
        try:
            until = time.monotonic() + 60
            while not (folder / "ready").exists():
                if time.monotonic() > until or slurm.poll() is not None:
                    raise RuntimeError("Slurm does not start")
                time.sleep(0.1)
            yield {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        finally:
            slurm.send_signal(signal.SIGTERM)
    shutil.rmtree(folder)


def submit_until(end, env):
    count = 0
    while time.perf_counter() < end:
        subprocess.run(["sbatch", "--hold", "--nodes=1", "--time=60", "--output=/dev/null",
                        "--wrap=true"], env=env, check=True, stdout=subprocess.DEVNULL)
        count += 1
    return count


def accepted_by_slurm(seconds, env):
    """Jobs a second that were accepted; each is listed afterwards."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        began = time.perf_counter()
        counts = list(clients.map(submit_until, [began + seconds] * CLIENTS, [env] * CLIENTS))
        took = time.perf_counter() - began
    listed = subprocess.run(["squeue", "--noheader", "--format=%i"], env=env, check=True,
                            capture_output=True, text=True).stdout.split()
    if len(listed) != sum(counts):
        raise RuntimeError(f"{sum(counts)} jobs were accepted, {len(listed)} are listed")
    subprocess.run(["scancel", "--user=root"], env=env, check=True)
    return sum(counts) / took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1)
    arguments = parser.parse_args()
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(accepted_by_nucleus(arguments.seconds))
        with private_slurm() as env:
            theirs.append(accepted_by_slurm(arguments.seconds, env))
    for name, rates in (("starts accepted by Nucleus (A)", ours),
                        ("held jobs accepted by Slurm, by sbatch (B)", theirs)):
        print(f"  {name:<50} {p50(rates):>8.0f}/s   n {len(rates)}")
    ratio = p50(ours) / p50(theirs)
    judge(f"at least {GOAL_PER_S} starts a second", -p50(ours), -GOAL_PER_S, f"{p50(ours):.0f}/s")
    judge(f"A / B at least {GOAL_RATIO} (medians)", -ratio, -GOAL_RATIO, f"{ratio:.1f}")
    show_load()


if __name__ == "__main__":
    main()
