"""Every command of `nucleus`, found through its help, with each of its values blank: it is refused
before anything is called. A command added later is tested too."""
import re
import subprocess

import pytest

from conftest import BIN

TIMEOUT_S = 30
FREE_TEXTS = {"--reason", "--cmdline"}


def run(*words):
    return subprocess.run([BIN / "nucleus", *words], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)


def section(text, name):
    """The lines of a section of the help, as (first word, the rest)."""
    found = re.search(rf"^{name}:\n((?:[ ].*\n?)*)", text, re.M | re.I)
    lines = found[1].splitlines() if found else []
    return [line.strip().partition(" ")[::2] for line in lines if re.match(r"  \S", line)]


def commands(words=()):
    text = run(*words, "--help").stdout
    parts = [name for name, _ in section(text, "Subcommands")]
    if not parts:
        yield pytest.param(words, text, id=" ".join(words))
    for part in parts:
        yield from commands((*words, part))


def values_of(text):
    """The commands arguments: their name, type, and whether they must be given."""
    for name, rest in section(text, "Positionals") + section(text, "Options"):
        kind = re.match(r"(TEXT|UINT)", rest)
        if kind:
            yield name.split(",")[-1], kind[1], "REQUIRED" in rest


def line_with(text, chosen, value):
    words = []
    for name, kind, is_required in values_of(text):
        if name != chosen and not is_required:
            continue
        given = value if name == chosen else "1" if kind == "UINT" else "a"
        words += [name, given] if name.startswith("-") else [given]
    return words


@pytest.mark.parametrize("words,text", commands())
def test_a_blank_value_is_refused_by_name(words, text):
    for name, _, _ in values_of(text):
        if name in FREE_TEXTS:
            continue
        for blank in ("", " ", ","):
            refused = run(*words, *line_with(text, name, blank))
            assert refused.returncode == 2, (name, blank, refused)
            assert name.lstrip("-") in refused.stderr, (name, blank, refused)


def test_the_help_names_the_commands_that_change_things():
    known = {one.id for one in commands()}
    assert {"cluster create", "cluster remove", "person create", "person remove", "host drain",
            "host resume", "image import"} <= known
