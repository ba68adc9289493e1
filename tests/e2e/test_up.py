"""nucleus up, status, down: with every real program, Redis and ZeroMQ; simulated hosts."""
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import urllib.request

from conftest import BIN, start_time, wait_until
from machines import Rest

SERVICES = {"redis", "bus", "registry", "scheduler", "network", "image_store", "console",
            "overhead", "gateway", "provisioner"}


def test_up_returns_with_everything_ready(make_deployment):
    deployment = make_deployment("--simulated", "--hosts", "4")
    deployment.up()
    status = deployment.status()
    assert status["is_ready"]
    assert {p["name"] for p in status["processes"]} == SERVICES
    assert {p["health"] for p in status["processes"]} == {"healthy"}
    assert [h["state"] for h in status["hosts"]] == ["up"] * 4
    assert set(deployment.pids()) == SERVICES | {"supervisor"}


def test_the_environment_file_is_private_and_its_url_answers(deployment):
    assert stat.S_IMODE((deployment.state / "env").stat().st_mode) == 0o600
    env = deployment.env()
    for name in ("NUCLEUS_TOKEN", "NUCLEUS_API_KEY_NAME", "NUCLEUS_API_KEY_SECRET",
                 "NUCLEUS_EVENTS", "NUCLEUS_EVENTS_SERVER_KEY", "NUCLEUS_EVENTS_PUBLIC_KEY",
                 "NUCLEUS_EVENTS_SECRET_KEY"):
        assert env[name], name
    assert len(env["NUCLEUS_TOKEN"]) == 40
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(env["NUCLEUS_URL"] + "/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_up_again_changes_nothing(deployment):
    processes, env = deployment.processes(), deployment.env()
    deployment.up()
    assert deployment.processes() == processes
    assert deployment.env() == env


def test_each_killed_process_comes_back_once(deployment):
    for name in sorted(SERVICES):
        killed = deployment.pids()[name]
        os.kill(killed, signal.SIGKILL)
        back = wait_until(lambda n=name, k=killed: (deployment.pids().get(n) or k) != k, name)
        assert back
    wait_until(lambda: deployment.status()["is_ready"], "all healthy again")
    assert {p["restarts"] for p in deployment.status()["processes"]} == {1}


def test_a_killed_supervisor_is_taken_over_without_harm(deployment):
    before = deployment.processes()
    os.kill(before["supervisor"][0], signal.SIGKILL)
    wait_until(lambda: start_time(before["supervisor"][0]) is None, "the supervisor's end")
    deployment.up()
    after = deployment.processes()
    assert after.pop("supervisor") != before.pop("supervisor")
    assert after == before


def test_a_child_that_died_without_a_supervisor_is_started_by_the_next_up(deployment):
    before = deployment.processes()
    for name in ("supervisor", "network"):
        os.kill(before[name][0], signal.SIGKILL)
    wait_until(lambda: start_time(before["network"][0]) is None, "the network's end")
    deployment.up()
    after = deployment.processes()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"supervisor", "network"}


def test_two_run_side_by_side_and_one_ends_alone(make_deployment):
    first = make_deployment("--simulated", "--hosts", "1")
    second = make_deployment("--simulated", "--hosts", "2")
    first.up()
    second.up()
    assert len(first.status()["hosts"]) == 1
    assert len(second.status()["hosts"]) == 2
    first.nucleus("cluster", "create", "mine", "--computes", "1")
    second.nucleus("cluster", "create", "mine", "--computes", "1")
    first.down()
    assert second.status()["is_ready"]


