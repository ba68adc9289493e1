"""Every command of `nucleus`, found through its help, with each of its values blank, of another
kind, or naming nothing: it is refused and nothing changes. A command added later is tested too."""
import functools
import re
import subprocess

import pytest

from conftest import BIN, a_deployment, wait_until
from http_client import operator_of

TIMEOUT_S = 30
FREE_TEXTS = {"--reason", "--cmdline", "--rack"}
# What a required argument gets if it is not the one under test.
VALUES = {"cluster NAME": "c1", "cluster create NAME": "c9", "person NAME": "ann",
          "project NAME": "demo", "--record-consoles": "on", "person create NAME": "ben",
          "host add HOST": "h9", "host HOST": "sim-0001",
          "process NAME": "scheduler", "image NAME": "disk", "image DIRECTORY": "images",
          "class NAME": "spare", "class set NAME": "other",
          "reservation NAME": "far", "reservation create NAME": "farther", "--hosts": "sim-0001",
          "--end": "9000000000", "join FILE": "joined.join",
          "keys DIRECTORY": "keys", "--project": "demo", "--url": "http://localhost:1",
          "--events": "tcp://localhost:1", "--tls-certificate": "cert.pem",
          "--tls-key": "key.pem", "--console": "console:1", "--image-store": "store:1",
          "--ovs": "/none"}
# What a command needs although no single argument is required.
MORE = {"doctor --libvirt": ["--host"], "image import": ["--disk", "/dev/null", "--format", "raw"],
        "host set": ["--rack", "r1"]}
LONG = "x" * 65
# What a command creates may have any name that is one. None of these values is.
CREATED = {"cluster create NAME": ("../x", "a b", LONG, "7"),
           "person create NAME": ("../x", "a b", LONG),
           "person create --project": ("../x", "a b", LONG, "Upper"),
           "allocation set NAME": ("../x", "a b", LONG),
           "reservation create NAME": ("../x", "a b", LONG),
           "class set NAME": ("../x", "a b", LONG),
           "host add HOST": ("../x", "a b", LONG, "simulated", "sim-0002", "n[1-3],../x",
                             "n[1-3],joined", "n[1-4097]", "n[1-2", "n[3-1]"),
           "host add --file": ("none/x.join", "/"), "host add --directory": ("none", "/dev/null"),
           "image import NAME": ("../x", "a b", "demo/a/b", LONG, "7"),
           "keys DIRECTORY": ("/dev/null/x",), "keys --provisioner": ("../x", "a b", LONG)}
# A list of which one member is wrong changes none.
SETS_HOSTS = ("host set HOST",)
# These create a state directory, or examine a machine before there is one.
STATE_MAKERS = ("up --state", "doctor --state", "join --state")


def run(*words, **more):
    return subprocess.run([BIN / "nucleus", *words], text=True, capture_output=True,
                          timeout=TIMEOUT_S, check=False, **{"input": "", **more})


def section(text, name):
    """The lines of a section of the help, as (first word, the rest)."""
    found = re.search(rf"^{name}:\n((?:[ ].*\n?)*)", text, re.M | re.I)
    lines = found[1].splitlines() if found else []
    return [line.strip().partition(" ")[::2] for line in lines if re.match(r"  \S", line)]


@functools.cache
def commands(words=()):
    """Each command that has no subcommands, with its help."""
    text = run(*words, "--help").stdout
    parts = [name for name, _ in section(text, "Subcommands")]
    if not parts:
        return [pytest.param(words, text, id=" ".join(words))]
    return [one for part in parts for one in commands((*words, part))]


def values_of(text):
    """The commands arguments: their name, type, and whether they must be given."""
    for name, rest in section(text, "Positionals") + section(text, "Options"):
        kind = re.match(r"(TEXT|U?INT|FLOAT)", rest)
        if kind:
            yield name.split(",")[-1], kind[1], "REQUIRED" in rest


def line_with(text, chosen, value, values=None):
    """The arguments of a line: `chosen`, those that it needs, and the required ones."""
    words = []
    needs = dict(re.findall(r"(--\S+) TEXT Needs: (\S+)", text))
    needed = {needs.get(chosen), needs.get(needs.get(chosen))}
    for name, kind, is_required in values_of(text):
        if name != chosen and name not in needed and not is_required:
            continue
        if name == chosen:
            given = value  # also an empty one
        else:
            given = (values or {}).get(name) or ("a" if kind == "TEXT" else "1")
        words += [name, given] if name.startswith("-") else [given]
    return words


