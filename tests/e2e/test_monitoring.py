"""Prometheus with a real deployment: every /metrics page is valid, every panel and alert has its
series, and an alert fires when a process hangs."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse

import pytest
import yaml

from alertmanager import Alertmanager
from browser import TOOLS, install_tools
from conftest import BIN, ROOT, SERVICES, Deployment, free_port, wait_until
from http_client import http_get
from prometheus import Prometheus

MONITORING = ROOT / "monitoring"
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
PROCESSES = set(SERVICES)
CLUSTER = "unmistakable"
TIMEOUT_S = 60
METRICS_CONNECTIONS_MAX = 50  # of one address
# No simulated host can be measured, nor does it count what its nodes use. The names are held by
# tests/unit/services/overhead/metrics_test.cpp and by test_idle.py.
UNMEASURED = re.compile(r"nucleus_(?:overhead|provisioner_node)_\w+")


class Watched:
    """A deployment with some activity, and a Prometheus that scrapes it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nuc-prom-"))
        self.deployment = Deployment(tempfile.mkdtemp(prefix="nuc-"), "--simulated", "--hosts", "4")
        self.prometheus = self.alertmanager = None

    def start(self):
        self.deployment.up()
        self.env = self.deployment.env()
        self.deployment.nucleus("cluster", "create", CLUSTER, "--computes", "2")
        self.comet("power", "on", CLUSTER)
        self.comet("start", CLUSTER, "--count=2")
        http_get(self.env["NUCLEUS_URL"] + "/v1/cluster/", headers={"Authorization": "Token wrong"})
        self.alertmanager = Alertmanager(self.folder, MONITORING / "alertmanager.yml")
        wait_until(self.alertmanager.is_ready, "Alertmanager is ready", TIMEOUT_S)
        self.prometheus = Prometheus(
            self.folder, free_port(), MONITORING / "prometheus_up.yml",
            {"file_sd_configs": {"files": [str(self.targets)]}}, self.alertmanager.address)
        wait_until(self.prometheus.is_ready, "Prometheus is ready", TIMEOUT_S)

    def comet(self, *words):
        subprocess.run([BIN / "cm", "comet", *words], env={**os.environ, **self.env}, check=True,
                       capture_output=True, timeout=60)

    def stop(self):
        for program in (self.prometheus, self.alertmanager):
            if program:
                program.stop()
        self.deployment.down(check=False)
        shutil.rmtree(self.deployment.state)
        shutil.rmtree(self.folder)

    @property
    def targets(self):
        return self.deployment.state / "monitoring" / "targets.json"

    def urls(self, path):
        """The URL of this page, by process."""
        targets = json.loads(self.targets.read_text())
        return {one["labels"]["process"]: f"http://{one['targets'][0]}{path}" for one in targets}


@pytest.fixture(name="watched", scope="module")
def watched_fixture():
    watched = Watched()
    try:
        watched.start()
        yield watched
    finally:
        watched.stop()


def promtool(*words, text=""):
    return subprocess.run(["promtool", *words], input=text, capture_output=True, text=True,
                          timeout=120)


def panels_of(path):
    return json.loads(path.read_text())["panels"]


def expressions_of(path):
    """(panel, expression as Grafana would send it) of every target."""
    for panel in panels_of(path):
        for target in panel.get("targets", []):
            yield panel["title"], (target["expr"].replace("$__rate_interval", "1m")
                                   .replace("$cluster", ".*"))


def alert_expressions():
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule


def test_every_metrics_page_is_valid(watched):
    pages = watched.urls("/metrics")
    assert set(pages) == PROCESSES
    pages["gateway, beside its API"] = watched.env["NUCLEUS_URL"] + "/metrics"
    for name, url in pages.items():
        status, text = http_get(url)
        assert status == 200, name
        checked = promtool("check", "metrics", text=text)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", ""), name


def test_no_series_contains_an_id(watched):
    for name, url in watched.urls("/metrics").items():
        text = http_get(url)[1]
        assert CLUSTER not in text, name
        assert not re.search(r"n-[0-9a-f]{16}", text), name
        assert "sim-" not in text and "host-0" not in text, name


