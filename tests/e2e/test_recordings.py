"""Recordings of a real machine's console: they hold what it printed, whatever is killed, and say
what they do not hold. The log on the host is what the guest printed."""
import contextlib
import json
import os
import re
import subprocess

import pytest

from conftest import Machines, a_deployment, wait_until
from console import Guest
from http_client import Client
from recordings import kill_console, lines_of, printed
from shell import Shell

SECRET = "a-word-that-no-log-has"
SMALL_DISK = 256 * 1024


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest):
    with a_deployment() as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.boot("one", 0)
        machines.rest.wait_state("one", "active")
        yield machines


@pytest.fixture(name="shell", scope="module")
def shell_fixture(site, tmp_path_factory):
    return Shell(site.deployment, tmp_path_factory.mktemp("home"))


def listed(site):
    return site.rest.get("/v2/recordings")["recordings"]


def sealed(site, count):
    return wait_until(lambda: (found := listed(site)) and len(found) == count and
                      all(one["state"] == "sealed" for one in found) and found,
                      f"{count} sealed recordings")


def content_of(site, recording):
    answer = site.rest.ask("GET", f"/v2/recordings/{recording['recording_id']}/content")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-asciicast"
    assert len(answer.content) == recording["size_bytes"]
    return answer.content


def log_of(site):
    [node] = site.rest.v2_nodes("one").values()
    [found] = site.deployment.state.glob("**/domains/" + node["node_id"] + ".log")
    return found.read_bytes()


def check(site, recording):
    """It holds the log's bytes at its offsets."""
    log = log_of(site)[recording["begin_offset"]:recording["end_offset"]]
    assert printed(content_of(site, recording)) == log.decode(errors="replace")


def test_nothing_is_recorded_unless_the_project_says_so(site):
    with Guest(site.rest, "one", "one") as guest:
        guest.run("echo unseen")
    assert listed(site) == []
    assert site.rest.get("/v2/projects")["projects"] == [
        {"project_id": "demo", "record_consoles": False}]
    told = site.deployment.nucleus("project", "update", "demo", "--record-consoles", "on")
    assert "consoles are recorded" in told.stdout
    assert site.rest.get("/v2/projects")["projects"][0]["record_consoles"]
    refused = site.rest.ask("PATCH", "/v2/projects/demo", data='{"record_consoles": false}')
    assert refused.status_code == 403


def test_a_recording_holds_what_the_console_printed(site, shell):
    begin = len(log_of(site))
    with Guest(site.rest, "one", "one") as guest:
        guest.run(f"echo {SECRET}")
        assert [one["state"] for one in listed(site)] == ["recording"]
    [one] = sealed(site, 1)
    assert (one["project_id"], one["cluster_id"], one["node_name"]) == ("demo", "one", "one")
    assert one["end_offset"] > begin and one["lost_bytes"] == 0 and not one["is_end_inferred"]
    assert SECRET in printed(content_of(site, one))
    check(site, one)
    assert lines_of(content_of(site, one))[0]["nucleus"]["end_offset"] == one["end_offset"]

    found = shell.out("comet", "recording", "list", "one", "--format=json")
    assert one["recording_id"] in found
    assert SECRET in shell.out("comet", "recording", "play", one["recording_id"])
    file = shell.home / "one.cast"
    shell.run("comet", "recording", "download", one["recording_id"], str(file))
    assert file.read_bytes() == content_of(site, one)
    assert file.stat().st_mode & 0o777 == 0o600
    again = shell.run("comet", "recording", "download", one["recording_id"], str(file), code=2)
    assert "File exists" in again.stderr


def test_a_killed_service_loses_nothing_that_was_written(site):
    with pytest.raises(Exception), Guest(site.rest, "one", "one") as guest:
        guest.run("echo before")
        part = wait_until(lambda: [file for file in (site.deployment.state / "recordings").glob(
            "*.part") if b"before" in file.read_bytes()], "it is written")
        kill_console(site.deployment)
        guest.run("echo it is closed")
    assert part
    first, second = sealed(site, 2)
    assert second["is_end_inferred"] and not first["is_end_inferred"]
    assert second["begin_offset"] == first["end_offset"]
    assert "before" in printed(content_of(site, second))
    check(site, second)

    def attached():
        try:
            with Guest(site.rest, "one", "one") as guest:
                return guest.run("echo after") == "after\n"
        except OSError:
            return False
    wait_until(attached, "the console is back")
    third = sealed(site, 3)[2]
    assert third["begin_offset"] == second["end_offset"]
    check(site, third)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted")
def test_a_full_disk_is_a_gap_and_ends_no_session(site):
    folder = site.deployment.state / "recordings"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", folder],
                   check=True)
    try:
        with Guest(site.rest, "one", "one") as guest:
            guest.run("true")
            wait_until(lambda: list(folder.glob("*.part")), "it is being recorded")
            filler = folder / "filler"
            with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            guest.run(r"head -c 1200 /dev/zero | tr '\0' '\1'; echo")  # six bytes of JSON each
            filler.unlink()
            guest.run("echo after the gap")
        one = sealed(site, 4)[3]
        assert one["lost_bytes"] > 0
        text = printed(content_of(site, one))
        assert "after the gap" in text
        gaps = [event[2] for event in lines_of(content_of(site, one))[1] if event[1] == "m"]
        assert any(re.fullmatch(r"gap \d+-\d+", gap) for gap in gaps), gaps
        log = (site.deployment.state / "logs" / "console.log").read_text()
        assert " recording_failed " in log
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_recordings_are_the_projects_alone_and_outlive_the_cluster(site, shell):
    stranger = Client(site.rest.url, site.deployment.add_person("eve", "physics"))
    one = listed(site)[0]
    path = "/v2/recordings/" + one["recording_id"]
    assert stranger.get("/v2/recordings")["recordings"] == []
    for method, place in (("GET", path), ("GET", path + "/content"), ("DELETE", path)):
        assert stranger.ask(method, place).status_code == 404
    site.rest.ask("DELETE", "/v2/clusters/one")
    shell.run("comet", "recording", "remove", one["recording_id"])
    left = listed(site)
    assert [each["cluster_id"] for each in left] == ["one"] * 3
    assert site.rest.ask("GET", path).status_code == 404
    assert not list((site.deployment.state / "recordings").glob(one["recording_id"] + "*"))
    logs = "".join(log.read_text() for log in (site.deployment.state / "logs").glob("*.log"))
    assert SECRET not in logs
    assert json.dumps(SECRET) not in logs
