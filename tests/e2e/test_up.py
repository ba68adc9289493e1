"""nucleus up, status and down, with all real programs and simulated hosts."""
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess

from conftest import BIN, SERVICES, start_time, wait_until
from http_client import http_get, operator_of
from machines import Rest

PROCESSES = {"redis", *SERVICES}


def test_up_returns_with_everything_ready(make_deployment):
    deployment = make_deployment("--simulated", "--hosts", "4")
    deployment.up()
    status = deployment.status()
    assert status["is_ready"]
    assert {p["name"] for p in status["processes"]} == PROCESSES
    assert {p["health"] for p in status["processes"]} == {"healthy"}
    assert [h["state"] for h in status["hosts"]] == ["up"] * 4
    assert set(deployment.pids()) == PROCESSES | {"supervisor"}


def test_the_environment_file_is_private_and_its_url_answers(deployment):
    assert stat.S_IMODE((deployment.state / "env").stat().st_mode) == 0o600
    env = deployment.env()
    for name in ("NUCLEUS_TOKEN", "NUCLEUS_API_KEY_NAME", "NUCLEUS_API_KEY_SECRET",
                 "NUCLEUS_EVENTS", "NUCLEUS_EVENTS_SERVER_KEY", "NUCLEUS_EVENTS_PUBLIC_KEY",
                 "NUCLEUS_EVENTS_SECRET_KEY"):
        assert env[name], name
    assert len(env["NUCLEUS_TOKEN"]) == 40
    assert http_get(env["NUCLEUS_URL"] + "/healthz")[0] == 200


def test_up_again_changes_nothing(deployment):
    processes, env = deployment.processes(), deployment.env()
    deployment.up()
    assert deployment.processes() == processes
    assert deployment.env() == env


def test_each_killed_process_comes_back_once(deployment):
    for name in sorted(PROCESSES):
        killed = deployment.pids()[name]
        os.kill(killed, signal.SIGKILL)
        back = wait_until(lambda n=name, k=killed: (deployment.pids().get(n) or k) != k, name)
        assert back
    wait_until(lambda: deployment.status()["is_ready"], "all healthy again")
    assert {p["restarts"] for p in deployment.status()["processes"]} == {1}


def test_the_next_supervisor_adopts_the_processes_of_a_killed_one(deployment):
    before = deployment.processes()
    os.kill(before["supervisor"][0], signal.SIGKILL)
    wait_until(lambda: start_time(before["supervisor"][0]) is None, "the supervisor's end")
    deployment.up()
    after = deployment.processes()
    assert after.pop("supervisor") != before.pop("supervisor")
    assert after == before


def test_a_process_that_ended_without_a_supervisor_is_started_by_the_next_up(deployment):
    before = deployment.processes()
    for name in ("supervisor", "network"):
        os.kill(before[name][0], signal.SIGKILL)
    wait_until(lambda: start_time(before["network"][0]) is None, "the network's end")
    deployment.up()
    after = deployment.processes()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"supervisor", "network"}


def test_two_deployments_run_side_by_side_and_stop_independently(make_deployment):
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


def test_down_stops_a_deployment_whose_supervisor_is_dead(deployment):
    processes = deployment.processes()
    os.kill(processes["supervisor"][0], signal.SIGKILL)
    os.kill(processes["scheduler"][0], signal.SIGSTOP)
    deployment.down()
    assert [name for name, (pid, start) in processes.items() if start_time(pid) == start] == []


def test_clusters_and_tokens_outlive_down(deployment):
    env = deployment.env()
    deployment.nucleus("cluster", "create", "kept", "--computes", "2")
    deployment.down()
    deployment.up()
    assert deployment.env() == env
    again = deployment.nucleus("cluster", "create", "kept", "--computes", "2", check=False)
    assert again.returncode == 1
    assert "the name is taken: kept" in again.stderr


def test_down_ends_computesets_so_that_the_time_after_is_not_charged(deployment):
    deployment.nucleus("cluster", "create", "paid", "--computes", "2")
    number = Rest(deployment.env()).start("paid", count=2)
    wait_until(lambda: Rest(deployment.env()).computeset(number)["state"] == "running",
               "a running computeset")
    deployment.down()
    deployment.up()
    rest = Rest(deployment.env())
    assert rest.computeset(number)["state"] == "completed"
    assert rest.start("paid", count=2) != number


