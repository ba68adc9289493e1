"""The `cm` shell as its user sees it: commands, scripts, and a terminal with history and
completion, against four simulated hosts."""
import json
import os
import pty
import select
import subprocess
import time

import pytest

from conftest import BIN, a_deployment

PATIENCE_S = 60


class Shell:
    """`cm` with the environment of one deployment and a home of its own."""

    def __init__(self, deployment, home):
        self.home = home
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb",
                    **deployment.env()}

    def run(self, *words, code=0, said=None):
        ran = subprocess.run([BIN / "cm", *words], env=self.env, text=True, capture_output=True,
                             input=said or "", timeout=PATIENCE_S, cwd=self.home)
        assert ran.returncode == code, f"{words}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran

    def out(self, *words, **more):
        return self.run(*words, **more).stdout


class Terminal:
    """The shell at a pseudo-terminal."""

    def __init__(self, shell):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "cm", ["cm"], shell.env)
        self.shown = ""

    def until(self, text):
        """Reads till `text` is shown after what was read before; returns all in between."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self.master], [], [], 1)[0]:
                self.shown += os.read(self.master, 4096).decode(errors="replace")
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                if not os.read(self.master, 4096):
                    break
            except OSError:  # it ended
                break
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture(name="shell", scope="module")
def shell_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        deployment.nucleus("cluster", "create", "amber", "--computes", "2")
        yield Shell(deployment, tmp_path_factory.mktemp("home"))


def test_a_script_has_comments_variables_and_other_scripts(shell):
    (shell.home / "inner.cm").write_text("echo inner $name\nquit\necho never\n")
    script = shell.home / "outer.cm"
    script.write_text("# a comment\n// another\nvar name=amber\necho $name and $os.HOME and $gone\n"
                      "!echo of the shell\nbanner -n 8 hi\nexec inner.cm\necho never\n")
    told = shell.out("outer.cm")
    assert told.splitlines() == ["# a comment", "// another",
                                 f"amber and {shell.home} and $gone", "of the shell",
                                 "########", "# hi", "########", "inner amber"]
    assert "amber" in shell.out("var", "name")
    assert shell.out(said="echo piped\nquit\n") == "piped\n"


def test_a_script_that_runs_itself_ends(shell):
    (shell.home / "loop.cm").write_text("exec loop.cm\n")
    assert "runs itself" in shell.run("loop.cm", code=1).stderr


def test_at_a_terminal_names_are_completed_and_lines_remembered(shell):
    terminal = Terminal(shell)
    terminal.until("cm> ")
    terminal.type("comet clus\t")
    terminal.until("cluster ")
    terminal.type("am\t--status --format=csv\n")
    shown = terminal.until("vm-amber-01")
    assert "name,state,computeset,allocation,admin_state" in shown
    terminal.until("cm> ")
    terminal.type("history\n")
    assert "comet cluster amber --status" in terminal.until("2: history")
    terminal.until("cm> ")
    terminal.type("quit\n")
    assert terminal.end() == 0
    assert "history" in (shell.home / ".cloudmesh" / "history").read_text()


def test_listings_read_the_copy_till_they_are_told_to_refresh(shell):
    assert "| amber " in shell.out("list", "cluster", "--refresh")
    url = shell.env.pop("NUCLEUS_URL")
    # Of an endpoint that nobody answers there is no copy, and it cannot be made.
    shell.env["NUCLEUS_URL"] = "http://127.0.0.1:1"
    assert "127.0.0.1:1" in shell.run("list", "cluster", code=1).stderr
    shell.env["NUCLEUS_URL"] = url
    assert "vm-amber-00" in shell.out("list", "node", "--format=csv")
    assert shell.out("refresh", "on") == ""
    assert shell.out("refresh", "list") == "refresh is on\n"
    shell.out("refresh", "off")
    candidates = shell.out("--complete", "comet", "console", "amber", "vm-").split()
    assert "vm-amber-00" in candidates and "vm-amber-01" in candidates


def test_help_man_pages_and_completion_come_of_one_table(shell):
    commands = [line.split()[0] for line in shell.out("help").splitlines()]
    assert {"comet", "echo", "list", "timer", "quit"} <= set(commands)
    assert sorted(commands) == shell.out("--complete", "").split()
    for name in commands:
        assert shell.out("man", name).startswith("NAME\n  " + name)
    page = shell.out("--man", "comet")
    assert page.startswith(".TH COMET 1") and "comet start CLUSTER" in page
    for shell_name, begin in (("bash", "_cm()"), ("zsh", "#compdef"), ("fish", "function")):
        assert shell.out("--completion", shell_name).startswith(begin)
    assert "--walltime=" in shell.out("--complete", "comet", "start", "--wa").split()
    assert "attach" in shell.out("--complete", "comet", "iso", "").split()


def test_what_is_kept_is_kept_and_what_is_of_other_clouds_says_so(shell):
    shell.out("default", "image=small")
    assert shell.out("default", "image") == "small\n"
    shell.out("default", "delete", "image")
    shell.run("default", "image", code=1)
    shell.out("timer", "start", "t")
    assert shell.out("timer", "stop", "t").startswith("t ")
    assert "accepted" in shell.out("check")
    assert "other clouds" in shell.run("vm", "boot", "--n=2", code=1).stderr
    assert json.loads(shell.out("list", "image", "--format=json")) is not None
    told = shell.out("reset")
    assert told == "" and shell.run("var", "name", code=1)
