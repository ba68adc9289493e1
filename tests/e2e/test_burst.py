"""Jobs of a campus's own Slurm run on computes of a cluster, which start for them and stop when
they are idle."""
import contextlib

import pytest

from campus import Campus
from conftest import Machines, a_deployment, wait_until

NODES = ["vm-hpc-00", "vm-hpc-01"]


@pytest.fixture(scope="module", name="machines")
def machines_fixture(tiny_guest):
    # The tiny guest does not react to a graceful shutdown.
    with a_deployment(settings={"NUCLEUS_SCHEDULER_SHUTDOWN_MS": 2000}) as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("hpc", 2)
        yield machines


@contextlib.contextmanager
def a_campus(machines, **more):
    """No computeset is left from campus to campus."""
    rest = machines.rest
    with Campus(rest, "hpc", "vm-hpc-[00-01]", **more) as campus:
        yield campus
    for computeset in computesets(rest, "?state=submitted&state=running"):
        rest.ask("POST", f"/v2/computesets/{computeset['computeset_id']}/power",
                 json={"action": "off"})
    wait_until(lambda: not computesets(rest, "?state=running&state=ending"), "the end of all")


@pytest.fixture(name="campus")
def campus_fixture(machines):
    with a_campus(machines) as campus:
        yield campus


@pytest.fixture(name="impatient")
def impatient_fixture(machines):
    """It gives up soon."""
    with a_campus(machines, resume_timeout_s=10) as campus:
        yield campus


def computesets(rest, query=""):
    return rest.get("/v2/computesets" + query)["computesets"]


def usage(rest):
    return {entry["computeset_id"]: entry for entry in rest.get("/v2/usage")["entries"]}


def are_idle(campus):
    """Both nodes are off, as Slurm sees them."""
    return [campus.node(name) for name in NODES] == ["idle~"] * 2


def test_nodes_run_for_a_job_and_are_off_when_they_are_idle(machines, campus, tmp_path):
    rest = machines.rest
    before = len(computesets(rest))
    output = tmp_path / "output"
    job = campus.submit("--nodes=2", f"--wrap=srun sh -c 'echo $SLURMD_NODENAME' >{output}")
    campus.wait(lambda: campus.job(job) == "COMPLETED", "the job runs")
    assert sorted(output.read_text().split()) == NODES
    computeset, *others = computesets(rest)[before:]
    assert (len(computeset["nodes"]), computeset["walltime_mins"], others) == (2, 2880, [])

    campus.wait(lambda: are_idle(campus), "the nodes are suspended")
    path = f"/v2/computesets/{computeset['computeset_id']}"
    campus.wait(lambda: rest.get(path)["state"] == "completed", "the computeset ends")
    assert machines.host.domains() == set()
    charged = usage(rest)[computeset["computeset_id"]]
    assert charged["end_unix_s"] > 0 and charged["used_core_s"] > 0
    assert campus.logged() == ""


def test_a_node_is_suspended_while_a_job_runs_on_the_other(machines, campus):
    rest = machines.rest
    both = campus.submit("--nodes=2", "--wrap=true")
    one = campus.submit("--nodelist=" + NODES[0], "--wrap=exec sleep infinity")
    campus.wait(lambda: campus.job(one) == "RUNNING", "the second job runs")
    assert campus.job(both) == "COMPLETED"
    [computeset] = computesets(rest, "?state=running")
    path = f"/v2/computesets/{computeset['computeset_id']}"
    emulator = machines.host.emulators()["hpc/" + NODES[0]]
    campus.wait(lambda: campus.node(NODES[1]) == "idle~", "the idle node is suspended")
    campus.wait(lambda: len(rest.get(path)["nodes"]) == 1, "it has left the computeset")
    assert machines.host.emulators() == {"hpc/" + NODES[0]: emulator}
    assert (campus.job(one), rest.get(path)["state"]) == ("RUNNING", "running")
    charged = usage(rest)[computeset["computeset_id"]]
    assert (charged["cores"], charged["end_unix_s"]) == (1, 0)
    campus.run("scancel", one)
    campus.wait(lambda: are_idle(campus), "the other node is suspended")
    campus.wait(lambda: rest.get(path)["state"] == "completed", "the computeset ends")
    assert campus.logged() == ""


def wait_for_requeue(campus, job):
    """Slurm has given up the nodes, and the job waits again."""
    campus.wait(lambda: campus.run("squeue", "--noheader", "--format=%T|%r", "--jobs", job) ==
                "PENDING|BeginTime", "the job is requeued")
    assert [campus.node(name) for name in NODES] == ["down~"] * 2


def test_a_refused_start_returns_the_job_to_the_queue_and_is_not_charged(machines, impatient):
    rest, allocation = machines.rest, "/v2/allocations/demo"
    before = computesets(rest), usage(rest)
    limited = machines.operator.ask("PUT", allocation,
                                    json={"project_id": "demo", "limit_core_s": 3600})
    assert limited.status_code == 200, limited.text
    try:
        job = impatient.submit("--nodes=2", "--wrap=true")
        wait_for_requeue(impatient, job)
    finally:
        machines.operator.ask("PUT", allocation, json={"project_id": "demo", "is_closed": False})
    assert impatient.logged().startswith(
        "cm: vm-hpc-[00-01]: not resumed: allocation demo has "), impatient.logged()
    assert impatient.logged().count("\n") == 1
    assert (computesets(rest), usage(rest)) == before


def test_a_start_that_waits_ends_when_slurm_gives_up_and_is_not_charged(machines, impatient):
    rest = machines.rest
    before = usage(rest)
    host = machines.operator.get("/v2/hosts")["hosts"][0]["host_id"]
    machines.deployment.nucleus("host", "drain", host, "--reason", "no room")
    try:
        job = impatient.submit("--nodes=2", "--wrap=true")
        [computeset] = impatient.wait(lambda: computesets(rest, "?state=submitted"), "it waits")
        wait_for_requeue(impatient, job)
        path = f"/v2/computesets/{computeset['computeset_id']}"
        impatient.wait(lambda: rest.get(path)["state"] == "cancelled", "it is cancelled")
    finally:
        machines.deployment.nucleus("host", "resume", host)
    assert usage(rest) == before
    assert impatient.logged() == ""
