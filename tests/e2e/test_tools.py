"""The checking tools: they accept the tree as it is, and report each violation."""
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT


@pytest.fixture(name="tree", scope="module")
def tree_fixture(tmp_path_factory):
    """A copy of the sources, with its own copy of the tools."""
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


def run_with(tree, tool, name, change, *options):
    """The tool's errors while file `name` has the content `change(text)`; restores the file."""
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
    assert ran.returncode == 1, f"{tool} accepted it: {ran.stdout}{ran.stderr}"
    return ran.stderr


@pytest.mark.parametrize("tool, options", [
    ("check_layers", []), ("check_tidy", ["--layout"]), ("check_docs", []), ("check_services", [])])
def test_each_tool_accepts_the_sources(tree, tool, options):
    ran = run(tree, tool, *options)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name, line, reason", [
    ("services/registry/people.cpp", '#include "services/network/keys.hpp"', "core/, messages/"),
    ("core/log/log.cpp", '#include "core/bus/bus.hpp"', "may not include core/bus"),
    ("gateway/routing/router.cpp", "#include <zmq.hpp>", "core/bus/"),
    ("services/network/service.cpp", "#include <gtest/gtest.h>", "belongs only in tests/"),
])
def test_check_layers_fails_on_a_forbidden_include(tree, name, line, reason):
    assert reason in run_with(tree, "check_layers", name, lambda text: f"{line}\n{text}")


@pytest.mark.parametrize("name, line, reason", [
    ("services/network/service.cpp", "auto now = std::chrono::system_clock::now();", "clock"),
    ("services/registry/people.cpp", "const int dice = rand();", "randomness"),
    ("gateway/routing/router.cpp", "std::this_thread::sleep" + "_for(wait);", "sleeps"),
    ("services/scheduler/service.cpp", 'const char* home = std::getenv("HOME");', "environment"),
    ("services/scheduler/service.cpp", "} catch (...) {", "unexpected exceptions"),
    ("services/scheduler/service.cpp", "class HostManager;", "meaningless name"),
    ("services/overhead/service.cpp", 'const char* key = "nucleus:registry:node:1";', "keys.hpp"),
    ("gateway/v2/routes.cpp", 'const char* topic = "registry.node-defined";', "spells a topic"),
    ("tests/unit/core/hostlist/hostlist_test.cpp", "usle" + "ep(1000);", "a test that sleeps"),
    ("tests/e2e/test_up.py", "time.sle" + "ep(1)", "a test that sleeps"),
    ("core/log/log.cpp", "// TO" + "DO mend this later", "without an issue number"),
    ("tools/install", "curl https://pypi" + ".org/simple/x", "package source"),
    ("operator/caller.cpp", "// " + "x" * 98, "columns"),
    ("quickstart", "# " + "x" * 99, "columns"),
])
def test_check_tidy_fails_on_a_forbidden_line(tree, name, line, reason):
    report = run_with(tree, "check_tidy", name, lambda text: f"{text}{line}\n", name)
    assert name in report
    assert reason in report


def test_check_tidy_fails_on_long_files_and_functions(tree):
    name = "core/log/log.cpp"
    long_file = run_with(tree, "check_tidy", name, lambda text: text + "\n" * 500, name)
    assert "more than 500" in long_file
    body = "  call();\n" * 70
    for head in ("void f() {\n", "core::Result<void> Service::f(int first,\n" +
                 " " * 29 + "int second) {\n"):
        report = run_with(tree, "check_tidy", name,
                          lambda text, head=head: f"{text}{head}{body}}}\n", name)
        assert "a function of 72 lines" in report
    name = "tools/count_tests"
    report = run_with(tree, "check_tidy", name,
                      lambda text: text + "def f():\n" + "    call()\n" * 70, name)
    assert "a function of 71 lines" in report


def test_check_tidy_fails_on_a_header_without_a_purpose(tree):
    name = "core/log/lines.hpp"
    report = run_with(tree, "check_tidy", name, lambda _: "struct Line {};\n", name)
    assert "must begin with a comment" in report
    assert "#pragma once" in report


def test_check_tidy_fails_on_a_different_layout(tree):
    name = "core/log/log.cpp"
    report = run_with(tree, "check_tidy", name, lambda text: text + "int  f( );\n", "--layout",
                      name)
    assert ".clang-format" in report


def replaced(old, new):
    def change(text):
        assert old in text, f"the text to replace does not exist: {old}"
        return text.replace(old, new, 1)
    return change


def added(line):
    return lambda text: f"{text}\n{line}\n"


