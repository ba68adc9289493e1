"""Recordings of consoles: their files as a program reads them, and files that are planted."""
import json
import os
import signal
import time

from conftest import wait_until

FIELDS = {"log_id": "log", "begin_offset": 0, "end_offset": 5, "lost_bytes": 0,
          "begin_unix_ms": 0, "end_unix_ms": 0, "is_end_inferred": False}


def lines_of(content):
    """(header, events) of an asciicast."""
    header, *events = content.decode().splitlines()
    return json.loads(header), [json.loads(line) for line in events]


def printed(content):
    return "".join(text for _, kind, text in lines_of(content)[1] if kind == "o")


def kill_console(deployment):
    """Kills the console service; returns once another one runs."""
    pid = deployment.pids()["console"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: deployment.pids().get("console", pid) != pid, "another console service")


def plant(deployment, client, project, cluster="mine", node="mine",
          output=((0.5, "hello"),)):
    """A sealed recording of a node that has no console: simulated ones have none."""
    now_ms = int(time.time() * 1000)
    found = f"{now_ms:013}-{'0' * 16}"
    own = {**FIELDS, "recording_id": found, "project_id": project, "cluster_id": cluster,
           "node_id": "planted", "node_name": node, "begin_unix_ms": now_ms,
           "end_unix_ms": now_ms + 1000}
    header = {"version": 2, "width": 80, "height": 24, "timestamp": now_ms // 1000,
              "nucleus": own}
    folder = deployment.state / "recordings"
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(header)] + [json.dumps([at, "o", text]) for at, text in output]
    (folder / (found + ".cast")).write_text("\n".join(lines) + "\n")
    kill_console(deployment)
    wait_until(lambda: client.ask("GET", "/v2/recordings/" + found).status_code == 200,
               "the recording is listed", 60)
    return found
