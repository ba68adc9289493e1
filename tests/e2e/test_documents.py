"""Runs what the documents tell people to type: the blocks of README.md, and the subscriber of
docs/events.md, with simulated hosts."""
import ast
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import msgpack
import pytest
import zmq
import zmq.utils.z85

from conftest import BIN, ROOT, TIMEOUT_S, Deployment, wait_until
from http_client import Admin, Client, operator_of

BLOCK = re.compile(r"^```sh(?: (run(?: until output)?))?\n(.*?)^```", re.M | re.S)
SUBSCRIBER = ROOT / "docs" / "examples" / "subscribe.py"


class Shell:
    """A shell in the source directory with its own home. Each block sees the variables that earlier
    blocks exported."""

    def __init__(self, home):
        path = f"/usr/bin:/bin:{os.environ['PATH']}"
        self.environment = {"HOME": home, "PATH": path, "LANG": "C.UTF-8"}

    def script(self, block):
        # The programs under test may be those of another build.
        block = block.replace('"$PWD/build/bin:$PATH"', f'"{BIN}:$PATH"')
        return ["bash", "-euc", f'{block}\nenv -0 >"$HOME/environment"']

    def run(self, block):
        ran = subprocess.run(self.script(block), cwd=ROOT, env=self.environment, text=True,
                             capture_output=True, timeout=90, stdin=subprocess.DEVNULL,
                             check=False)
        assert ran.returncode == 0, f"{block}\n{ran.stdout}{ran.stderr}"
        with open(f"{self.environment['HOME']}/environment", encoding="utf-8") as saved:
            self.environment = dict(pair.split("=", 1) for pair in saved.read().split("\0") if pair)
        return ran.stdout

    @contextlib.contextmanager
    def going_on(self, *command):
        """Runs a command until the end of the context; yields its growing list of output lines."""
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, text=True,
                                   stdout=subprocess.PIPE, start_new_session=True,
                                   stdin=subprocess.DEVNULL)
        lines = []

        def read():
            for line in process.stdout:
                lines.append(line.rstrip("\n"))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield lines
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=TIMEOUT_S)
            reader.join(timeout=TIMEOUT_S)


@pytest.fixture(name="home")
def home_fixture():
    # Unix sockets need short paths, shorter than pytest's own folders.
    home = tempfile.mkdtemp(prefix="nuc-")
    yield home
    Deployment(f"{home}/try").down(check=False)
    shutil.rmtree(home)


def test_every_command_of_the_readme_does_what_it_says(home):
    shell = Shell(home)
    output = ""
    count = 0
    for how, block in BLOCK.findall((ROOT / "README.md").read_text()):
        assert how, f"a block that is not marked as run: {block}"
        if how == "run":
            output += shell.run(block)
        else:
            with shell.going_on("bash", "-euc", f"exec {block}") as lines:
                wait_until(lambda: nudged(shell, lines), block)
        count += 1
    assert count >= 7
    for word in ("Request Accepted", "Request accepted!", "vm-tiny-01", "comet computeset 1",
                 "sim-0002 is drained", "sim-0002 is resumed"):
        assert word in output, f"{word} is not in:\n{output}"
    assert not list((Deployment(f"{home}/try").state / "pids").iterdir())


def nudged(shell, lines):
    """The lines; if there are none yet, causes an event."""
    if not lines:
        shell.run("cm comet power on tiny; cm comet power off tiny")
    return lines


def test_the_session_of_the_readme_has_the_promised_effects(home):
    """The admin's part again: the nodes are on, and another project sees none of it."""
    shell = Shell(home)
    blocks = [block for how, block in BLOCK.findall((ROOT / "README.md").read_text()) if how]
    for block in blocks[:2]:
        shell.run(block)
    wait_until(lambda: shell.run("cm comet cluster tiny --format=csv").count(",active,") == 3,
               "frontend and two computes to be active")
    token = shell.run("nucleus person create eve --project other").strip()
    assert Client(shell.environment["NUCLEUS_URL"], token).get("/v2/clusters") == {"clusters": []}


def commands_named():
    """(page, words, options) of each `nucleus …` or `cm …` in the text of a page."""
    for page in sorted([ROOT / "README.md", *ROOT.glob("*/README.md"), *ROOT.glob("docs/**/*.md")]):
        for command in re.findall(r"`((?:nucleus|cm|comet) [a-z][^`]*)`", page.read_text()):
            words = re.match(r"(?:nucleus|cm|comet)(?: [a-z][a-z-]*(?= |$))*", command)[0].split()
            yield page.name, words, re.findall(r"--[a-z-]+", command)


def test_every_command_that_a_page_names_exists_with_its_options():
    named = list(commands_named())
    assert len(named) > 10
    for page, words, options in named:
        ran = subprocess.run([BIN / words[0], *words[1:], "--help"], text=True,
                             capture_output=True, timeout=TIMEOUT_S, check=False)
        assert ran.returncode == 0, f"{page}: {words}: {ran.stderr}"
        for option in options:
            assert option in ran.stdout, f"{page}: {words} has no {option}"


@pytest.fixture(name="shell")
def shell_fixture(deployment, tmp_path):
    shell = Shell(str(tmp_path))
    shell.run(f'export PATH="$PWD/build/bin:$PATH"\n. {deployment.state}/env\n'
              "nucleus cluster create c1 --computes 1")
    return shell


def test_the_subscriber_is_twenty_lines():
    assert len(SUBSCRIBER.read_text().splitlines()) <= 20


def types_of(lines, cluster):
    """(type, state) of a cluster's node and domain events, as the subscriber printed them."""
    types = []
    for line in lines:
        number, topic, body = line.split(" ", 2)
        assert int(number) > 0
        project, of, kind = topic.split("/")
        assert project == "demo"
        if of == cluster and kind in ("scheduler.node-changed", "provisioner.domain-changed"):
            body = ast.literal_eval(body)
            types.append((kind, body.get("node", body)["state"]))
    return types


