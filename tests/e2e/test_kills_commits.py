"""kill -9 of the real provisioner at each commit of its records, from a power-on to the end of the
computeset: within each commit, and between each two (kill_at_commit.c)."""
import os
import subprocess

import pytest

from conftest import ROOT, Machines, a_deployment, wait_until
from kills import OwnCluster
from machines import TIMEOUT_S

COMMITS_MAX = 60  # of a power-on and its end; fewer, unless something commits all the time


class Trap:
    """The file that says at which commit the provisioner is killed."""

    def __init__(self, path):
        self.path = path

    def set(self, moment, count):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{moment} {count}\n")
        os.replace(fresh, self.path)

    def is_set(self):
        return self.path.exists()


@pytest.fixture(scope="module", name="trap")
def trap_fixture(tmp_path_factory):
    """Loaded into every process of the deployment; only the provisioner has an SQLite file."""
    folder = tmp_path_factory.mktemp("trap")
    built = subprocess.run(["gcc-12", "-shared", "-fPIC", "-Wall", "-Werror", "-o",
                            folder / "trap.so", ROOT / "tests/e2e/kill_at_commit.c", "-ldl"],
                           text=True, capture_output=True, check=False)
    assert built.returncode == 0, built.stderr
    return Trap(folder / "at")


@pytest.fixture(scope="module", name="own")
def own_fixture(tiny_guest, trap):
    settings = {"LD_PRELOAD": trap.path.with_name("trap.so"), "KILL_AT_COMMIT": trap.path,
                "NUCLEUS_PROVISIONER_ACCELERATOR": "tcg"}
    with a_deployment(settings=settings) as deployment:
        with OwnCluster(Machines(deployment, tiny_guest), "commits") as own:
            yield own


@pytest.mark.parametrize("moments", [["within"], ["after", "before"]], ids=["within", "between"])
def test_a_power_on_survives_a_kill_at_each_commit(own, trap, moments):
    """Between two commits: right after the first, or right before the second, in turn."""
    kills = 0
    frontend = own.emulators()[f"{own.name}/{own.name}"]
    for count in range(1, COMMITS_MAX):
        restarts = own.machines.deployment.process("provisioner")["restarts"]
        before = set(own.client.sets())
        trap.set(moments[count % len(moments)], count)
        number = own.client.start(own.name, own.computes)
        own.wait_active()
        assert set(own.client.sets()) == before | {number}
        own.check_world([own.name, *own.computes])
        own.stop(number)
        assert own.emulators()[f"{own.name}/{own.name}"] == frontend
        if trap.is_set():
            break
        kills += 1
        wait_until(lambda: own.machines.deployment.process("provisioner")["restarts"]
                   == restarts + 1, "one restart for each kill", TIMEOUT_S)
    trap.path.unlink(missing_ok=True)
    print(f"\n{kills} commits, killed {moments}")
    assert 4 <= kills < COMMITS_MAX - 1
