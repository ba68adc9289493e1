"""Every command of `comet`, found through its help, with a value that it must refuse: nothing
changes, and the exit code says so. A command added later is tested too."""
import itertools
import os
import re
import subprocess

import pytest

from conftest import BIN, a_deployment, session_of

TIMEOUT_S = 60
LISTS = ("NODES", "OLDNAMES", "NEWNAMES", "NAMES")
# What each positional argument gets if it is not the one under test.
VALUES = {"CLUSTER": "c1", "IMAGE": "none.iso", "NODES": "vm-c1-00", "OLDNAMES": "vm-c1-[02-03]",
          "NEWNAMES": "y[2-3]", "NAMES": "demo", "NODE": "vm-c1-00", "ID": "999",
          "PROJECT": "demo", "PATH": "/dev/null", "ENDPOINT": "here"}
# Lists with one bad member: unknown, not powered as it is in no computeset, or not a name.
BAD = {"NODES": ("vm-c1-00,vm-c1-77", "vm-c1-77,vm-c1-00", "vm-c1-[00,77]"),
       "OLDNAMES": ("vm-c1-02,vm-c1-77", "vm-c1-77,vm-c1-02", "vm-c1-02,vm-c1-02"),
       "NEWNAMES": ("y,bad/name", "y,vm-c1-00", "5,y", "y,y"),
       "NAMES": ("demo,nowhere", "nowhere,demo", "demo,bad name")}
# These take a number: minutes, a count or an ID.
NUMBERS = ("ID", "--count", "--walltime", "--wait-limit")
# These do not reach a server, or ask at a terminal.
LOCAL = ("init", "active")


def commands():
    """(words, arguments) of each command; an argument is (name, is it required)."""
    text = subprocess.run([BIN / "comet", "--help"], text=True, capture_output=True,
                          timeout=TIMEOUT_S, check=True).stdout
    for line in re.findall(r"^  comet ([a-z].*)$", text, re.M):
        words = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+", word), line.split()))
        rest = [word for word in line.split()[len(words):] if "…" not in word]
        yield tuple(words), [(word.strip("[]").partition("=")[0], word[0] != "[") for word in rest
                             if "=" in word or not word.strip("[]").startswith("--")]


COMMANDS = list(commands())


def cases(chosen):
    """(words, arguments, name) of each argument that `chosen` takes."""
    return [pytest.param(words, arguments, name, id=" ".join((*words, name)))
            for words, arguments in COMMANDS if words[0] not in LOCAL
            for name, _ in arguments if chosen(name)]


def line_of(arguments, name, value):
    """The arguments of a line: the required ones, those before `name`, and `name` with `value`."""
    names = [each for each, _ in arguments]
    last = names.index(name) if not name.startswith("--") else -1
    line = [value if each == name else VALUES[each] for at, (each, is_required) in
            enumerate(arguments) if not each.startswith("--") and (is_required or at <= last)]
    return line + ([f"{name}={value}"] if name.startswith("--") else [])


class Client:
    def __init__(self, deployment, home):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), **deployment.env()}
        self.session = session_of(self.env["NUCLEUS_TOKEN"])

    def run(self, *words):
        return subprocess.run([BIN / "comet", *words], env=self.env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S,
                              check=False)

    def get(self, path):
        found = self.session.get(self.env["NUCLEUS_URL"] + path, timeout=TIMEOUT_S)
        assert found.status_code == 200, found.text
        return found.json()

    def everything(self):
        """All that a command could change; each change of a record changes its revision."""
        return [self.get(path) for path in ("/v2/clusters/c1", "/v2/computesets", "/v2/images",
                                            "/v2/projects/demo/acknowledgements")]

    def refuses(self, *words):
        before = self.everything()
        refused = self.run(*words)
        assert refused.returncode in (1, 2), (words, refused)
        assert refused.stderr.startswith("comet: ") and refused.stderr.count("\n") == 1, refused
        assert "Not found." not in refused.stderr, refused
        assert self.everything() == before, (words, refused)
        return refused


@pytest.fixture(name="client", scope="module")
def client_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        deployment.nucleus("cluster", "create", "c1", "--computes", "4")
        client = Client(deployment, tmp_path_factory.mktemp("home"))
        started = client.run("start", "c1", "vm-c1-00", "--walltime=1d", "--wait")
        assert started.returncode == 0, started
        yield client


def test_the_help_names_the_commands_that_take_lists():
    found = {" ".join(words) for words, arguments in COMMANDS
             if any(name in LISTS for name, _ in arguments)}
    assert found >= {"start", "power on", "power off", "power reboot", "power reset",
                     "power shutdown", "iso attach", "iso detach", "image attach", "image detach",
                     "node rename", "allocation"}


@pytest.mark.parametrize("words,arguments,name", cases(lambda name: name in LISTS))
def test_a_list_with_one_bad_member_changes_nothing(client, words, arguments, name):
    bad = BAD[name]
    if words[0] == "power":
        bad += ("vm-c1-[00-01]",) if words[1] != "on" else ()  # vm-c1-01 is in no computeset
    for value in bad:
        client.refuses(*words, *line_of(arguments, name, value))


@pytest.mark.parametrize("words,arguments,name", cases(lambda name: True))
def test_an_empty_value_is_refused_by_name(client, words, arguments, name):
    for value in ("", ",", " "):
        refused = client.refuses(*words, *line_of(arguments, name, value))
        assert refused.returncode == 2 and refused.stdout == "", refused


@pytest.mark.parametrize("words,arguments,name", cases(lambda name: name not in NUMBERS))
def test_a_number_is_refused_instead_of_a_name(client, words, arguments, name):
    client.refuses(*words, *line_of(arguments, name, "7"))
