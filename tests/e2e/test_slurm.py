"""Computesets as jobs of a real Slurm, which shares the hosts of a rack with ordinary jobs."""
import os
import re
import subprocess

import pytest

from conftest import BIN, Machines, a_deployment, wait_until
from machines import Host, run
from rack import hosts_of, provisioner, state_of, stopped

NODES = ["vm-left-00", "vm-left-01"]


class Slurm:
    def __init__(self, deployment):
        self.env = os.environ | {"SLURM_CONF": str(deployment.state / "slurm" / "slurm.conf")}

    def run(self, *argv):
        return run(*argv, env=self.env).strip()

    def job(self, job_id, field):
        return self.run("squeue", "--noheader", "--states=all", f"--format={field}", "--jobs",
                        str(job_id))

    def start_ordinary_job(self, *options):
        return self.run("sbatch", "--parsable", "--exclusive", "--time=10", "--output=/dev/null",
                        "--chdir=/", "--no-requeue", *options, "--wrap=exec sleep infinity")

    def node(self, name):
        """(state, reason)"""
        shown = self.run("sinfo", "--noheader", "--Node", "--nodes", name, "--format=%T|%E")
        return tuple(shown.split("|", 1))


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest):
    """Three hosts, the last two of them Slurm's, and cluster `left`, whose frontend runs."""
    with a_deployment("--rack", "3", "--with-slurm") as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("left", 2)
        machines.rest.power("left", "poweron")
        yield machines


@pytest.fixture(name="slurm")
def slurm_fixture(rack):
    """No job is left from test to test, and no node is drained."""
    slurm = Slurm(rack.deployment)
    yield slurm
    slurm.run("scancel", "--user=root")
    for name in ("rack-2", "rack-3"):
        if slurm.node(name)[0].startswith("drain"):
            slurm.run("scontrol", "update", f"NodeName={name}", "State=RESUME")
    wait_until(lambda: all(slurm.node(name)[0] == "idle" for name in ("rack-2", "rack-3")),
               "idle nodes", 60)


def emulators(rack, names=("rack-2", "rack-3")):
    """The QEMU processes of computes, by domain."""
    found = {}
    for name in names:
        found |= Host.joined(state_of(rack, name)).emulators()
    return found


def start(rack):
    """A computeset whose nodes run; its v2 body."""
    number = rack.rest.start("left", count=2)
    rack.rest.wait_state("left", "active", nodes=NODES)
    return rack.rest.get(f"/v2/computesets/{number}")


def end(rack, number, action):
    rack.rest.command("PUT", f"/nucleus/v1/computeset/{number}/{action}")


def test_nodes_run_on_the_hosts_of_their_job(rack, slurm):
    computeset = start(rack)
    assert slurm.job(computeset["batch_job"], "%j|%T|%N") == \
        f"nucleus-{computeset['computeset_id']}|RUNNING|rack-[2-3]"
    hosts = hosts_of(rack, "left")
    assert hosts["left"] == "rack-1"
    assert {hosts[name] for name in NODES} == {"rack-2", "rack-3"}
    assert len(emulators(rack)) == 2

    ordinary = slurm.start_ordinary_job("--nodes=2")
    wait_until(lambda: slurm.job(ordinary, "%T|%r") == "PENDING|Resources", "it waits for the VMs")
    end(rack, computeset["computeset_id"], "poweroff")
    wait_until(lambda: slurm.job(ordinary, "%T") == "RUNNING", "the ordinary job runs")
    assert emulators(rack) == {}
    assert rack.rest.computeset(computeset["computeset_id"])["state"] == "completed"


def test_the_next_job_starts_when_no_node_is_left(rack, slurm):
    computeset = start(rack)
    ordinary = slurm.start_ordinary_job("--nodes=2")
    slurm.run("scancel", computeset["batch_job"])
    wait_until(lambda: slurm.job(ordinary, "%T") == "RUNNING", "the ordinary job runs")
    assert emulators(rack) == {}, "the Epilog waited for the end of the nodes"
    ended = rack.rest.get(f"/v2/computesets/{computeset['computeset_id']}")
    assert ended["reason"] == f"its batch job {computeset['batch_job']} was ended"
    assert slurm.node("rack-2")[1] == "none"


def test_a_wait_names_the_job_and_its_reason(rack, slurm):
    ordinary = slurm.start_ordinary_job("--nodes=2")
    wait_until(lambda: slurm.job(ordinary, "%T") == "RUNNING", "the ordinary job runs")
    number = rack.rest.start("left", count=2)

    def explained():
        why = rack.rest.get(f"/v2/computesets/{number}/why")
        return why if "Resources" in why["causes"][0]["reason"] else None
    why = wait_until(explained, "the reason of the job")
    job_id = rack.rest.get(f"/v2/computesets/{number}")["batch_job"]
    assert why["causes"][0]["reason"] == f"waits for batch job {job_id}: Resources"
    assert why["causes"][0]["remedy"].endswith(f"squeue --jobs {job_id}")
    end(rack, number, "poweroff")
    wait_until(lambda: slurm.job(job_id, "%T") == "CANCELLED", "the job is cancelled")


def test_the_prolog_drains_a_host_that_cannot_run_nodes(rack, slurm):
    with stopped(provisioner(rack, "rack-3")):
        ordinary = slurm.start_ordinary_job("--nodelist=rack-3")
        reason = "nucleus prolog: provisioner: not connected to the head"
        wait_until(lambda: slurm.node("rack-3")[1] == reason, "the reason")
        wait_until(lambda: slurm.job(ordinary, "%T") != "RUNNING", "the job's end")
    shown = wait_until(lambda: [host for host in rack.operator.get("/v2/hosts")["hosts"]
                                if reason in host["batch_state"]], "it is shown")
    assert shown[0]["host_id"] == "rack-3"
    shown = rack.deployment.nucleus("host", "list").stdout
    assert re.search(f"batch system: drain(ed|ing): {reason}", shown), shown
    slurm.run("scontrol", "update", "NodeName=rack-3", "State=RESUME")


def test_the_epilog_fails_while_a_node_is_left(rack, slurm):
    start(rack)
    words = ["slurm", "epilog", "--state", state_of(rack, "rack-2"), "--timeout", "1", "--drain",
             "rack-2"]
    epilog = subprocess.run([BIN / "nucleus", *words], env=slurm.env, text=True,
                            capture_output=True, timeout=60, check=False)
    assert epilog.returncode == 1
    assert epilog.stderr.startswith("nucleus epilog: 2 domains and ports are left: ")
    assert slurm.node("rack-2") == ("draining", epilog.stderr.strip())
    slurm.run("scontrol", "update", "NodeName=rack-2", "State=RESUME")
