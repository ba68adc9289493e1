"""Every command of `comet`, found through its help, with a value that it must refuse: nothing
changes, and the exit code says so. A command added later is tested too."""
import contextlib
import itertools
import os
import re
import subprocess

import pytest

from conftest import BIN, a_deployment, session_of, wait_until

TIMEOUT_S = 60
# What each positional argument gets if it is not the one under test.
VALUES = {"CLUSTER": "c1", "IMAGE": "small.iso", "NODES": "vm-c1-00", "OLDNAMES": "vm-c1-[02-03]",
          "NEWNAMES": "y[2-3]", "NAMES": "demo", "NODE": "vm-c1-00", "ID": "999",
          "PROJECT": "demo", "PATH": "/dev/null", "URL": "http://localhost:1/x.iso",
          "ENDPOINT": "here", "WHAT": "c1", "WALLTIME": "1h", "VERB": "show", "PART": "show",
          "GENERATION": "1", "NAME": "clean", "FILE": "new.cast", "TAG": "small:stable"}
# Lists with one bad member: unknown, not powered as it is in no computeset, or not a name. Each
# argument that the help calls a list needs an entry.
BAD = {"NODES": ("vm-c1-00,vm-c1-77", "vm-c1-77,vm-c1-00", "vm-c1-[00,77]"),
       "OLDNAMES": ("vm-c1-02,vm-c1-77", "vm-c1-77,vm-c1-02", "vm-c1-02,vm-c1-02"),
       "NEWNAMES": ("y,bad/name", "y,vm-c1-00", "5,y", "y,y"),
       "NAMES": ("demo,nowhere", "nowhere,demo", "demo,bad name")}
# These take a number: minutes, a count or an ID; or any text.
NUMBERS = ("ID", "--count", "--at-least", "--walltime", "--wait-limit", "--seconds", "WALLTIME",
           "--every", "--on-behalf-of", "--record", "FILE", "--speed", "--idle")
# These do not reach a server, or ask at a terminal.
LOCAL = ("init", "active")


def commands():
    """(words, arguments, lists) of each command; an argument is (name, is it required). Its help
    says which arguments are lists."""
    text = subprocess.run([BIN / "comet", "--help"], text=True, capture_output=True,
                          timeout=TIMEOUT_S, check=True).stdout
    for line, described in re.findall(r"^  comet ([a-z].*)\n((?: {6}.*\n)*)", text, re.M):
        words = list(itertools.takewhile(lambda word: re.fullmatch(r"[a-z]+", word), line.split()))
        rest = [word for word in line.split()[len(words):] if "…" not in word]
        arguments = [(word.strip("[]").partition("=")[0], word[0] != "[") for word in rest
                     if "=" in word or not word.strip("[]").startswith("--")]
        lists = {name.partition("=")[0]
                 for name, meaning in re.findall(r"^ {8}(\S+)  (.*)$", described, re.M)
                 if re.search(r"\ba list of\b|separated by commas", meaning)}
        yield tuple(words), arguments, lists


FOUND = list(commands())
COMMANDS = [(words, arguments) for words, arguments, _ in FOUND]
LISTS = {words: lists for words, _, lists in FOUND}


def cases(chosen):
    """(words, arguments, name) of each argument that `chosen` takes."""
    return [pytest.param(words, arguments, name, id=" ".join((*words, name)))
            for words, arguments in COMMANDS if words[0] not in LOCAL
            for name, _ in arguments if chosen(words, name)]


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
        clusters = self.get("/v2/clusters?limit=1000")
        names = [cluster["cluster_id"] for cluster in clusters["clusters"]]
        assert {"c1", "c2"} <= set(names)
        allocations = self.get("/v2/allocations?limit=1000")
        for allocation in allocations["allocations"]:
            del allocation["used_core_s"]  # grows with time
        return clusters, allocations, [self.get(path) for path in (
            "/v2/computesets?limit=1000", "/v2/images?limit=1000", "/v2/me/tokens?limit=1000",
            "/v2/projects/demo/acknowledgements",
            *(f"/v2/clusters/{name}/nodes?limit=1000" for name in names))]

    @contextlib.contextmanager
    def unchanged(self):
        before = self.everything()
        yield
        assert self.everything() == before

    def refuses(self, *words):
        refused = self.run(*words)
        assert refused.returncode in (1, 2), (words, refused)
        assert refused.stderr.startswith("comet: ") and refused.stderr.count("\n") == 1, refused
        assert "Not found." not in refused.stderr, refused
        return refused


