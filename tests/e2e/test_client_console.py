"""`cm comet console` on the serial console of a real machine: at a terminal, and in a script."""
import json
import os
import re
import signal
import subprocess
import termios
import time

import pytest

from conftest import BIN, Machines, a_deployment
from shell import Shell, Terminal, read_until

TIMEOUT_S = 60  # only bounds a failure: emulated guests boot slowly
TICKS = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo tick $i of the guest; sleep 0.02; done\r"


class Console(Terminal):
    """The command at a pseudo-terminal; keeps all that it shows."""

    def __init__(self, shell, *options):
        super().__init__(shell, "comet", "console", *options)
        self.all = b""
        self.last_mode = None

    def read_until(self, pattern, timeout_s=TIMEOUT_S):
        """From what is shown; what is before and up to the match is consumed."""
        until = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.shown)):
            left = until - time.monotonic()
            assert left > 0, f"no {pattern}: {self.shown[-2000:]}"
            part = self.read(left)
            assert part, f"no {pattern}: {self.shown[-2000:]}"
            self.all += part
            self.shown += part.decode(errors="replace")
        self.shown = self.shown[found.end():]
        return found

    def log_in(self):
        self.read_until(r"attached; ~\. at the start of a line leaves")
        self.type("\r")
        found = self.read_until(r"login: $|/root # (\x1b\[6n)?$")  # the shell asks for the cursor
        if "login" in found[0]:
            self.type("root\r")
            self.read_until(r"/root # ")

    def ask(self, command, answer):
        """The echoed command must not match the answer."""
        self.type(command + "\r")
        return self.read_until(answer)

    def mode(self):
        return termios.tcgetattr(self.master)

    def end(self):
        """Returns the exit code; keeps the terminal's mode at the end."""
        while part := self.read(TIMEOUT_S):
            self.all += part
        self.last_mode = self.mode()
        return super().end()

    def guest_bytes(self):
        """All bytes shown, but those of the command itself."""
        return re.sub(rb"\r\n\[[^\r\n]*\]\r\n", b"", self.all)


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


def log_of(site):
    [node] = site.rest.v2_nodes("one").values()
    [found] = site.deployment.state.glob("**/domains/" + node["node_id"] + ".log")
    return found


def reader(shell, *options):
    return subprocess.Popen([BIN / "cm", "comet", "console", "one", *options], env=shell.env,
                            cwd=shell.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def test_a_person_types_and_leaves_and_the_terminal_is_as_before(shell):
    console = Console(shell, "one")
    before = console.mode()
    console.log_in()
    assert console.mode() != before
    console.ask('echo "<""answer>"', "<answer>")
    console.type("\r")
    console.read_until("/root # ")
    console.type("~?")
    console.read_until(r"~t takes over typing")
    console.type("\r")
    console.ask("~~/nowhere", "~/nowhere")
    console.type("\r")
    console.read_until("/root # ")
    console.type("\r~.")
    console.read_until(r"\[left\]")
    assert console.end() == 0, console.shown
    assert console.last_mode[:4] == before[:4]


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 0), (signal.SIGTERM, 143),
                                         (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(shell, number, code):
    console = Console(shell, "one")
    before = console.mode()
    console.log_in()
    os.kill(console.pid, number)
    assert console.end() == code
    assert console.last_mode[:4] == before[:4]


def test_a_script_reads_from_the_start_until_it_sends_a_signal(site, shell):
    with reader(shell, "--from-start") as process:
        seen = read_until(process, rb"login: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
    assert log_of(site).read_bytes().startswith(seen)


def test_what_does_not_exist_is_refused(shell):
    for words in (("nowhere",), ("one", "nowhere")):
        refused = shell.run("comet", "console", *words, code=1)
        assert refused.stdout == "" and refused.stderr.count("\n") == 1, refused
    shell.run("comet", "console", "one", "--link", "--plain", code=2)
    shell.run("comet", "console", "one", "--record=/nowhere/file", code=2)
    assert "#" in shell.out("comet", "console", "one", "--link")


def test_plain_removes_what_controls_a_terminal(shell):
    typist = Console(shell, "one")
    typist.log_in()
    with reader(shell, "--plain") as process:
        typist.ask(r"printf '\033[31mred\033[0m\033]0;title\007\007 <''plain>\n'", "<plain>")
        seen = read_until(process, rb"<plain>")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0
    assert b"red <plain>" in seen and b"\x1b" not in seen and b"\x07" not in seen
    typist.type("\r~.")
    assert typist.end() == 0


def test_a_recording_holds_what_was_shown(shell, tmp_path):
    typist = Console(shell, "one", f"--record={tmp_path / 'cast'}")
    typist.log_in()
    typist.ask('echo "<""recorded>"', "<recorded>")

    def parsed():
        header, *events = map(json.loads, (tmp_path / "cast").read_text().splitlines())
        assert header["version"] == 2 and header["width"] > 0 and header["timestamp"] > 0
        times = [event[0] for event in events]
        assert times == sorted(times) and {event[1] for event in events} == {"o"}
        return "".join(event[2] for event in events)
    assert "<recorded>" in parsed()  # while it is written
    typist.type("\r~.")
    assert typist.end() == 0
    assert "<recorded>" in parsed()
    assert parsed() == typist.guest_bytes().decode(errors="replace")
    assert (tmp_path / "cast").stat().st_mode & 0o777 == 0o600


def test_a_reader_does_not_type_and_a_second_viewer_takes_over(shell):
    first = Console(shell, "one")
    first.log_in()
    quiet = Console(shell, "one", "--read-only")
    quiet.read_until("attached")
    first.ask('echo "<""shown>"', "<shown>")
    quiet.read_until("<shown>")
    quiet.type('echo "<""never>"\r')
    quiet.read_until(r"\[read only\]")
    first.ask('echo "<""later>"', "<later>")
    quiet.read_until("<later>")
    assert b"<never>" not in quiet.all and b'never' not in first.all
    quiet.type("\x03")
    assert quiet.end() == 0
    second = Console(shell, "one")  # of the same person, who goes on there
    second.log_in()
    first.read_until(r"\[admin is the writer; ~t takes over\]")
    first.type("x")
    first.read_until(r"\[admin is the writer; ~t takes over\]")
    first.type("\r~t")
    first.read_until(r"\[you are the writer\]")
    second.read_until(r"is the writer; ~t takes over\]")
    first.type("\r")
    first.ask('echo "<""again>"', "<again>")
    for console in (first, second):
        console.type("\r~.")
        assert console.end() == 0


def test_a_killed_console_service_costs_no_byte(site, shell):
    console = Console(shell, "one")
    console.log_in()
    console.type(TICKS)
    console.read_until("tick 20 of the guest")
    os.kill(site.deployment.pids()["console"], signal.SIGKILL)
    console.read_until(r"attaching again from byte \d+\]")
    console.read_until(r"\[attached again\]")
    console.read_until(r"tick \d+ of the guest\r\n")
    console.read_until(r"tick \d+ of the guest\r\n")
    console.type("\x03")
    console.read_until("/root # ")
    console.type("\r~.")
    assert console.end() == 0
    shown = console.guest_bytes()
    assert shown in log_of(site).read_bytes()
    ticks = [int(tick) for tick in re.findall(rb"tick (\d+) of the guest", shown)]
    assert ticks == list(range(1, len(ticks) + 1))
