"""The tools that hold rules: quiet on the tree as it is, and loud on each planted violation."""
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT


@pytest.fixture(name="tree", scope="module")
def tree_fixture(tmp_path_factory):
    """A copy of the sources, whose tools read it instead of ours."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout.split()
    for name in listed:
        if not (ROOT / name).is_file():
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


def run(tree, tool, *options):
    return subprocess.run([tree / "tools" / tool, *options], capture_output=True, text=True,
                          check=False, timeout=120)


def planted(tree, tool, name, change, *options):
    """What the tool says once `change(text)` is what file `name` holds; then all is as before."""
    file = pathlib.Path(tree) / name
    before = file.read_text() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(change(before or ""))
    try:
        ran = run(tree, tool, *options)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
    assert ran.returncode == 1, f"{tool} took it: {ran.stdout}{ran.stderr}"
    return ran.stderr


@pytest.mark.parametrize("tool, options", [
    ("check_layers", []), ("check_tidy", ["--layout"])])
def test_each_tool_is_quiet_on_the_sources_as_they_are(tree, tool, options):
    ran = run(tree, tool, *options)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name, line, reason", [
    ("services/registry/people.cpp", '#include "services/network/keys.hpp"', "core/, messages/"),
    ("core/log/log.cpp", '#include "core/bus/bus.hpp"', "may not include core/bus"),
    ("gateway/router.cpp", "#include <zmq.hpp>", "core/bus/"),
    ("services/network/service.cpp", "#include <gtest/gtest.h>", "belongs only in tests/"),
])
def test_check_layers_fails_on_a_forbidden_include(tree, name, line, reason):
    assert reason in planted(tree, "check_layers", name, lambda text: f"{line}\n{text}")


@pytest.mark.parametrize("name, line, reason", [
    ("services/network/service.cpp", "auto now = std::chrono::system_clock::now();", "clock"),
    ("services/registry/people.cpp", "const int dice = rand();", "randomness"),
    ("gateway/router.cpp", "std::this_thread::sleep" + "_for(wait);", "sleeps"),
    ("services/scheduler/hosts.cpp", 'const char* home = std::getenv("HOME");', "environment"),
    ("services/scheduler/hosts.cpp", "} catch (...) {", "nobody foresaw"),
    ("services/scheduler/hosts.cpp", "class HostManager;", "does not say what"),
    ("services/overhead/service.cpp", 'const char* key = "nucleus:registry:node:1";', "keys.hpp"),
    ("tests/unit/core/hostlist/hostlist_test.cpp", "usle" + "ep(1000);", "a test that sleeps"),
    ("tests/e2e/test_up.py", "time.sle" + "ep(1)", "a test that sleeps"),
    ("core/log/log.cpp", "// TO" + "DO mend this later", "without the number"),
    ("tools/install", "curl https://pypi" + ".org/simple/x", "package registry"),
    ("operator/caller.cpp", "// " + "x" * 98, "columns"),
    ("quickstart", "# " + "x" * 99, "columns"),
])
def test_check_tidy_fails_on_a_forbidden_line(tree, name, line, reason):
    told = planted(tree, "check_tidy", name, lambda text: f"{text}{line}\n")
    assert name in told
    assert reason in told


def test_check_tidy_fails_on_what_is_too_long(tree):
    long_file = planted(tree, "check_tidy", "core/log/log.cpp", lambda text: text + "\n" * 500)
    assert "more than 500" in long_file
    body = "  call();\n" * 70
    for head in ("void f() {\n", "core::Result<void> Service::f(int first,\n" +
                 " " * 29 + "int second) {\n"):
        told = planted(tree, "check_tidy", "core/log/log.cpp",
                       lambda text, head=head: f"{text}{head}{body}}}\n")
        assert "a function of 72 lines" in told
    told = planted(tree, "check_tidy", "tools/count_tests",
                   lambda text: text + "def f():\n" + "    call()\n" * 70)
    assert "a function of 71 lines" in told


def test_check_tidy_fails_on_a_header_that_does_not_say_what_it_is_for(tree):
    told = planted(tree, "check_tidy", "core/log/lines.hpp", lambda _: "struct Line {};\n")
    assert "opens with what it is for" in told
    assert "#pragma once" in told


def test_check_tidy_fails_on_a_layout_of_ones_own(tree):
    name = "core/log/log.cpp"
    told = planted(tree, "check_tidy", name, lambda text: text + "int  f( );\n", "--layout")
    assert ".clang-format" in told
