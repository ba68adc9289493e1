"""Allocations as the operator sets them: periods, shares, and budgets that warn, refuse and end."""
import csv
import io
import os
import subprocess
import time

import pytest

from conftest import BIN, a_deployment, wait_until
from http_client import Admin, Client, operator_of


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "1") as deployment:
        deployment.nucleus("cluster", "create", "c", "--computes", "2")
        yield Site(deployment)


class Site(Admin):
    def __init__(self, deployment):
        super().__init__(deployment)
        self.operator = operator_of(deployment)

    def set(self, *words, **more):
        return self.deployment.nucleus("allocation", "set", *words, **more)

    def comet(self, *words):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.deployment.state),
               **self.deployment.env()}
        return subprocess.run([BIN / "comet", *words], env=env, text=True, capture_output=True,
                              check=True, timeout=60).stdout

    def start(self, **body):
        return self.ask("POST", "/v2/computesets",
                        json={"cluster_id": "c", "count": 1, "walltime_mins": 1, **body})


def test_a_budget_warns_then_refuses_then_ends_what_runs(site):
    made = site.operator.ask("PUT", "/v2/allocations/demo", json={
        "project_id": "demo", "limit_core_s": 60,
        "budget": [{"percent": 2, "action": "warn"}, {"percent": 5, "action": "refuse"},
                   {"percent": 8, "action": "terminate"}]})
    assert made.status_code == 200, made.text
    number = site.start().json()["computeset_id"]
    path = f"/v2/computesets/{number}"
    wait_until(lambda: site.get(path)["state"] == "running", "it runs")
    forecast = site.get("/v2/allocations/demo")["forecast_end_unix_s"]
    assert 0 <= forecast - site.get(path)["start_unix_s"] - 60 <= 1
    wait_until(lambda: site.get("/v2/allocations/demo")["percent_reached"] >= 5, "5 % are used")
    refused = site.start()
    assert refused.status_code == 409
    assert "of its limit: nothing new is started" in refused.json()["detail"]
    wait_until(lambda: site.get(path)["state"] == "completed", "the budget ended it")
    assert site.get(path)["reason"] == "allocation demo has used 8 % of its limit"
    assert "8=terminate (reached)" in site.deployment.nucleus("allocation", "list").stdout


def test_each_step_is_one_event(site):
    with site.session.get(site.url + "/v2/events?after=0", stream=True, timeout=60,
                          headers={"Authorization": f"Token {site.operator.token}"}) as stream:
        reached = []
        for line in stream.iter_lines(chunk_size=1):
            if line.startswith(b"data: ") and b"scheduler.budget-reached" in line:
                reached.append(line)
            if len(reached) == 3:
                break
    for line, percent in zip(reached, (2, 5, 8)):
        assert f'"percent":{percent}}}'.encode() in line or f'"percent":{percent},'.encode() in line


def test_the_operator_raises_a_limit_and_what_was_refused_starts(site):
    site.set("demo", "--project", "demo", "--limit-core-hours", "100", "--no-budget")
    started = site.start(walltime_mins=60)
    assert started.status_code == 201, started.text
    number = started.json()["computeset_id"]
    site.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
    wait_until(lambda: site.get(f"/v2/computesets/{number}")["state"] == "completed", "it ended")


def test_a_notice_comes_before_the_end(site):
    """Its walltime is shorter than the notice, so that it comes with the start."""
    number = site.start().json()["computeset_id"]
    with site.session.get(site.url + "/v2/events?after=0", stream=True, timeout=60) as stream:
        for line in stream.iter_lines(chunk_size=1):
            if b"walltime-notice" in line and f'"computeset_id":{number},'.encode() in line:
                break
        else:
            pytest.fail("no notice")
    site.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})


def test_an_allocation_that_is_over_starts_nothing(site):
    now = int(time.time())
    site.set("demo", "--project", "demo", "--start", str(now + 3600), "--end", str(now + 7200))
    early = site.start()
    assert early.status_code == 409 and "has not begun yet" in early.text
    assert early.json()["field"] == "allocation_id"
    site.set("demo", "--project", "demo", "--start", str(now - 7200), "--end", str(now - 3600))
    late = site.start()
    assert late.status_code == 409 and "is over" in late.text
    changed = site.operator.ask("PUT", "/v2/allocations/demo", json={
        "project_id": "demo", "start_unix_s": 0, "end_unix_s": 0})
    assert changed.json()["end_unix_s"] == 0


