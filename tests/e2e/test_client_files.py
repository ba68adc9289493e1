"""The yaml file of endpoints that `cm` reads and changes. No test here needs a server."""
import json
import os
import pwd
import subprocess

import pytest

from conftest import BIN

TIMEOUT_S = 60


class Client:
    """`cm` with a home of its own and no endpoint in its environment."""

    def __init__(self, home):
        self.home = home
        self.file = home / ".cloudmesh" / "cloudmesh.yaml"
        self.file.parent.mkdir()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb"}

    def run(self, *words, code=0):
        ran = subprocess.run([BIN / "cm", *words], env=self.env, text=True, capture_output=True,
                             stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, cwd=self.home)
        assert ran.returncode == code, f"{words}: {ran.returncode} {ran.stdout}{ran.stderr}"
        return ran

    def out(self, *words):
        return self.run(*words).stdout


@pytest.fixture(name="client")
def client_fixture(tmp_path):
    return Client(tmp_path)


@pytest.mark.parametrize("content", [None, "- a list", "{[1]: x}", "a: [unclosed", "&a [*a]"])
def test_a_malformed_yaml_file_is_named_in_one_line(client, content):
    if content is None:
        client.file.mkdir()
    else:
        client.file.write_text(content)
    result = client.run("comet", "active", code=2)
    assert str(client.file) in result.stderr and result.stderr.count("\n") == 1, result


def test_concurrent_changes_of_the_yaml_file_keep_all_of_it(client):
    target = client.home / "real.yaml"
    endpoints = {name: {"nucleus_base_url": f"http://{name}", "token": "t"} for name in "abcdef"}
    target.write_text(json.dumps({"cloudmesh": {"comet": {"endpoints": endpoints}}}))
    client.file.symlink_to(target)
    running = [subprocess.Popen([BIN / "cm", "comet", "active", name], env=client.env,
                                stdout=subprocess.DEVNULL) for name in "abcdef" * 3]
    assert [process.wait(timeout=TIMEOUT_S) for process in running] == [0] * len(running)
    assert client.file.is_symlink()
    result = json.loads(client.out("register", "json"))["cloudmesh"]["comet"]
    assert result["endpoints"] == endpoints and result["active"] in endpoints


def test_a_change_of_the_yaml_file_keeps_its_comments(client):
    text = """# Where my clusters are
cloudmesh:
    comet:
        active: one   # the nearest
        endpoints:
            one: {nucleus_base_url: 'http://one', token: t}
            two:      # the other centre
                nucleus_base_url: http://two
                token: t
"""
    client.file.write_text(text)
    client.out("comet", "active", "two")
    assert client.file.read_text() == text.replace("active: one", "active: two")
    client.out("register", "user", "eve")
    wanted = text.replace("active: one", "username: eve\n        active: two")
    assert client.file.read_text() == wanted


def test_a_merge_keeps_comments_link_and_mode(client):
    target = client.home / "real.yaml"
    text = "# mine\ncloudmesh:\n  comet:  # of the centre\n    active: one  # the nearest\n"
    target.write_text(text)
    target.chmod(0o640)
    client.file.symlink_to(target)
    more = client.home / "more.yaml"
    more.write_text("cloudmesh: {comet: {active: two, endpoints: {two: {token: t, port: 80}}}}")
    client.out("register", "merge", "more.yaml")
    assert client.file.is_symlink() and target.stat().st_mode & 0o777 == 0o640
    new = "    endpoints:\n      two:\n        token: t\n        port: 80\n    active: two"
    assert target.read_text() == text.replace("    active: one", new)
    # A file that cannot be merged changes nothing and leaves nothing behind.
    before = target.read_text()
    for wrong in ("- a list", "{[1]: x}", "a: [unclosed", "&a {b: *a}"):
        more.write_text(wrong)
        client.run("register", "merge", "more.yaml", code=2)
    client.run("register", "merge", "none.yaml", code=1)
    assert target.read_text() == before
    assert sorted(path.name for path in client.home.glob("*.yaml*")) == ["more.yaml", "real.yaml"]


@pytest.mark.parametrize("words", [
    (), ("comet", "active"), ("comet", "active", "one"), ("comet", "ll"), ("comet", "init"),
    ("default",), ("var", "a=1"), ("register", "list"), ("key", "list"), ("echo", "hi")])
def test_a_file_in_place_of_the_clients_folder_is_named_in_one_line(client, words):
    client.file.parent.rmdir()
    client.file.parent.write_text("kept")
    refused = client.run(*words, code=1)
    assert (refused.stdout, refused.stderr) == (
        "", f"cm: {client.home}/.cloudmesh is not a folder\n")
    assert client.file.parent.read_text() == "kept"
    assert "comet" in client.out("--completion", "bash")


def test_without_home_the_files_are_in_the_home_of_the_user_database(client):
    del client.env["HOME"]
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert client.out("register", "info").startswith(f"{home}/.cloudmesh/cloudmesh.yaml")


@pytest.mark.parametrize("words", [
    ("default", "format=xml"), ("default", "walltime=2x"), ("default", "walltime="),
    ("default", "=csv"), ("var", "a b=1"), ("var", "=1"), ("var", "a-b=1")])
def test_a_setting_that_nothing_could_use_is_refused(client, words):
    result = client.run(*words, code=2)
    assert result.stdout == "" and result.stderr.count("\n") == 1, result
    assert json.loads(client.out("context", "--format=json")) == {}


def test_a_folder_is_not_a_script(client):
    assert f"cannot read {client.home}" in client.run("exec", client.home, code=1).stderr


@pytest.mark.parametrize("url", ["http://[::1", "http://::1:80", " ", "http://127.0.0.1:99999"])
def test_a_malformed_url_is_named(client, url):
    client.env |= {"NUCLEUS_URL": url, "NUCLEUS_TOKEN": "t"}
    result = client.run("comet", "ll", code=1).stderr
    assert result.startswith("comet: NUCLEUS_URL: not a URL of a server: " + url[:6]), result