def test_an_address_in_use_is_named_and_refused(make_deployment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        deployment = make_deployment("--simulated", "--hosts", "1", "--listen", address)
        refused = deployment.up(check=False)
    assert refused.returncode == 1
    assert address in refused.stderr
    assert deployment.pids() == {}


def test_invalid_arguments_are_named_and_start_nothing(make_deployment):
    for options in (["--listen", "nowhere"], ["--simulated", "--hosts", "0"],
                    ["--hosts", "two"], ["--listen", "127.0.0.1:99999"], ["--nonsense"]):
        deployment = make_deployment(*options)
        refused = deployment.up(check=False)
        assert refused.returncode == 2, options
        assert options[-2 if len(options) > 1 else 0].lstrip("-") in refused.stderr, options
        assert not (deployment.state / "run" / "processes.json").exists()


def test_the_command_prints_its_version():
    printed = subprocess.run([BIN / "nucleus", "--version"], capture_output=True, text=True,
                          check=True)
    assert re.fullmatch(r"nucleus \d+\.\d+\.\d+\n", printed.stdout)


def test_a_host_is_drained_and_resumed(deployment):
    deployment.nucleus("host", "drain", "sim-0002", "--reason", "new memory")
    states = {h["name"]: h["state"] for h in deployment.status()["hosts"]}
    assert states["sim-0002"] == "drained"
    deployment.nucleus("host", "resume", "sim-0002")
    states = {h["name"]: h["state"] for h in deployment.status()["hosts"]}
    assert states["sim-0002"] == "up"
    unknown = deployment.nucleus("host", "drain", "sim-9999", check=False)
    assert (unknown.returncode, "sim-9999" in unknown.stderr) == (1, True)


def test_a_drained_gateway_accepts_no_requests_until_it_is_restarted(deployment):
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


def test_status_reports_services_that_cannot_commit_while_redis_is_down(deployment):
    redis = deployment.pids()["redis"]
    os.kill(redis, signal.SIGSTOP)
    try:
        healthy = {p["name"] for p in deployment.status()["processes"] if p["health"] == "healthy"}
        assert healthy <= {"bus", "provisioner"}  # a host keeps its own state
        assert deployment.process("scheduler")["health"] == "waiting for redis"
        assert not deployment.status()["is_ready"]
    finally:
        os.kill(redis, signal.SIGCONT)
    wait_until(lambda: deployment.status()["is_ready"], "all healthy again")


def test_status_says_why_it_lists_no_hosts(deployment):
    scheduler = deployment.pids()["scheduler"]
    deployment.nucleus("process", "drain", "scheduler")
    shown = deployment.nucleus("status", check=False)
    assert (shown.returncode, "\nhosts are not listed: " in shown.stdout) == (1, True), shown.stdout
    assert deployment.status()["hosts_reason"]
    os.kill(scheduler, signal.SIGTERM)
    wait_until(lambda: deployment.status()["is_ready"], "all healthy again")
    assert not deployment.status()["hosts_reason"]


def test_status_says_how_a_process_ended(deployment):
    assert deployment.process("network")["last_end"] is None
    os.kill(deployment.pids()["network"], signal.SIGKILL)
    wait_until(lambda: deployment.process("network")["restarts"] == 1, "a restart")
    assert deployment.process("network")["last_end"] == {"kind": "signalled", "code": 9}


def test_a_state_directory_with_other_content_is_refused_and_left_alone(make_deployment):
    deployment = make_deployment("--simulated", "--hosts", "1")
    (deployment.state / "thesis.tex").write_text("mine")
    (deployment.state / "logs").mkdir()
    for path in (deployment.state, deployment.state / "logs"):
        path.chmod(0o755)
    refused = deployment.up(check=False)
    assert refused.returncode == 2
    assert "neither empty nor a state directory" in refused.stderr
    assert {path.name for path in deployment.state.iterdir()} == {"thesis.tex", "logs"}
    for path in (deployment.state, deployment.state / "logs"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_refused_cluster_or_person_leaves_nothing_behind(deployment):
    def projects_and_allocations():
        operator = operator_of(deployment)
        return operator.get("/v2/projects"), operator.get("/v2/allocations")

    deployment.nucleus("cluster", "create", "taken", "--computes", "0")
    before = projects_and_allocations()
    for words in (["cluster", "create", "taken", "--computes", "1"],
                  ["cluster", "create", "other", "--computes", "1", "--project", "none"],
                  ["cluster", "create", "other", "--computes", "1", "--image", "none"],
                  ["person", "create", "not a name", "--project", "fresh"],
                  ["person", "create", "admin", "--project", "fresh"]):
        refused = deployment.nucleus(*words, check=False)
        assert refused.returncode in (1, 2), words
        assert projects_and_allocations() == before, words


def test_an_expired_certificate_is_refused(make_deployment, tmp_path):
    """`openssl ca` is what can set both dates of a certificate."""
    (tmp_path / "index").touch()
    (tmp_path / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={tmp_path}/index\nnew_certs_dir={tmp_path}\n"
        "rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    for words in (["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
                   "site.key", "-out", "site.csr"],
                  ["ca", "-batch", "-selfsign", "-config", "ca.cnf", "-keyfile", "site.key", "-in",
                   "site.csr", "-out", "site.pem", "-notext", "-startdate", "20200101000000Z",
                   "-enddate", "20200102000000Z"]):
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    deployment = make_deployment("--simulated", "--hosts", "1", "--tls-certificate",
                                 tmp_path / "site.pem", "--tls-key", tmp_path / "site.key")
    refused = deployment.up(check=False)
    assert refused.returncode == 2
    assert "site.pem: expired on 2020-01-02" in refused.stderr
    assert deployment.pids() == {}