def test_every_process_reports_that_it_serves(watched):
    for name, url in watched.urls("/healthz").items():
        assert http_get(url) == (200, "serving\n"), name


def test_a_process_that_cannot_commit_says_so_while_redis_is_stopped(watched):
    url = watched.urls("/healthz")["scheduler"]
    redis = watched.deployment.pids()["redis"]
    os.kill(redis, signal.SIGSTOP)
    try:
        wait_until(lambda: http_get(url)[0] == 503 and "redis" in http_get(url)[1], "it says so")
    finally:
        os.kill(redis, signal.SIGCONT)
    wait_until(lambda: http_get(url) == (200, "serving\n"), "it serves again")


def test_silent_connections_of_one_address_close_no_metrics_to_others(watched):
    port = urllib.parse.urlsplit(watched.urls("/metrics")["scheduler"]).port

    def connect():
        return socket.create_connection(("127.0.0.1", port), TIMEOUT_S, ("127.0.0.2", 0))
    with contextlib.ExitStack() as stack:
        for _ in range(METRICS_CONNECTIONS_MAX):
            stack.enter_context(connect())
        refused = stack.enter_context(connect())
        assert refused.recv(100).startswith(b"HTTP/1.1 503 ")
        assert http_get(watched.urls("/healthz")["scheduler"])[0] == 200


