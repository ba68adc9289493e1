"""A computeset whose guests do nothing is said to be idle, by what the host counts of them."""
import json
import re

import pytest
import requests

from conftest import Machines, a_deployment, wait_until
from console import Guest
from machines import Events

SETTINGS = {"NUCLEUS_SCHEDULER_IDLE_NOTICE_S": 12, "NUCLEUS_PROVISIONER_USAGE_MS": 1000}
COUNTER = re.compile(r'^nucleus_provisioner_node_cpu_seconds_total\{cluster="c",node="vm-c-00"\} '
                     r"(\S+)$", re.M)


@pytest.fixture(name="machines", scope="module")
def machines_fixture(tiny_guest):
    with a_deployment(settings=SETTINGS) as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("c", 1)
        yield machines


def cpu_seconds(deployment):
    """That the node used; none if it has no series."""
    targets = json.loads((deployment.state / "monitoring" / "targets.json").read_text())
    [page] = [f"http://{one['targets'][0]}/metrics" for one in targets
              if one["labels"]["process"].startswith("provisioner")]
    found = COUNTER.search(requests.get(page, timeout=10).text)
    return float(found[1]) if found else None


def test_a_computeset_is_idle_until_its_guest_works(machines):
    rest = machines.rest
    number = rest.start("c", count=1)

    def idle_since():
        return rest.get(f"/v2/computesets/{number}")["idle_since_unix_s"]

    with Events(rest, after=0) as events:
        _, event = events.wait(lambda event: event["type"] == "scheduler.computeset-idle",
                               "it is idle", 120)
    assert event["body"]["computeset"]["computeset_id"] == number
    assert idle_since() >= rest.get(f"/v2/computesets/{number}")["start_unix_s"]
    with Guest(rest, "c", "vm-c-00") as guest:
        before = cpu_seconds(machines.deployment)
        guest.run("yes >/dev/null & true")
        wait_until(lambda: idle_since() == 0, "it works", 60)
        wait_until(lambda: cpu_seconds(machines.deployment) > before + 1, "its time counts", 60)
        guest.run("kill %1; true")
    wait_until(idle_since, "it is idle again", 120)
    rest.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
    wait_until(lambda: rest.get(f"/v2/computesets/{number}")["state"] == "completed", "it ends")