@pytest.mark.parametrize("words,text", commands())
def test_a_blank_value_is_refused_by_name(words, text, tmp_path):
    for name, _, _ in values_of(text):
        if name in FREE_TEXTS:
            continue
        for blank in ("", " ", ","):
            line = line_with(text, name, blank)
            if name != "--state" and " --state " in text:
                line += ["--state", str(tmp_path / "state")]
            assert blank in line
            refused = run(*words, *line, cwd=tmp_path)
            assert list(tmp_path.iterdir()) == [], (name, blank, refused)
            assert refused.returncode == 2, (name, blank, refused)
            assert name.lstrip("-") in refused.stderr, (name, blank, refused)


def test_the_help_names_the_commands_that_change_things():
    known = {one.id for one in commands()}
    assert {"cluster create", "cluster remove", "person create", "person remove", "host drain",
            "host resume", "image import"} <= known


def names(text, word):
    """Whether the text has the word as a whole, with `_` for `-`, in any case."""
    text, word = (one.lower().replace("_", "-") for one in (text, word))
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


class Live:
    """A deployment with a cluster and a person, and all that a command could change in it."""

    def __init__(self, deployment, folder):
        self.deployment = deployment
        self.folder = folder
        self.operator = operator_of(deployment)
        deployment.nucleus("cluster", "create", "c1", "--computes", "2")
        deployment.add_person("ann", "demo")
        deployment.nucleus("class", "set", "spare")
        deployment.nucleus("reservation", "create", "far", "--hosts", "sim-0002", "--start",
                           "8000000000", "--end", "8000000001")
        deployment.nucleus("host", "add", "joined", "--file", str(folder / "joined.join"))
        (folder / "images").mkdir()
        (folder / "images" / "tools.iso").touch()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                        "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                       check=True, capture_output=True, timeout=TIMEOUT_S)

    def everything(self):
        records = {path: self.operator.get(f"/v2/{path}?limit=1000") for path in (
            "clusters", "clusters/c1/nodes", "people", "projects", "allocations", "images",
            "computesets", "hosts", "reservations")}
        for host in records["hosts"]["hosts"]:
            del host["last_heartbeat_unix_ms"], host["clock_skew_ms"]
        processes = self.deployment.nucleus("process", "list").stdout.splitlines()
        state = self.deployment.state
        files = [state / name for name in ("deployment.yaml", "credentials.yaml", "env")]
        files += [file for folder in (state / "rights", state / "config", self.folder)
                  for file in folder.rglob("*")]
        return (records, [(line.split()[0], line.split()[-1]) for line in processes],
                {str(file): file.read_bytes() if file.is_file() else "" for file in files},
                self.deployment.processes())

    def refuses(self, command, text, name, value):
        """It is refused in one line that names the argument or its value."""
        group = command.split()[0]
        # A state directory with a head is refused before the machine is examined.
        state = self.deployment.state
        if command == "join":
            state = self.folder.with_name("no-host-yet")
        values = {**VALUES, "--state": str(state),
                  **{key: VALUES.get(f"{command} {key}", VALUES.get(f"{group} {key}"))
                     for key in ("NAME", "HOST", "FILE", "DIRECTORY")}}
        line = line_with(text, name, value, values)
        line += MORE.get(f"{command} {name}", [])
        line += [word for word in MORE.get(command, []) if name not in MORE[command]]
        assert value in line
        if name != "--state" and " --state " in text:
            line += ["--state", str(state)]
        refused = run(*command.split(), *line, cwd=self.folder, input="a password\n")
        assert refused.returncode in (1, 2), (command, line, refused)
        named = (name.lstrip("-"), value, str((self.folder / value).resolve()))
        said = refused.stderr.replace(str(state), "DIR")  # may hold the value by chance
        assert any(names(said, word) for word in named), (command, line, refused)
        assert refused.stdout == "", (command, line, refused)
        assert "in time" not in refused.stderr, (command, line, refused)
        assert command != "join" or not state.exists(), (line, refused)


@pytest.fixture(name="live", scope="module")
def live_fixture(tmp_path_factory):
    with a_deployment("--simulated", "--hosts", "2") as deployment:
        yield Live(deployment, tmp_path_factory.mktemp("operator"))


def wrong_values(command, name, kind):
    if kind == "FLOAT":
        return ("many", "-1", "nan", "0.0004", "9" * 30)
    if kind != "TEXT":
        return ("many", "-1", "1.5", "9" * 30)
    if f"{command} {name}" in CREATED:
        return CREATED[f"{command} {name}"]
    if f"{command} {name}" in SETS_HOSTS:
        return ("7", "none", "sim-0001,none", "none,sim-0001", "sim-[0001-0003]", "sim-[1")
    return ("7", "none", "a b", "../x")


def arguments():
    for one in commands():
        words, text = one.values
        command = " ".join(words)
        for name, kind, _ in values_of(text):
            if name not in FREE_TEXTS and f"{command} {name}" not in STATE_MAKERS:
                yield pytest.param(command, text, name, kind, id=f"{command} {name}")


