"""A browser for the tests: Chromium, driven by portal/flows.js with playwright-core."""
import functools
import json
import os
import shutil
import subprocess

from conftest import BIN, ROOT

TOOLS = BIN.parent / "portal-tools"
FLOW_TIMEOUT_S = 600  # only bounds a failure


def install_tools():
    """The packages of portal/package-lock.json, with those for tests."""
    wanted, installed = (folder / "package-lock.json" for folder in (ROOT / "portal", TOOLS))
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        ran = subprocess.run([ROOT / "portal" / "install_packages", TOOLS], text=True,
                             capture_output=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    flows = ROOT / "tests" / "e2e" / "portal"
    for file in (ROOT / "portal" / "browser.js", *flows.glob("*.js")):
        shutil.copy(file, TOOLS)


@functools.cache
def browser_server():
    """A Chromium for all flows, which ends with this process: starting one takes seconds."""
    install_tools()
    return subprocess.Popen(["node", TOOLS / "browser_server.js"], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@functools.cache
def browser_address():
    address = browser_server().stdout.readline().strip()
    assert address.startswith("ws://"), address
    return address


def begin_flow(url, name, **given):
    """The process of a flow that has just begun."""
    environment = {**os.environ, "NUCLEUS_URL": url, "BROWSER_ADDRESS": browser_address()}
    return subprocess.Popen(["node", TOOLS / "flows.js", name, json.dumps(given)], text=True,
                            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def end_flow(process):
    try:
        out, error = process.communicate(timeout=FLOW_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, error = process.communicate()
    assert process.returncode == 0, out + error
    return out


def run_flow(url, name, **given):
    """What the flow printed."""
    return end_flow(begin_flow(url, name, **given))
