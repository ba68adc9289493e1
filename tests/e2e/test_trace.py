"""One request followed through the logs and the events: `nucleus trace`."""
import json
import re

import pytest

from conftest import a_deployment, wait_until
from http_client import Admin


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        deployment.nucleus("cluster", "create", "c1", "--computes", "1")
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(site):
    return Admin(site)


def test_a_change_is_followed_through_processes_and_events(site, admin):
    changed = admin.ask("POST", "/v2/clusters/c1/nodes/c1/power",
                        data=json.dumps({"action": "on"}))
    assert changed.status_code < 300, changed.text
    request = changed.headers["X-Request-Id"]
    traced, = wait_until(lambda: [text for text in [site.nucleus("trace", request).stdout]
                                  if "change_answered" in text], "it is found")
    assert re.search(r" info gateway change_answered method=POST"
                     r" path=/v2/clusters/c1/nodes/c1/power status=2\d\d person=\S+$",
                     traced, re.M), traced
    events = [line for line in traced.splitlines() if line.startswith("event ")]
    assert any(" scheduler.node-changed project=demo cluster=c1 sender=scheduler" in line
               for line in events), traced
    numbers = [int(line.split()[1]) for line in events]
    assert numbers == sorted(set(numbers))
    lines = [line for line in traced.splitlines() if line not in events]
    assert lines == sorted(lines), "the lines are in order of time"


def test_a_refused_change_has_its_line_and_no_event(site, admin):
    refused = admin.ask("DELETE", "/v2/clusters/none")
    assert refused.status_code == 404
    traced = site.nucleus("trace", refused.headers["X-Request-Id"]).stdout
    assert "method=DELETE path=/v2/clusters/none status=404" in traced
    assert "event " not in traced


def test_a_read_leaves_no_trace(site, admin):
    read = admin.ask("GET", "/v2/clusters/c1")
    found = site.nucleus("trace", read.headers["X-Request-Id"], check=False)
    assert found.returncode == 1 and found.stdout == ""
    assert "no log line of this machine and no stored event has the trace" in found.stderr


@pytest.mark.parametrize("wrong", ["a b", "x" * 129, "a\n", "../x/"])
def test_what_is_no_trace_is_refused(site, wrong):
    refused = site.nucleus("trace", wrong, check=False)
    assert refused.returncode != 0 and refused.stdout == ""
    assert "ID must be the X-Request-Id of an answer" in refused.stderr