def subscribed(shell, lines):
    """Creates clusters until the subscriber prints one: then its subscription is in effect."""
    numbers = iter(range(1000))
    wait_until(lambda: lines or not shell.run(
        f"nucleus cluster create probe{next(numbers)} --computes 0"), "a subscription")


def test_the_subscriber_sees_a_power_on_in_order(shell):
    with shell.going_on("/usr/bin/python3", str(SUBSCRIBER), "demo/") as lines:
        subscribed(shell, lines)
        lines.clear()
        shell.run("cm comet power on c1")
        power_on = [("scheduler.node-changed", "nostate"),
                    ("provisioner.domain-changed", "running"),
                    ("scheduler.node-changed", "active")]
        wait_until(lambda: types_of(list(lines), "c1")[-1:] == power_on[-1:], "c1 to be active")
        assert types_of(list(lines), "c1") == power_on
        numbers = [int(line.split()[0]) for line in lines]
        assert numbers == sorted(numbers)


def test_the_page_lists_the_events_of_a_power_on():
    page = (ROOT / "docs" / "events.md").read_text()
    page = page.split("## The events of a power-on")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([\w.-]+)` \|", page, re.M) == [
        "scheduler.node-changed", "provisioner.domain-changed", "scheduler.node-changed"]


def a_subscriber(env, prefix, pair):
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.curve_serverkey = env["NUCLEUS_EVENTS_SERVER_KEY"].encode()
    socket.curve_publickey, socket.curve_secretkey = pair
    socket.subscribe(prefix)
    socket.connect(env["NUCLEUS_EVENTS"])
    return socket


def test_a_key_receives_the_events_of_its_own_project_only(deployment):
    """As in docs/events.md: a new file in DIR/rights takes effect immediately."""
    env = deployment.env()
    deployment.nucleus("person", "create", "eve", "--project", "other")
    pair = zmq.curve_keypair()
    name = zmq.utils.z85.decode(pair[0]).hex() + ".yaml"
    (deployment.state / "rights" / name).write_text(
        f'public_key: "{pair[0].decode()}"\nproject: "other"\n')
    with contextlib.ExitStack() as sockets:
        own = sockets.enter_context(a_subscriber(env, "other/", pair))
        strangers = [sockets.enter_context(a_subscriber(env, prefix, pair))
                     for prefix in ("demo/", "demo", "", "_/", "other")]
        numbers = iter(range(1000))

        def received():
            deployment.nucleus("cluster", "create", f"o{next(numbers)}", "--computes", "0",
                               "--project", "other")
            deployment.nucleus("cluster", "create", f"d{next(numbers)}", "--computes", "0")
            return own.poll(100)

        wait_until(received, "an event of project other")
        topic, envelope, body = own.recv_multipart()
        assert topic.startswith(b"other/o")
        assert msgpack.unpackb(envelope)["kind"] == "event"
        assert topic.split(b"/")[1].decode() in str(msgpack.unpackb(body))
        # The bus handles messages in order, so the refusals precede the following event.
        log = deployment.state / "logs" / "bus.log"
        wait_until(lambda: log.read_text().count("subscription_refused") >= len(strangers),
                   "the refusals in the log")
        deployment.nucleus("cluster", "create", "last", "--computes", "0", "--project", "other")
        wait_until(lambda: any(m[0].startswith(b"other/last/") for m in waiting(own)), "the last")
        assert [message for stranger in strangers for message in waiting(stranger)] == []


def waiting(socket):
    messages = []
    while socket.poll(0):
        messages.append(socket.recv_multipart())
    return messages


def test_an_unknown_key_is_refused_at_the_handshake(deployment):
    socket = a_subscriber(deployment.env(), "demo/", zmq.curve_keypair())
    ends = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED
    with socket, socket.get_monitor_socket(ends) as monitor:
        assert monitor.poll(TIMEOUT_S * 1000)
        event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
        assert event == zmq.EVENT_HANDSHAKE_FAILED_AUTH


def stream(client, after):
    """(number, type) of each event after that number, up to the definition of cluster `marker`."""
    events = []
    with client.ask("GET", "/v2/events", headers={"Last-Event-ID": str(after)},
                    stream=True) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines(decode_unicode=True):
            if not line.startswith("data: "):
                continue
            event = json.loads(line.removeprefix("data: "))
            events.append((event["sequence"], event["type"]))
            if (event["cluster"], event["type"]) == ("marker", "registry.cluster-defined"):
                return events
    raise AssertionError("the stream ended")


def test_a_stream_resumes_where_it_stopped_without_gap_or_repeat(shell, deployment):
    admin = Admin(deployment)
    shell.run("cm comet power on c1")
    wait_until(lambda: ",active," in shell.run("cm comet cluster c1 --format=csv"), "c1 active")
    shell.run("nucleus cluster create marker --computes 0")
    everything = stream(admin, 0)
    assert [kind for _, kind in everything].count("scheduler.node-changed") >= 2
    numbers = [number for number, _ in everything]
    assert numbers == sorted(set(numbers))
    middle = numbers[len(numbers) // 2]
    assert stream(admin, middle) == [e for e in everything if e[0] > middle]
    # An operator receives all events, whose numbers have no gaps.
    all_numbers = [number for number, _ in stream(operator_of(deployment), 0)]
    assert all_numbers == list(range(1, all_numbers[-1] + 1))
    assert set(numbers) < set(all_numbers)
    wrong = admin.ask("GET", "/v2/events", headers={"Last-Event-ID": "yesterday"})
    assert wrong.status_code == 400