@pytest.fixture(name="client", scope="module")
def client_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        for cluster in ("c1", "c2"):
            deployment.nucleus("cluster", "create", cluster, "--computes", "4")
        client = Client(deployment, tmp_path_factory.mktemp("home"))
        iso = tmp_path_factory.mktemp("iso") / "small.iso"
        iso.write_bytes(bytes(16 * 2048) + b"\x01CD001\x01" + bytes(2041) + b"\xffCD001\x01" +
                        bytes(2041))
        uploaded = client.run("iso", "upload", iso)
        assert uploaded.returncode == 0, uploaded
        wait_until(lambda: client.get("/v2/images")["images"], "the image is listed")
        # Something that runs, something that is inserted, and something to insert.
        for words in (("iso", "attach", "small.iso", "c1", "vm-c1-[00,03]"),
                      ("iso", "attach", "small.iso", "c2", "vm-c2-00"),
                      ("start", "c1", "vm-c1-00", "--walltime=1d", "--wait"),
                      ("start", "c2", "vm-c2-00", "--walltime=1d", "--wait"),
                      ("power", "on", "c2", "--wait")):
            done = client.run(*words)
            assert done.returncode == 0, done
        yield client


def test_the_help_names_the_commands_that_take_lists():
    found = {" ".join(words) for words, names in LISTS.items() if names}
    assert {name for names in LISTS.values() for name in names} <= set(BAD)
    assert found >= {"start", "power on", "power off", "power reboot", "power reset",
                     "power shutdown", "iso attach", "iso detach", "image attach", "image detach",
                     "node rename", "allocation"}


@pytest.mark.parametrize("words,arguments,name", cases(lambda words, name: name in LISTS[words]))
def test_a_list_with_one_bad_member_changes_nothing(client, words, arguments, name):
    bad = BAD[name]
    if words[0] == "power":
        bad += ("vm-c1-[00-01]",) if words[1] != "on" else ()  # vm-c1-01 is in no computeset
    with client.unchanged():
        for value in bad:
            client.refuses(*words, *line_of(arguments, name, value))


@pytest.mark.parametrize("words,arguments,name", cases(lambda words, name: True))
def test_an_empty_value_is_refused_by_name(client, words, arguments, name):
    with client.unchanged():
        for value in ("", ",", " "):
            refused = client.refuses(*words, *line_of(arguments, name, value))
            assert refused.returncode == 2 and refused.stdout == "", refused


@pytest.mark.parametrize("words,arguments,name", cases(lambda words, name: name not in NUMBERS))
def test_a_number_is_refused_instead_of_a_name(client, words, arguments, name):
    with client.unchanged():
        client.refuses(*words, *line_of(arguments, name, "7"))


def test_what_is_refused_with_a_bad_member_is_done_without_it(client):
    """The refusals above are not for another reason."""
    isos = lambda: {node["name"]: node["iso_id"]
                    for node in client.get("/v2/clusters/c1/nodes")["nodes"]}
    before = isos()
    assert before["vm-c1-03"] == before["vm-c1-00"] == "demo/small.iso"
    for words, name in ((("detach", "c1", "vm-c1-[00,03]"), ""),
                        (("attach", "small.iso", "c1", "vm-c1-[00,03]"), "demo/small.iso")):
        done = client.run("iso", *words)
        assert done.returncode == 0, done
        assert isos() == {**before, "vm-c1-00": name, "vm-c1-03": name}


def test_the_name_of_a_new_image_is_refused_by_what_is_wrong(client, tmp_path):
    file = tmp_path / "new.raw"
    file.write_bytes(b"x" * 512)
    for words in (("image", "upload", file), ("iso", "upload", file),
                  ("image", "import", "https://localhost:1/new.raw")):
        option = "--isoname" if words[0] == "iso" else "--imagename"
        with client.unchanged():
            for name in ("../x", "/x", "demo/", "demo/a/b", "a b", "..", "x" * 65):
                refused = client.refuses(*words, f"{option}={name}")
                assert "the image's name must be" in refused.stderr
            refused = client.refuses(*words, f"{option}=nowhere/x")
        assert "no such project: nowhere" in refused.stderr