@pytest.mark.parametrize("words, reason", [
    (("--budget", "80"), "is not PERCENT=ACTION"),
    (("--budget", "80=shout"), "is not PERCENT=ACTION"),
    (("--budget", "x=warn"), "is not PERCENT=ACTION"),
    (("--budget", "80=warn,70=refuse"), "larger in each step"),
    (("--start", "20", "--end", "10"), "must be after start"),
    (("--shares", "0"), "--shares"),
    (("--limit-core-hours", "1", "--close"), "excludes"),
])
def test_a_wrong_value_is_refused_and_changes_nothing(site, words, reason):
    before = site.operator.get("/v2/allocations?fields=allocation_id,limit_core_s,shares,budget")
    refused = site.set("demo", "--project", "demo", *words, check=False)
    assert refused.returncode != 0
    assert reason in refused.stderr
    assert before == site.operator.get(
        "/v2/allocations?fields=allocation_id,limit_core_s,shares,budget")


def test_a_walltime_is_changed_while_it_runs(site):
    number = site.start(walltime_mins=60).json()["computeset_id"]
    path = f"/v2/computesets/{number}"
    wait_until(lambda: site.get(path)["state"] == "running", "it runs")
    changed = site.ask("PATCH", path, json={"walltime_mins": 90})
    assert (changed.status_code, changed.json()["walltime_mins"]) == (200, 90)
    said = site.comet("walltime", str(number), "2h")
    assert said.startswith(f"Computeset {number} may run for ")
    assert site.get(path)["walltime_mins"] == 120
    wrong = site.ask("PATCH", path, json={"walltime_mins": 0})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "walltime_mins")
    site.ask("POST", f"{path}/power", json={"action": "off"})
    wait_until(lambda: site.get(path)["state"] == "completed", "it ended")
    assert site.ask("PATCH", path, json={"walltime_mins": 60}).status_code == 409


def test_who_asked_for_a_computeset_and_for_whom_is_kept(site):
    ended = []
    for path, body in (("/v2/computesets", {"cluster_id": "c", "on_behalf_of": "Grace H."}),
                       ("/nucleus/v1/computeset/", {"cluster": "c"})):
        started = site.ask("POST", path, json={**body, "count": 1, "walltime_mins": 60})
        assert started.status_code == 201, started.text
        shown = started.json()
        ended.append(number := shown.get("computeset_id") or shown["id"])
        kept = site.get(f"/v2/computesets/{number}")
        assert kept["person_id"] == site.get("/v2/me")["person_id"]
        assert kept["on_behalf_of"] == body.get("on_behalf_of", "")
        old = site.get(f"/nucleus/v1/computeset/{number}/")
        assert set(old) == {"id", "cluster", "state", "computes", "account", "walltime_mins",
                            "start_time", "reservation"}
        site.ask("POST", f"/v2/computesets/{number}/power", json={"action": "off"})
        wait_until(lambda: site.get(f"/v2/computesets/{number}")["state"] == "completed", "ended")
    assert site.comet("computeset", str(ended[0])).splitlines()[4:6] == [
        "Person: " + site.get("/v2/me")["person_id"], "On behalf of: Grace H."]
    assert "On behalf of" not in site.comet("computeset", str(ended[1]))
    rows = site.comet("computeset", "--state=completed", "--format=csv").splitlines()
    assert rows[0].endswith(",person,on behalf of")
    assert sum(row.endswith(",Grace H.") for row in rows) == 1


def test_the_client_starts_on_behalf_of_a_user(site):
    site.comet("start", "c", "--count=1", "--walltime=60m", "--on-behalf-of=Grace H.", "--wait")
    newest = site.get("/v2/computesets?limit=1000")["computesets"][-1]
    assert newest["on_behalf_of"] == "Grace H."
    long = site.ask("POST", "/v2/computesets", json={"cluster_id": "c", "on_behalf_of": "x" * 65})
    assert (long.status_code, long.json()["field"]) == (400, "on_behalf_of")
    site.comet("terminate", str(newest["computeset_id"]), "--wait")


