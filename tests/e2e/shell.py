"""The `cm` shell as its user runs it: commands, and a terminal."""
import os
import pty
import re
import select
import subprocess
import time

from conftest import BIN

TIMEOUT_S = 60


class Shell:
    """`cm` with the environment of one deployment and a home of its own."""

    def __init__(self, deployment, home):
        self.home, self.deployment = home, deployment
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb",
                    **deployment.env()}

    def run(self, *words, code=0, stdin=None):
        ran = subprocess.run([BIN / "cm", *words], env=self.env, text=True, capture_output=True,
                             input=stdin or "", timeout=TIMEOUT_S, cwd=self.home)
        assert ran.returncode == code, f"{words}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran

    def out(self, *words, **more):
        return self.run(*words, **more).stdout


def read_until(process, pattern):
    """From standard output; returns all that was read."""
    seen = b""
    until = time.monotonic() + TIMEOUT_S
    while not re.search(pattern, seen):
        left = max(until - time.monotonic(), 0)
        assert select.select([process.stdout], [], [], left)[0], seen[-2000:]
        part = os.read(process.stdout.fileno(), 4096)
        assert part, (seen[-2000:], process.stderr.read())
        seen += part
    return seen


class Terminal:
    """The shell, or one command of it, at a pseudo-terminal."""

    def __init__(self, shell, *words):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(shell.home)
            os.execve(BIN / "cm", ["cm", *words], shell.env)
        self.shown = ""

    def until(self, text):
        """Reads until `text` appears in the output not yet consumed; returns what precedes it."""
        until = time.monotonic() + TIMEOUT_S
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self.master], [], [], 1)[0]:
                self.shown += os.read(self.master, 4096).decode(errors="replace")
        before, _, self.shown = self.shown.partition(text)
        return before

    def read(self, seconds):
        """What is shown next; nothing if it does not come in this time, or it ended."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.master, 4096)
        except OSError:
            return b""

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            try:
                if not os.read(self.master, 4096):
                    break
            except OSError:  # it ended
                break
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