def test_configurations_and_rules_are_sound():
    for words in (["check", "config", MONITORING / "prometheus.yml"],
                  ["check", "config", MONITORING / "prometheus_up.yml"],
                  ["check", "config", "--syntax-only", MONITORING / "prometheus_http.yml"],
                  ["check", "rules", MONITORING / "rules.yml", MONITORING / "alerts.yml"],
                  ["test", "rules", MONITORING / "alerts_test.yml",
                   MONITORING / "alerts_week_test.yml"]):
        checked = promtool(*words)
        assert checked.returncode == 0, f"{words}: {checked.stdout}{checked.stderr}"
    checked = subprocess.run(["amtool", "check-config", MONITORING / "alertmanager.yml"],
                             capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_test_and_a_line_in_the_runbook():
    tests = "".join(path.read_text() for path in MONITORING.glob("*_test.yml"))
    runbook = (ROOT / "docs" / "operations.md").read_text().split("## Alerts")[1].split("\n## ")[0]
    for rule in alert_expressions():
        assert re.search(rf"\b{rule['alert']}\b", tests), rule["alert"]
        assert re.search(rf"^\|.*\b{rule['alert']}\b.*\|", runbook, re.M), rule["alert"]


def test_every_alert_has_a_summary_and_an_action():
    names = [rule["alert"] for rule in alert_expressions()]
    assert len(set(names)) == len(names)
    for rule in alert_expressions():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"]["summary"] and rule["annotations"]["action"], rule["alert"]


def test_every_target_is_up_and_no_alert_fires(watched):
    prometheus = watched.prometheus
    wait_until(lambda: prometheus.targets() == dict.fromkeys(PROCESSES, "up"), "all targets are up",
               TIMEOUT_S)
    scrapes = 'count_over_time(up{process="bus"}[1m]) > 10'
    wait_until(lambda: prometheus.query(scrapes), "ten scrapes of a healthy deployment", TIMEOUT_S)
    assert prometheus.firing() == set()


def test_prometheus_finds_its_targets_at_the_gateway(watched, tmp_path):
    token = tmp_path / "operator.token"
    token.write_text(watched.env["NUCLEUS_OPERATOR_TOKEN"])
    discovery = {"url": watched.env["NUCLEUS_URL"] + "/v2/monitoring/targets",
                 "authorization": {"type": "Bearer", "credentials_file": str(token)},
                 "refresh_interval": "1s"}
    prometheus = Prometheus(tmp_path, free_port(), MONITORING / "prometheus_http.yml",
                            {"http_sd_configs": discovery}, watched.alertmanager.address)
    try:
        wait_until(prometheus.is_ready, "Prometheus is ready", TIMEOUT_S)
        wait_until(lambda: prometheus.targets() == dict.fromkeys(PROCESSES, "up"),
                   "all targets are up", TIMEOUT_S)
    finally:
        prometheus.stop()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_complete(path):
    """Checks what Grafana would silently correct or leave blank."""
    board = json.loads(path.read_text())
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36
    assert board["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not taken & cells, f"{panel['title']} overlaps another"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("stat", "timeseries"), panel["title"]
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        letters = [target["refId"] for target in panel["targets"]]
        assert letters and len(set(letters)) == len(letters), panel["title"]


def faults_of_types(folder, boards):
    """What the compiler says of dashboards, given as text by name, as values of Grafana's type."""
    install_tools()
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    shutil.copy(ROOT / "tests" / "e2e" / "dashboards" / "board.ts", folder)
    for name, text in boards.items():
        (folder / f"{name}.ts").write_text(
            f'import type {{ Board }} from "./board.js";\nexport const board: Board = {text};\n')
    return subprocess.run(
        [TOOLS / "node_modules" / ".bin" / "tsc", "--noEmit", "--strict", "--skipLibCheck",
         "--module", "nodenext", "--target", "es2022", *(f"{name}.ts" for name in boards)],
        cwd=folder, capture_output=True, text=True, timeout=300).stdout


def test_dashboards_have_the_types_of_grafana(tmp_path):
    boards = {path.stem: path.read_text() for path in DASHBOARDS}
    boards["broken"] = boards["operator"].replace('"unit": ', '"unitt": ', 1)
    faults = faults_of_types(tmp_path, boards)
    assert "'\"unitt\"' does not exist" in faults
    assert [line for line in faults.splitlines() if line.startswith(tuple(boards))] == [
        line for line in faults.splitlines() if line.startswith("broken.ts")], faults


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_shows_series_of_a_real_deployment(watched, path):
    for title, expression in expressions_of(path):
        if UNMEASURED.search(expression):
            assert watched.prometheus.api("query", query=expression)["status"] == "success", title
            continue
        wait_until(lambda: watched.prometheus.query(expression),
                   f"{path.stem}: {title}: {expression}", TIMEOUT_S)


def test_every_series_of_an_alert_exists(watched):
    source = (ROOT / "services" / "overhead" / "metrics.hpp").read_text()
    for rule in alert_expressions():
        watched.prometheus.query(rule["expr"])
        for name in re.findall(r"(?:\w+:)?\bnucleus_\w+(?::\w+)?|\bup\b", rule["expr"]):
            if UNMEASURED.fullmatch(name):
                assert f'"{name}"' in source, rule["alert"]
            else:
                wait_until(lambda: watched.prometheus.query(name), f"{rule['alert']}: {name}",
                           TIMEOUT_S)


def test_an_alert_fires_while_a_process_hangs_and_ends_with_it(watched):
    prometheus, pid = watched.prometheus, watched.deployment.pids()["network"]
    alert = ("NucleusProcessDown", "network")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: alert in prometheus.firing(), "the alert fires", TIMEOUT_S)
        assert prometheus.targets()["network"] == "down"
        assert prometheus.targets()["scheduler"] == "up"
        received = watched.alertmanager.receiver.received
        wait_until(lambda: ("/pages", *alert, "firing") in received, "it is received", TIMEOUT_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: alert not in prometheus.firing(), "the alert ends", TIMEOUT_S)
    wait_until(lambda: ("/pages", *alert, "resolved") in received, "its end is received", TIMEOUT_S)


def test_an_alert_fires_while_redis_is_down(watched):
    prometheus, pid = watched.prometheus, watched.deployment.pids()["redis"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: any(name == "NucleusRedisDown" for name, _ in prometheus.firing()),
                   "the alert fires", TIMEOUT_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: "NucleusRedisDown" not in {name for name, _ in prometheus.firing()},
               "the alert ends", TIMEOUT_S)
