"""Runs `comet`, the client of cluster admins."""
import os
import subprocess

from conftest import BIN


def run_comet(home, env, *words, code=0):
    """What it prints; on standard error if it is to fail. `home` is its own; `env` has URL and
    token."""
    ran = subprocess.run([BIN / "comet", *map(str, words)], text=True, capture_output=True,
                         env={"PATH": os.environ["PATH"], "HOME": str(home), **env},
                         check=False, stdin=subprocess.DEVNULL, timeout=60)
    assert ran.returncode == code, f"{words}: {ran.stdout}{ran.stderr}"
    return ran.stdout if code == 0 else ran.stderr