@pytest.mark.parametrize("name, change, reason", [
    ("README.md", added("[a page](docs/nowhere.md)"), "no such file"),
    ("README.md", added("[a place](docs/states.md#nowhere)"), "no such heading"),
    ("docs/ARCHITECTURE.md", added("`core/nowhere.cpp`"), "no such file"),
    ("docs/journey.md", replaced("[`reported_state`]", "[`unreported_state`]"),
     "has no unreported_state"),
    ("services/scheduler/states/node_state.cpp",
     replaced("reported_state(const", "said_state(const"),
     "has no reported_state"),
    ("docs/journey.md", replaced("## 6. One write", "## 6. Two writes"), "6. Two writes"),
    ("docs/operations.md", replaced("| `step_failed` |", "| `step_fell` |"), "step_failed"),
    ("services/network/service.cpp", added('  core::log::error("vlan_lost", {});'), "vlan_lost"),
    ("docs/operations.md", replaced("| `service_fenced` | error", "| `service_fenced` | warning"),
     "service_fenced"),
    ("docs/operations.md", replaced("| `workers.threads` |", "| `workers.hands` |"),
     "workers.hands"),
    ("docs/events.md", replaced("`is_ready`", "`is_there`"), "messages/"),
    ("messages/scheduler.hpp", replaced("// 0 = not ended", "// 0 = it goes on"), "messages/"),
    ("services/network/README.md", replaced("`ListNetworks`", "`ListNets`"), "ListNets"),
    ("services/network/README.md", replaced("`NetworkReleased`", "it"), "NetworkReleased"),
    ("services/network/README.md", replaced("`_vlans_free`", "`_vlans_here`"), "vlans_here"),
    ("services/network/README.md", replaced("`network.sweep_ms` 500", "nothing"), "sweep_ms"),
    ("services/network/README.md", replaced("`network.sweep_ms` 500", "`network.sweep_ms` 900"),
     "not 900"),
    ("services/network/README.md", replaced("**Fails**", "Falls"), "**Fails**"),
    ("docs/glossary.md", added("`nucleus_network_vlans_lost`"), "no such metric"),
    ("docs/glossary.md", added("`scheduler.timeout_s`"), "no such setting"),
    ("docs/glossary.md", added("`GET /v2/nothing`"), "no such route"),
    ("docs/glossary.md", added("word " * 40), "columns"),
    ("docs/adr/0004-one-redis.md", replaced("**Cost.**", "Cost."), "**Cost.**"),
    ("docs/adr/0004-one-redis.md", replaced("**Alternatives.**", "Or:"), "**Alternatives.**"),
    ("docs/adr/0099-a-gap.md",
     lambda _: "**Context.****Decision.****Alternatives.****Cost.****Status.**", "numbered"),
])
def test_check_docs_fails_on_a_page_that_differs_from_the_code(tree, name, change, reason):
    assert reason in run_with(tree, "check_docs", name, change)


@pytest.mark.parametrize("name, change, reason", [
    ("operator/services.hpp", replaced('Service{.name = "overhead"},', ""),
     "compose.yml: lists overhead"),
    ("operator/services.hpp", replaced('.name = "overhead"', '.name = "meter"'),
     "services/: lacks meter"),
    ("services/meter/main.cpp", lambda _: "int main() {}\n", "services/: lists meter"),
    ("compose/compose.yml", replaced("[nucleus-console,", "[nucleus-consoles,"),
     "console runs nucleus-consoles"),
    ("compose/compose.yml", replaced('"key_console:/etc/nucleus:ro", ', ""),
     "console does not mount its key"),
    ("compose/compose.yml", replaced("      - key_network:/keys/network\n", ""), "lacks network"),
    ("compose/compose.yml", replaced("  key_gateway: {}\n", ""), "lacks gateway"),
    ("compose/Dockerfile", replaced("/keys/overhead ", ""), "compose/Dockerfile: lacks overhead"),
    ("compose/Dockerfile", replaced("/joins/host-2", ""), "differs from the hosts of hosts.yml"),
    ("compose/hosts.yml", replaced("- /etc/nucleus/host.join", "- /joins/host-1/host.join"),
     "host-2 must join with the file on its volume"),
    ("compose/hosts.yml", replaced('"state_host-2:/var/lib', '"state_host-1:/var/lib'),
     "host-2 must mount"),
    ("compose/hosts.yml", replaced("  networks: [hosts]", "  networks: [default]"),
     "must be on the network of hosts only"),
    ("monitoring/prometheus.yml", replaced("- console:9400", "- console:9401"),
     "lacks console:9400"),
    ("README.md", replaced("| `nucleus-overhead` |", "| it |"), "lacks nucleus-overhead"),
    ("docs/ARCHITECTURE.md", replaced("image_store  images", "images"), "lacks image_store"),
])
def test_check_services_fails_on_a_list_that_differs(tree, name, change, reason):
    assert reason in run_with(tree, "check_services", name, change)