def text_of(site, path, **headers):
    answer = site.ask("GET", path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def test_usage_is_filtered_and_summed(site):
    person = site.get("/v2/me")["person_id"]
    entries = site.get("/v2/usage?limit=1000")["entries"]
    mine = [entry for entry in entries if entry["on_behalf_of"] == "Grace H."]
    assert len(mine) == 2 and {entry["person_id"] for entry in entries} == {person}
    found = site.get("/v2/usage?on_behalf_of=Grace%20H.&cluster_id=c&project_id=demo"
                     f"&person_id={person}")["entries"]
    assert found == mine
    for nothing in ("person_id=eve", "project_id=physics", "cluster_id=d", "on_behalf_of=eve",
                    "allocation_id=other"):
        assert site.get("/v2/usage?" + nothing) == {"entries": []}
        assert site.get("/v2/usage?by=person&" + nothing) == {"totals": []}
    core_s = sum(entry["used_core_s"] for entry in entries)
    for by, name in (("person", person), ("project", "demo"), ("cluster", "c"),
                     ("allocation", "demo")):
        assert site.get(f"/v2/usage?by={by}") == {"totals": [
            {"name": name, "computeset_count": len(entries), "used_core_s": core_s}]}
    totals, after = [], ""
    while True:
        page = site.get("/v2/usage?by=on_behalf_of&limit=1" + after)
        totals += page["totals"]
        if "next" not in page:
            break
        after = "&after=" + page["next"].replace("=", "%3D")
    assert [(total["name"], total["computeset_count"]) for total in totals] == [
        ("", len(entries) - 2), ("Grace H.", 2)]
    assert sum(total["used_core_s"] for total in totals) == core_s
    stranger = Client(site.url, site.deployment.add_person("mallory", "elsewhere"))
    assert stranger.get("/v2/usage?by=project") == {"totals": []}
    assert site.operator.get("/v2/usage?by=project")["totals"][0]["used_core_s"] == core_s


def test_usage_is_csv(site):
    entries = site.get("/v2/usage")["entries"]
    by_query = text_of(site, "/v2/usage?format=csv")
    assert by_query.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert text_of(site, "/v2/usage", Accept="text/csv").text == by_query.text
    rows = list(csv.DictReader(io.StringIO(by_query.text)))
    assert [{name: str(value) for name, value in entry.items()} for entry in entries] == rows
    totals = text_of(site, "/v2/usage?by=person&format=csv&fields=name,computeset_count").text
    assert totals == f"name,computeset_count\n{site.get('/v2/me')['person_id']},{len(entries)}\n"


def test_usage_is_rows_of_sacct(site):
    entries = site.get("/v2/usage")["entries"]
    rows, path = "", "/v2/usage?format=sacct&limit=1"
    while path:  # the pages, joined
        page = text_of(site, path)
        assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
        rows += page.text
        path = page.links["next"]["url"].removeprefix(site.url) if page.links else None
    head, *lines = [line.split("|") for line in rows.splitlines()]
    assert {len(line) for line in lines} == {26}
    jobs = [dict(zip(head, line)) for line in lines]
    assert [job["JobID"] for job in jobs] == [str(entry["computeset_id"]) for entry in entries]
    for job, entry in zip(jobs, entries):
        start = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry["start_unix_s"]))
        assert (job["Account"], job["Group"], job["User"], job["Start"], job["JobName"]) == (
            "demo", "demo", entry["person_id"], start, entry["on_behalf_of"] or "c")
        assert job["NodeList"].startswith("vm-c-0") and job["State"] in ("COMPLETED", "TIMEOUT")


@pytest.mark.parametrize("query, field", [
    ("by=", "by"), ("by=colour", "by"), ("format=xml", "format"), ("format=", "format"),
    ("format=sacct&by=person", "by"), ("format=sacct&fields=cores", "fields"),
    ("by=person&after=x", "after"), ("by=person&fields=cores", "fields"),
    ("format=csv&fields=colour", "fields"), ("from_unix_s=x", "from_unix_s")])
def test_a_wrong_question_about_usage_is_refused(site, query, field):
    answer = site.ask("GET", "/v2/usage?" + query)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_project_hears_that_its_allocation_was_taken(site):
    operator = site.operator
    site.deployment.add_person("eve", "physics")
    operator.ask("PUT", "/v2/allocations/moving", json={"project_id": "demo"})
    with site.session.get(site.url + "/v2/allocations?watch", stream=True, timeout=60) as stream:
        moved = operator.ask("PUT", "/v2/allocations/moving", json={"project_id": "physics"})
        assert moved.status_code == 200, moved.text
        for line in stream.iter_lines(chunk_size=1):
            if line.startswith(b"data: ") and b'"moving"' in line:
                break
    assert b"scheduler.allocation-removed" in line
    assert b"physics" not in line
