"""Kills processes at random moments of a power-on, and a client that copes with it.

NUCLEUS_KILL_SEED repeats a run; NUCLEUS_KILL_MOMENTS is the number of kills of each process.
"""
import os
import random
import signal
import threading

import requests

from conftest import wait_until
from machines import TIMEOUT_S


def chosen_seed():
    seed = int(os.environ.get("NUCLEUS_KILL_SEED", 0)) or random.SystemRandom().randrange(1, 10**9)
    print(f"\nNUCLEUS_KILL_SEED={seed}")
    return seed


class Killer:
    """Kills one process after a delay, in a thread of its own."""

    def __init__(self, deployment, name, after_s):
        self.deployment, self.name = deployment, name
        self.pid = deployment.pids()[name]
        self.timer = threading.Timer(after_s, os.kill, (self.pid, signal.SIGKILL))

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.join()

    def wait_back(self):
        """Waits for its successor; `up` starts that of a supervisor."""
        self.timer.join()
        if self.name == "supervisor":
            self.deployment.up()
        wait_until(lambda: self.deployment.pids().get(self.name, self.pid) != self.pid,
                   f"another {self.name}", TIMEOUT_S)


class CarefulClient:
    """Repeats requests until it knows the outcome; after a lost answer it first reads the state."""

    def __init__(self, rest):
        self.rest = rest

    def ask(self, method, path, **more):
        """The answer if it is definite; None if the outcome is unknown."""
        try:
            answer = self.rest.ask(method, path, **more)
        except requests.RequestException:
            return None
        return answer if answer.status_code < 500 else None

    def read(self, path):
        def answered():  # in a list, because a refusal is false
            answer = self.ask("GET", path)
            return None if answer is None else [answer]
        [answer] = wait_until(answered, f"an answer of {path}", TIMEOUT_S)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer

    def get(self, path):
        return self.read(path).json()

    def sets(self):
        return {one["id"]: one for one in self.get("/nucleus/v1/computeset/")}

    def start(self, cluster, computes):
        """The id of the one computeset that this request created."""
        known = set(self.sets())
        body = {"cluster": cluster, "computes": computes}

        def made():
            answer = self.ask("POST", "/nucleus/v1/computeset/", json=body)
            if answer is not None and answer.status_code == 201:
                assert answer.json()["id"] not in known
                return answer.json()["id"]
            fresh = set(self.sets()) - known
            assert len(fresh) <= 1, f"one request created {fresh}"
            # A refusal means that an earlier attempt was accepted, which is then visible.
            assert answer is None or "is in computeset" in answer.text, answer.text
            return fresh.pop() if fresh else None
        return wait_until(made, f"a computeset of {computes}", TIMEOUT_S)

    def stop(self, number):
        path = f"/nucleus/v1/computeset/{number}"

        def is_over():
            state = self.get(path + "/")["state"]
            if state == "running":
                self.ask("PUT", path + "/poweroff")
            return state == "completed"
        wait_until(is_over, f"computeset {number} is completed", TIMEOUT_S)

    def computes(self, cluster):
        return {one["name"]: one for one in
                self.get(f"/nucleus/v1/cluster/{cluster}/")["computes"]}

    def power_on(self, cluster, compute=None):
        """One attempt, for the frontend if no compute is named; the answer may be lost."""
        where = f"compute/{compute}" if compute else "frontend"
        self.ask("PUT", f"/nucleus/v1/cluster/{cluster}/{where}/poweron")