def test_count_tests_shows_the_report_of_a_sanitizer(tmp_path):
    (tmp_path / "tsan").mkdir()
    (tmp_path / "tsan" / "core-1.json").write_text(
        '{"testsuites": [{"testsuite": [{"classname": "C", "name": "T", "result": "COMPLETED"}]}]}')
    (tmp_path / "tsan" / "ctest.xml").write_text(
        '<testsuite><testcase name="core-1" classname="core-1"><failure message=""/><system-out>'
        "[ RUN ] C.T\nWARNING: ThreadSanitizer: data race\n  #0 write\n[ OK ] C.T\n"
        "</system-out></testcase></testsuite>")
    counted = subprocess.run([ROOT / "tools" / "count_tests", tmp_path], capture_output=True,
                             text=True, check=False)
    assert counted.returncode == 1
    assert "core-1:\nWARNING: ThreadSanitizer: data race\n  #0 write" in counted.stdout
    assert counted.stdout.endswith(
        "FAILED program of core-1 (tsan)\n1 passed, 1 failed\n")


def test_count_tests_shows_why_a_test_failed(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "unit-1.json").write_text(
        '{"testsuites": [{"testsuite": [{"classname": "C", "name": "T", "result": "COMPLETED",'
        ' "failures": [{"failure": "c_test.cpp:7\\nExpected: true"}]}]}]}')
    counted = count(tmp_path)
    assert counted.returncode == 1
    assert counted.stdout.startswith("C.T:\nc_test.cpp:7\nExpected: true\n")
    assert counted.stdout.endswith("FAILED C.T (dev)\n0 passed, 1 failed\n")


def test_a_case_that_passes_in_a_second_run_is_unstable(tmp_path):
    stage = tmp_path / "dev"
    (stage / "second").mkdir(parents=True)

    def write(file, failures):
        file.write_text('{"testsuites": [{"testsuite": [{"classname": "C", "name": "T", "result":'
                        ' "COMPLETED"%s}]}]}' % failures)
    write(stage / "unit-2.json", ', "failures": [{"failure": "busy"}]')
    assert count(stage, "--failed-cases", "3").stdout == "unit C.T\n"
    assert count(stage, "--failed-cases", "0").stdout == ""
    write(stage / "second" / "unit-1.json", "")
    counted = count(tmp_path)
    assert counted.returncode == 0
    assert "UNSTABLE C.T: failed, and passed when it ran again" in counted.stdout
    (stage / "ctest.xml").write_text(
        '<testsuite><testcase name="unit-2" classname="unit-2"><failure message=""/><system-out>'
        "x: runtime error: overflow</system-out></testcase></testsuite>")
    assert count(stage, "--failed-cases", "3").stdout == "", "a sanitizer's report is a defect"


def test_a_test_that_ran_twice_counts_once(tmp_path):
    for stage, names in (("dev", ["T", "U"]), ("tsan", ["T"])):
        (tmp_path / stage).mkdir()
        for number, name in enumerate(names):
            (tmp_path / stage / f"core-{number}.json").write_text(
                '{"testsuites": [{"testsuite": [{"classname": "C", "name": "%s",'
                ' "result": "COMPLETED"}]}]}' % name)
    counted = count(tmp_path)
    assert counted.returncode == 0
    assert counted.stdout == "release 0, dev 2, tsan 1, e2e 0\n2 passed, 0 failed\n"


def results_of(tests):
    """A JUnit file; `tests` are (class, name, whether it passed)."""
    cases = "".join(f'<testcase classname="{of}" name="{name}">'
                    + ("" if has_passed else '<failure message=""/>') + "</testcase>"
                    for of, name, has_passed in tests)
    return f"<testsuite>{cases}</testsuite>"


def count(folder, *options):
    return subprocess.run([ROOT / "tools" / "count_tests", *options, folder], capture_output=True,
                          text=True, check=False)


def test_an_unstable_test_is_told_from_a_failed_one(tmp_path):
    (tmp_path / "e2e").mkdir()
    first = tmp_path / "e2e" / "pytest.xml"
    first.write_text(results_of([("tests.e2e.test_tools", "sound", True),
                                 ("tests.e2e.test_tools", "busy[a.b]", False),
                                 ("tests.e2e.test_rack", "broken", False)]))
    files = count(tmp_path, "--failed-files", "2").stdout.splitlines()
    folder = ROOT / "tests" / "e2e"
    assert files == [str(folder / "test_rack.py"), str(folder / "test_tools.py")]
    assert count(tmp_path, "--failed-files", "1").stdout == ""
    (tmp_path / "e2e" / "second.xml").write_text(results_of([
        ("tests.e2e.test_tools", "sound", True), ("tests.e2e.test_tools", "busy[a.b]", True),
        ("tests.e2e.test_rack", "broken", False)]))
    counted = count(tmp_path)
    assert counted.returncode == 1
    assert "UNSTABLE tests.e2e.test_tools.busy[a.b]: failed, and passed" in counted.stdout
    assert counted.stdout.endswith("FAILED tests.e2e.test_rack.broken\n2 passed, 1 failed\n")


def test_an_error_outside_of_a_test_is_not_run_again(tmp_path):
    (tmp_path / "e2e").mkdir()
    (tmp_path / "e2e" / "pytest.xml").write_text(results_of([("", "tests.e2e.gone", False)]))
    assert count(tmp_path, "--failed-files", "9").stdout == ""
    assert count(tmp_path).stdout.endswith("0 passed, 1 failed\n")