@pytest.mark.parametrize("command,text,name,kind", arguments())
def test_a_value_that_names_nothing_is_refused_and_changes_nothing(live, command, text, name,
                                                                   kind):
    before = live.everything()
    for value in wrong_values(command, name, kind):
        live.refuses(command, text, name, value)
    assert live.everything() == before


@pytest.mark.parametrize("command", ["config", "drain"])
def test_a_process_that_is_not_there_is_refused_by_the_bus(live, command):
    for name in ("none", "provisioner/none", "7"):
        refused = live.deployment.nucleus("process", command, name, check=False)
        assert (refused.returncode, refused.stdout) == (1, ""), refused
        assert f"{name} is not connected" in refused.stderr, refused


def test_an_image_is_of_a_project_that_exists(live):
    words = ("image", "import", "none/disk", "--disk", "/dev/null", "--format", "raw")
    refused = live.deployment.nucleus(*words, check=False)
    assert (refused.returncode, refused.stdout) == (1, ""), refused
    assert "no such project: none" in refused.stderr, refused
    put = live.operator.ask("PUT", "/v2/images/none/disk?format=raw", data=b"\1" * 512)
    assert (put.status_code, put.json()["detail"]) == (404, "Not found.")
    assert live.operator.get("/v2/images")["images"] == []


def test_removing_a_cluster_does_what_its_help_says(live):
    """It ends the computesets, stops the nodes, and deletes the cluster with its volumes."""
    said = run("cluster", "remove", "--help").stdout.splitlines()[0]
    assert said == "end a cluster's computesets, stop its nodes, and delete it with its volumes"
    ask = live.operator.ask
    live.deployment.nucleus("cluster", "create", "goes", "--computes", "2")
    wait_until(lambda: ask("POST", "/v2/clusters/goes/nodes/goes/power",
                           data='{"action": "on"}').ok, "the frontend is on")
    made = ask("POST", "/v2/computesets", data='{"cluster_id": "goes", "count": 2}')
    number = made.json()["computeset_id"]

    def state():
        return live.operator.get(f"/v2/computesets/{number}")["state"]

    def domains():
        return sum(host["node_count"] for host in live.operator.get("/v2/hosts")["hosts"])
    wait_until(lambda: state() == "running" and domains() == 3, "the cluster runs")
    removed = live.deployment.nucleus("cluster", "remove", "goes")
    assert removed.stdout == "cluster goes is removed\n"
    assert ask("GET", "/v2/clusters/goes").status_code == 404
    wait_until(lambda: state() == "completed" and domains() == 0, "nothing of it runs")
    assert "0 orphans" in live.deployment.nucleus("verify").stdout


def test_control_characters_do_not_reach_the_terminal(live):
    refused = run("reservation", "update", "far", "--reason", "\x1b[2J", "--state",
                  str(live.deployment.state))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "reason must be up to 256 bytes without control characters" in refused.stderr
    (live.folder / "\x1b[2J.join").write_text("host_id: [")
    refused = run("join", str(live.folder / "\x1b[2J.join"))
    assert refused.returncode == 2 and "\x1b" not in refused.stderr and "[2J" in refused.stderr


def test_a_file_that_is_a_folder_or_is_not_there_is_named(live):
    for name, reason in ((live.folder, "Is a directory"),
                         (live.folder / "gone", "No such file or directory")):
        refused = run("join", str(name), "--state", str(live.folder / "host"))
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1, refused
        assert str(name) in refused.stderr and reason in refused.stderr, refused


def test_a_reservation_is_changed_as_asked_or_the_command_is_refused(live):
    def update(*words):
        return live.deployment.nucleus("reservation", "update", "far", *words, check=False)
    assert update("--reason", "fans").stdout.splitlines()[1].endswith("  fans")
    assert not update("--reason", "").stdout.splitlines()[1].rstrip().endswith("fans")
    for words, field in (((), "nothing to change"), (("--start", "0"), "start"),
                         (("--end", "0"), "end"), (("--end", "-1"), "end")):
        refused = update(*words)
        assert (refused.returncode, refused.stdout) == (2, ""), (words, refused)
        assert field in refused.stderr, (words, refused)


def test_the_period_of_an_allocation_is_set_and_removed(live):
    def row(*words):
        done = live.deployment.nucleus("allocation", "set", "period", "--project", "demo", *words)
        return done.stdout.splitlines()[1]
    both = row("--start", "4070908800", "--end", "4070995200")
    assert "2099-01-01T00:00:00Z" in both and "2099-01-02T00:00:00Z" in both
    assert row("--shares", "2").split()[-2:] == both.split()[-2:]
    assert "2099-01-01" not in row("--start", "0")
    assert "2099" not in row("--end", "0")
