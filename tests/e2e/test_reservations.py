"""Reservations as the operator and the members of a project use them."""
import itertools
import json
import subprocess
import time

import pytest

from conftest import BIN, a_deployment, wait_until
from http_client import Admin, Client, operator_of

HOUR_S = 3600


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "4")
        yield Site(deployment)


class Site(Admin):
    def __init__(self, deployment):
        super().__init__(deployment)
        self.operator = operator_of(deployment)
        self.stranger = Client(self.url, deployment.add_person("eve", "physics"))

    def nucleus(self, *words, **more):
        return self.deployment.nucleus("reservation", *words, **more)

    def start(self, **body):
        return self.ask("POST", "/v2/computesets",
                        data=json.dumps({"cluster_id": "c", "count": 1, **body}))

    def set(self, number):
        return self.get(f"/v2/computesets/{number}")

    def names(self, client):
        return {one["name"] for one in client.get("/v2/reservations")["reservations"]}

    def hosts_of(self, number):
        nodes = self.get("/v2/clusters/c/nodes")["nodes"]
        return {node["host_id"] for node in nodes if node["computeset_id"] == number}

    def becomes(self, number, state):
        wait_until(lambda: self.set(number)["state"] == state, f"computeset {number} is {state}")


def later(seconds):
    return str(int(time.time()) + seconds)


def test_a_computeset_runs_in_its_reservation_and_ends_with_it(site):
    site.nucleus("create", "course", "--project", "demo", "--hosts", "sim-0002", "--start",
                 later(HOUR_S), "--end", later(2 * HOUR_S), "--reason", "a course")
    waiting = site.start(reservation="course").json()
    assert waiting["reason"] == "waits until reservation course begins"
    site.nucleus("update", "course", "--start", later(-1), "--end", later(2 * HOUR_S))
    site.becomes(waiting["computeset_id"], "running")
    assert site.hosts_of(waiting["computeset_id"]) == {"sim-0002"}
    other = site.start().json()
    assert site.hosts_of(other["computeset_id"]) == {"sim-0001"}
    refused = site.nucleus("remove", "course", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"computeset {waiting['computeset_id']} runs in it" in refused.stderr
    for number in (waiting["computeset_id"], other["computeset_id"]):
        site.ask("POST", f"/v2/computesets/{number}/power", data='{"action": "off"}')
        site.becomes(number, "completed")
    assert "course" in site.nucleus("list").stdout
    assert "removed" in site.nucleus("remove", "course").stdout


def test_a_maintenance_window_ends_what_runs_with_its_reason(site):
    number = site.start(count=4).json()["computeset_id"]
    site.becomes(number, "running")
    site.nucleus("create", "fans", "--hosts", "sim-000[1-2]", "--end", later(HOUR_S))
    site.becomes(number, "completed")
    assert site.set(number)["reason"].startswith("maintenance window fans begins on host sim-")
    waiting = site.start().json()
    assert waiting["reason"] == "reservation fans keeps hosts that have room"
    assert "fans" in site.names(site.stranger), "everybody sees a maintenance window"
    site.nucleus("remove", "fans")
    site.becomes(waiting["computeset_id"], "running")
    site.ask("POST", f"/v2/computesets/{waiting['computeset_id']}/power",
             data='{"action": "off"}')
    site.becomes(waiting["computeset_id"], "completed")


def test_members_read_the_reservations_of_their_project_and_operators_write_them(site):
    body = {"name": "mine", "project_id": "demo", "hosts": "sim-0001",
            "start_unix_s": int(later(HOUR_S)), "end_unix_s": int(later(2 * HOUR_S))}
    made = site.operator.ask("POST", "/v2/reservations", data=json.dumps(body))
    assert made.status_code == 201, made.text
    assert made.headers["Location"].endswith("/v2/reservations/mine")
    assert site.operator.ask("POST", "/v2/reservations", data=json.dumps(body)).status_code == 409
    for path in ("/v2/reservations", "/v2/reservations/mine"):
        for method in ("POST",) if path.endswith("s") else ("PATCH", "DELETE"):
            assert site.ask(method, path, data="{}").status_code == 403
    assert site.get("/v2/reservations/mine") == made.json()
    assert "mine" not in site.names(site.stranger)
    assert site.stranger.ask("GET", "/v2/reservations/mine").status_code == 404
    changed = site.operator.ask("PATCH", "/v2/reservations/mine",
                                data=json.dumps({"reason": "a test"}))
    assert changed.json() == {**made.json(), "reason": "a test"}
    refused = site.start(reservation="nobody's")
    assert (refused.status_code, refused.json()["field"]) == (400, "reservation")
    assert site.operator.ask("DELETE", "/v2/reservations/mine").status_code == 204
    assert site.operator.ask("GET", "/v2/reservations/mine").status_code == 404
    refused = site.start(reservation="mine")
    assert refused.json()["detail"] == "no such reservation: mine"


def test_a_client_lists_reservations(site):
    site.nucleus("create", "shown", "--project", "demo", "--hosts", "sim-0002", "--start",
                 later(HOUR_S), "--end", later(2 * HOUR_S))
    listed = subprocess.run([BIN / "comet", "reservation", "list", "--format=csv"], text=True,
                            env=site.deployment.env(), capture_output=True, check=True,
                            timeout=60).stdout
    assert listed.splitlines()[0] == "name,state,project,start,end,hosts,reason"
    assert [line.split(",")[:3] for line in listed.splitlines()[1:]] == [
        ["shown", "planned", "demo"]]
    site.nucleus("remove", "shown")


def test_a_watch_of_reservations_shows_what_their_list_shows(site):
    """Maintenance windows to everybody; and that one has become another project's."""
    # A project is known to the scheduler by its event.
    site.deployment.nucleus("person", "create", "pia", "--project", "physics2")
    times = ("--start", later(HOUR_S), "--end", later(2 * HOUR_S))
    with site.session.get(site.url + "/v2/reservations?watch", stream=True, timeout=60) as watch:
        lines = watch.iter_lines(chunk_size=1)
        next(lines)
        site.nucleus("create", "window", "--hosts", "sim-0001", *times)
        site.nucleus("create", "moves", "--hosts", "sim-0002", "--project", "demo", *times)
        site.nucleus("update", "moves", "--project", "physics2")
        site.nucleus("update", "moves", "--reason", "not shown")
        site.nucleus("update", "window", "--project", "physics2")
        site.nucleus("remove", "window")
        site.nucleus("create", "window", "--hosts", "sim-0001", *times)
        site.nucleus("remove", "window")
        site.nucleus("remove", "moves")
        data = (json.loads(line[6:]) for line in lines if line.startswith(b"data: "))
        seen = [(event["type"].removeprefix("scheduler.reservation-"),
                 event["body"]["reservation"]["name"], event["project"])
                for event in itertools.islice(data, 6)]
    assert seen == [("changed", "window", "public"), ("changed", "moves", "demo"),
                    ("removed", "moves", "demo"), ("removed", "window", "public"),
                    ("changed", "window", "public"), ("removed", "window", "public")]