def test_down_leaves_no_process_and_no_socket(deployment):
    processes = deployment.processes()
    deployment.down()
    for name, (pid, start) in processes.items():
        assert start_time(pid) != start, name
    named = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")
             if str(deployment.state).encode() in read(p)]
    assert named == []
    assert deployment.pids() == {}
    assert not [p for p in deployment.state.rglob("*") if p.is_socket()]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_down_ends_a_deployment_whose_supervisor_is_dead(deployment):
    processes = deployment.processes()
    os.kill(processes["supervisor"][0], signal.SIGKILL)
    os.kill(processes["scheduler"][0], signal.SIGSTOP)
    deployment.down()
    assert [name for name, (pid, start) in processes.items() if start_time(pid) == start] == []


def test_what_was_made_and_the_token_outlive_down(deployment):
    env = deployment.env()
    deployment.nucleus("cluster", "create", "kept", "--computes", "2")
    deployment.down()
    deployment.up()
    assert deployment.env() == env
    again = deployment.nucleus("cluster", "create", "kept", "--computes", "2", check=False)
    assert again.returncode == 1
    assert "kept is taken" in again.stderr


def test_down_ends_computesets_so_that_nobody_pays_for_the_time_after(deployment):
    deployment.nucleus("cluster", "create", "paid", "--computes", "2")
    number = Rest(deployment.env()).start("paid", count=2)
    wait_until(lambda: Rest(deployment.env()).computeset(number)["state"] == "running",
               "a running computeset")
    deployment.down()
    deployment.up()
    rest = Rest(deployment.env())
    assert rest.computeset(number)["state"] == "completed"
    assert rest.start("paid", count=2) != number


def test_an_address_in_use_is_refused_by_name(make_deployment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        deployment = make_deployment("--simulated", "--hosts", "1", "--listen", address)
        refused = deployment.up(check=False)
    assert refused.returncode == 1
    assert address in refused.stderr
    assert deployment.pids() == {}


def test_bad_arguments_say_which_and_start_nothing(make_deployment):
    for options in (["--listen", "nowhere"], ["--simulated", "--hosts", "0"],
                    ["--hosts", "two"], ["--listen", "127.0.0.1:99999"], ["--nonsense"]):
        deployment = make_deployment(*options)
        refused = deployment.up(check=False)
        assert refused.returncode == 2, options
        assert options[-2 if len(options) > 1 else 0].lstrip("-") in refused.stderr, options
        assert not (deployment.state / "run" / "processes.json").exists()


def test_the_command_tells_its_version():
    told = subprocess.run([BIN / "nucleus", "--version"], capture_output=True, text=True,
                          check=True)
    assert re.fullmatch(r"nucleus \d+\.\d+\.\d+\n", told.stdout)


def test_a_drained_host_is_told_and_resumed(deployment):
    deployment.nucleus("host", "drain", "sim-0002", "--reason", "new memory")
    states = {h["name"]: h["state"] for h in deployment.status()["hosts"]}
    assert states["sim-0002"] == "drained"
    deployment.nucleus("host", "resume", "sim-0002")
    states = {h["name"]: h["state"] for h in deployment.status()["hosts"]}
    assert states["sim-0002"] == "up"
    unknown = deployment.nucleus("host", "drain", "sim-9999", check=False)
    assert (unknown.returncode, "sim-9999" in unknown.stderr) == (1, True)


def test_a_drained_gateway_takes_nothing_new_until_it_starts_again(deployment):
    rest = Rest(deployment.env())
    gateway = deployment.pids()["gateway"]
    deployment.nucleus("process", "drain", "gateway")
    for method, path in (("GET", "/healthz"), ("GET", "/v2/clusters"), ("POST", "/v2/clusters")):
        refused = rest.ask(method, path)
        assert (refused.status_code, "no new requests" in refused.text) == (503, True), path
        assert int(refused.headers["Retry-After"]) > 0, path
    assert rest.ask("GET", "/metrics").status_code == 200
    os.kill(gateway, signal.SIGTERM)
    wait_until(lambda: deployment.process("gateway")["health"] == "healthy" and
               deployment.pids()["gateway"] != gateway, "the gateway's next start")
    assert rest.ask("GET", "/v2/clusters").status_code == 200
