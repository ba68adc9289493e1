"""The `cm` shell as its user runs it: commands, scripts, and a terminal with history and
completion, against four simulated hosts."""
import http.server
import json
import os
import subprocess
import threading

from conftest import BIN
from shell import TIMEOUT_S, Shell, Terminal


def test_a_script_has_comments_variables_and_other_scripts(shell):
    (shell.home / "inner.cm").write_text("echo inner $name\nquit\necho never\n")
    script = shell.home / "outer.cm"
    script.write_text("# a comment\n// another\nvar name=amber\necho $name and $os.HOME and $gone\n"
                      "!echo of the shell\nbanner -n 8 hi\nexec inner.cm\necho never\n")
    result = shell.out("outer.cm")
    assert result.splitlines() == ["# a comment", "// another",
                                 f"amber and {shell.home} and $gone", "of the shell",
                                 "########", "# hi", "########", "inner amber"]
    assert "amber" in shell.out("var", "name")
    assert shell.out(stdin="echo piped\nquit\n") == "piped\n"


def test_a_script_that_runs_itself_ends(shell):
    (shell.home / "loop.cm").write_text("exec loop.cm\n")
    assert "runs itself" in shell.run("loop.cm", code=1).stderr


def test_at_a_terminal_names_are_completed_and_lines_remembered(shell):
    terminal = Terminal(shell)
    terminal.until("cm> ")
    terminal.type("comet clus\t")
    terminal.until("cluster ")
    terminal.type("am\t--status --format=csv\n")
    shown = terminal.until("vm-amber-01")
    assert "name,state,computeset,allocation,admin_state" in shown
    terminal.until("cm> ")
    terminal.type("history\n")
    assert "comet cluster amber --status" in terminal.until("2: history")
    terminal.until("cm> ")
    terminal.type("quit\n")
    assert terminal.end() == 0
    assert "history" in (shell.home / ".cloudmesh" / "history").read_text()


def test_listings_read_the_local_copy_unless_it_is_refreshed(shell):
    assert "| amber " in shell.out("list", "cluster", "--refresh")
    url = shell.env.pop("NUCLEUS_URL")
    # There is no copy of an endpoint that was never reached.
    shell.env["NUCLEUS_URL"] = "http://127.0.0.1:1"
    assert "127.0.0.1:1" in shell.run("list", "cluster", code=1).stderr
    shell.env["NUCLEUS_URL"] = url
    assert "vm-amber-00" in shell.out("list", "node", "--format=csv")
    assert shell.out("refresh", "on") == ""
    assert shell.out("refresh", "list") == "refresh is on\n"
    shell.out("refresh", "off")
    candidates = shell.out("--complete", "comet", "console", "amber", "vm-").split()
    assert "vm-amber-00" in candidates and "vm-amber-01" in candidates


def test_help_man_pages_and_completion_are_made_from_one_table(shell):
    commands = [line.split()[0] for line in shell.out("help").splitlines()]
    assert {"comet", "echo", "list", "timer", "quit"} <= set(commands)
    assert sorted(commands) == shell.out("--complete", "").split()
    for name in commands:
        assert shell.out("man", name).startswith("NAME\n  " + name)
    page = shell.out("--man", "comet")
    assert page.startswith(".TH COMET 1") and "comet start CLUSTER" in page
    for shell_name, begin in (("bash", "_cm()"), ("zsh", "#compdef"), ("fish", "function")):
        assert shell.out("--completion", shell_name).startswith(begin)
    assert "--walltime=" in shell.out("--complete", "comet", "start", "--wa").split()
    assert "attach" in shell.out("--complete", "comet", "iso", "").split()


def test_bash_completes_commands_options_and_values(shell):
    script = shell.home / "completion"
    script.write_text(shell.out("--completion", "bash"))

    def completed(line):
        ran = subprocess.run(
            ["bash", "--norc", "-c",
             '. "$1"; COMP_LINE=$2; COMP_POINT=${#2}; _cm; printf "%s\\n" "${COMPREPLY[@]}"',
             "bash", script, line], env={**shell.env, "PATH": f"{BIN}:{os.environ['PATH']}"},
            text=True, capture_output=True, timeout=TIMEOUT_S)
        assert ran.returncode == 0 and ran.stderr == "", ran
        return ran.stdout.split()

    shell.out("list", "cluster", "--refresh")
    assert completed("cm com") == ["comet"]
    assert completed("comet iso at") == ["attach"]
    assert completed("/usr/bin/comet cluster --st") == ["--status"]
    assert completed("comet start --wallt") == ["--walltime="]
    # bash keeps the part before the `=`.
    assert completed("comet ll --format=js") == ["json"]
    assert completed("comet cluster ") == ["amber"]
    assert completed("comet console amber vm-amber-01") == ["vm-amber-01"]


def test_fish_and_zsh_complete_the_same(shell):
    env = {**shell.env, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def output_of(*argv):
        ran = subprocess.run(argv, env=env, text=True, capture_output=True, timeout=TIMEOUT_S)
        assert ran.returncode == 0 and ran.stderr == "", ran
        return ran.stdout.split()

    scripts = {name: shell.home / ("completion." + name) for name in ("fish", "zsh")}
    for name, script in scripts.items():
        script.write_text(shell.out("--completion", name))
    shell.out("list", "cluster", "--refresh")
    for line, words in (("cm com", ["comet"]), ("comet iso at", ["attach"]),
                        ("comet cluster --st", ["--status"]), ("comet cluster ", ["amber"]),
                        ("comet console amber vm-amber-01", ["vm-amber-01"])):
        assert output_of("fish", "--no-config", "-c", 'source $argv[1]; complete -C $argv[2]',
                       scripts["fish"], line) == words, line
        # compadd exists only within completion: a function prints its arguments instead.
        assert output_of("zsh", "-f", "-c",
                       'compadd() { shift; print -l -- "$@"; }; words=("${(@s: :)2}"); '
                       'CURRENT=$#words; . "$1"', "zsh", scripts["zsh"], line) == words, line


def test_the_inventory_is_changed_by_lists_of_names(shell):
    shell.out("inventory", "add", "h-[00-02]", "--cluster=amber", "--label=left", "--ip=10.0.0.1")
    shell.out("inventory", "set", "h-[01-02]", "for", "comment", "to", "to", "be", "mended")
    shell.out("inventory", "clone", "spare", "from", "h-01")
    rows = shell.out("inventory", "list", "--columns=name,comment,label", "--format=csv")
    assert rows.splitlines() == ["name,comment,label", "h-00,,left", "h-01,to be mended,left",
                                 "h-02,to be mended,left", "spare,to be mended,left"]
    assert "| amber   | 4 " in shell.out("inventory", "info")
    # A list is changed as a whole or not at all.
    assert "h-09" in shell.run("inventory", "delete", "h-[00,09]", code=1).stderr
    assert "h-00" in shell.out("inventory", "list", "h-00")
    assert "no such column" in shell.run("inventory", "list", "--columns=1;drop", code=2).stderr
    assert "for ATTRIBUTE" in shell.run("inventory", "set", "h-00", "for", "name", "to", "x",
                                        code=2).stderr
    assert "more than" in shell.run("inventory", "add", "n[0-999999999]", code=2).stderr
    shell.out("inventory", "delete", "h-[00-02],spare")
    assert shell.out("inventory", "list", "--format=csv").count("\n") == 1


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRlbW8 ada@amber"


def test_keys_are_stored_from_files_and_tokens_come_from_the_server(shell):
    folder = shell.home / ".ssh"
    folder.mkdir(exist_ok=True)
    (folder / "id_ed25519.pub").write_text(PUBLIC_KEY + "\n")
    (folder / "id_ed25519").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert "ada@amber" in shell.out("key", "list", "--source=ssh")
    shell.out("key", "add", "work", "--ssh=~/.ssh/id_ed25519.pub")
    assert shell.out("key", "get", "work") == PUBLIC_KEY + "\n"
    assert "private key" in shell.run("key", "add", "bad", f"--ssh={folder}/id_ed25519",
                                      code=2).stderr
    assert shell.out("key", "load") == "key id_ed25519 stored\n"
    shell.out("key", "default", "work")
    rows = shell.out("key", "list", "--format=csv").splitlines()
    assert rows == ["name,source,type,remark,default", "id_ed25519,ssh,ssh-ed25519,ada@amber,",
                    "work,ssh,ssh-ed25519,ada@amber,*"]
    assert "stores no ssh keys" in shell.run("key", "upload", code=1).stderr
    assert "standard input is not a terminal" in shell.run("select", "key", code=2).stderr
    shell.out("select", "key", "id_ed25519")
    shell.out("key", "delete", "work")
    shell.run("key", "get", "work", code=1)
    shell.out("key", "delete", "--all")
    token = shell.out("key", "add", "laptop", "--source=api").strip()
    env = {"NUCLEUS_TOKEN": token, "NUCLEUS_URL": shell.env["NUCLEUS_URL"]}
    bearer = {k: v for k, v in shell.env.items() if not k.startswith("NUCLEUS_")} | env
    asked = [BIN / "comet", "ll", "--format=csv"]
    result = subprocess.run(asked, env=bearer, text=True, capture_output=True, timeout=TIMEOUT_S)
    assert result.returncode == 0 and "amber" in result.stdout, result
    assert "laptop" in shell.out("key", "list", "--source=api")
    shell.out("key", "delete", "laptop", "--source=api")
    result = subprocess.run(asked, env=bearer, text=True, capture_output=True, timeout=TIMEOUT_S)
    assert result.returncode == 1, result


class KeyHost(http.server.BaseHTTPRequestHandler):
    """A git host, which publishes the keys of each account."""

    def do_GET(self):
        found = self.path == "/ada.keys"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(f"{PUBLIC_KEY}\nssh-rsa AAAAB3NzaC1yc2EAAAAD\n".encode() if found else b"")

    def log_message(self, *_):
        pass


def test_keys_of_a_git_host_are_listed_and_stored(shell):
    with http.server.HTTPServer(("127.0.0.1", 0), KeyHost) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            shell.out("default", f"git_url=http://127.0.0.1:{server.server_port}")
            assert "ada-2" in shell.out("key", "list", "--source=git", "--username=ada")
            assert shell.out("key", "add", "g", "--git=ada") == "key g stored\nkey g-2 stored\n"
            assert "404" in shell.run("key", "add", "g", "--git=eve", code=1).stderr
            shell.out("key", "delete", "--all")
        finally:
            server.shutdown()
            thread.join()


def test_hosts_of_ssh_are_listed_and_registered(shell):
    (shell.home / ".ssh").mkdir(exist_ok=True)
    (shell.home / ".ssh" / "config").write_text("Host one\n  HostName 10.0.0.1\n  User ada\n")
    assert "already" in shell.run("ssh", "register", "one", "User=x", code=1).stderr
    shell.out("ssh", "register", "two", "HostName=10.0.0.2", "User=eve")
    assert shell.out("ssh", "list") == "one\ntwo\n"
    assert "| two  | 10.0.0.2 | eve " in shell.out("ssh", "table")
    assert shell.out("ssh", "cat").startswith("Host one\n")
    assert "KEYWORD=VALUE" in shell.run("ssh", "register", "three", "User", code=2).stderr
    assert "name the machine" in shell.run("sync", "put", "a", "b", code=2).stderr
    assert "OpenSSH" in shell.run("ssh", "-V").stderr


def test_limits_quota_and_usage_are_of_the_server(shell):
    shell.out("comet", "start", "amber", "--count=1", "--wait")
    limits = json.loads(shell.out("limits", "--format=json"))["0"]
    assert set(limits) == {"allocation", "project", "used", "limit", "left"}
    assert set(json.loads(shell.out("quota", "list", "--format=json"))["0"]) == {
        "allocation", "project", "limit"}
    rows = shell.out("usage", "--format=csv").splitlines()
    assert rows[0].startswith("computeset,cluster,project,allocation,nodes,cores,start,end,")
    assert rows[1].split(",")[1] == "amber" and rows[-1].startswith("sum,")
    totals = shell.out("usage", "--by=person", "--cluster=amber", "--format=csv").splitlines()
    assert totals[0] == "person,computesets,core hours" and totals[-1].startswith("sum,1,")
    assert totals[1].split(",")[:2] == [shell.out("usage", "--format=csv").splitlines()[1].split(
        ",")[8], "1"]
    sacct = shell.out("usage", "--format=sacct", "--project=demo").splitlines()
    assert sacct[0].startswith("JobID|JobIDRaw|Cluster|Partition|QOS|Account|Group|GID|User|UID|")
    assert dict(zip(sacct[0].split("|"), sacct[1].split("|")))["Partition"] == "amber"
    assert len(sacct) == 2
    assert shell.out("usage", "--person=nobody", "--format=csv").count("\n") == 2
    assert "by must be project, " in shell.run("usage", "--by=colour", code=1).stderr
    assert "cannot be given with" in shell.run("usage", "--by=person", "--format=sacct",
                                               code=2).stderr
    for words in (("--by=person",), ("--format=sacct",)):
        assert "instead of --tenant" in shell.run("usage", "--tenant=demo", *words, code=2).stderr
    assert shell.out("usage", "--end=2020-01-01", "--start=2019-12-01", "--format=csv").count(
        "\n") == 2
    assert "must be before" in shell.run("usage", "--start=2020-01-02", "--end=2020-01-01",
                                     code=2).stderr
    for day in ("yesterday", "2026-02-30", "2026-11-31", "2025-02-29", "2026-11-01x"):
        assert "a day must be written" in shell.run("usage", f"--start={day}", code=2).stderr
    assert shell.run("usage", "--start=2024-02-29", "--format=csv").returncode == 0
    assert json.loads(shell.out("limits", "--tenant=nobody", "--format=json")) == {}
    assert "the server's API" in shell.out("version", "--check")


def test_the_yaml_file_is_registered_checked_and_merged(shell):
    env = shell.env
    outside = Shell.__new__(Shell)
    outside.home = shell.home / "other"
    outside.home.mkdir()
    outside.env = {"PATH": env["PATH"], "HOME": str(outside.home), "TERM": "dumb", "USER": "ada"}
    assert "(does not exist)" in outside.out("register")
    outside.out("register", "new")
    assert "already exists" in outside.run("register", "new", code=1).stderr
    assert "no URL" in outside.run("register", "check", code=1).stdout
    more = outside.home / "more.yaml"
    more.write_text(json.dumps({"cloudmesh": {"comet": {"active": "here", "endpoints": {"here": {
        "nucleus_base_url": env["NUCLEUS_URL"] + "/nucleus", "auth_provider": "apikey",
        "apikey": {"api_key": env["NUCLEUS_API_KEY_NAME"],
                   "api_secret": env["NUCLEUS_API_KEY_SECRET"]}}}}}}))
    outside.out("register", "merge", more)
    assert json.loads(outside.out("register", "json"))["cloudmesh"]["comet"]["active"] == "here"
    assert "accepted" in outside.out("register", "test", "here")
    assert "nucleus_base_url" in outside.out("register", "cat")
    exported = outside.out("register", "env", "here")
    assert f"export NUCLEUS_URL='{env['NUCLEUS_URL']}'\n" in exported
    assert "| amber " in outside.out("comet", "ll")
    outside.out("default", "format=csv", "--cloud=here")
    assert outside.out("comet", "ll").startswith("Name,Project,")
    assert outside.out("default", "list", "--cloud=nucleus", "--format=json") == "{}\n"
    outside.out("select", "cloud", "nucleus")
    assert "not a URL of a server: TBD" in outside.run("comet", "ll", code=1).stderr
    backup = outside.out("register", "backup").strip()
    assert os.path.exists(backup)
    outside.out("register", "clean")
    assert "(does not exist)" in outside.out("register", "info")
    assert "not OpenStack" in outside.run("register", "ec2", code=1).stderr


def test_defaults_are_used_for_options_that_a_line_omits(shell):
    shell.out("default", "format=csv")
    assert shell.out("comet", "ll").startswith("Name,Project,Count,")
    assert shell.out("comet", "ll", "--format=json").startswith("{")
    shell.out("default", "delete", "format")
    shell.out("default", "walltime=7m")
    shell.out("comet", "power", "on", "amber", "vm-amber-01")
    rows = json.loads(shell.out("comet", "computeset", "--state=running", "--format=json"))
    assert "7" in [row["walltime_mins"] for row in rows.values()]
    shell.out("default", "delete", "walltime")


def test_switches_trace_and_time_commands_and_i_stays_in_the_shell(shell):
    shell.out("timer", "on")
    assert "echo took" in shell.run("echo", "hi").stderr
    shell.out("timer", "off")
    shell.out("debug", "on")
    assert "debug: GET /nucleus/v1/cluster/ -> 200" in shell.run("comet", "ll").stderr
    shell.out("debug", "off")
    assert shell.out("color", "list") == "color is on\n"
    assert shell.out("-i", "echo", "first", stdin="echo second\n") == "first\nsecond\n"
    assert "exit code 0" in shell.run("verbose", "on").stderr
    shell.out("verbose", "off")
    assert shell.out("banner", "-c", "*", "-n", "4", "-i", "2", "hi") == "  ****\n  * hi\n  ****\n"
    assert shell.out("echo", "-r", "red", "plain") == "plain\n"
    assert "0 to 86400" in shell.run("sleep", "soon", code=2).stderr
    assert shell.out("py", "print(6*7)") == "42\n"
    for wrong in (["no-such"], ["comet"], ["comet", "iso", "explode"], ["timer", "explode"]):
        result = shell.run(*wrong, code=2)
        assert result.stdout == "" and result.stderr.count("\n") == 1, result


def test_at_a_terminal_a_default_is_chosen_by_number_or_name(shell):
    terminal = Terminal(shell)
    for answer in ("1", "amber"):
        terminal.until("cm> ")
        terminal.type("select cluster\n")
        terminal.until("1: amber")
        terminal.until("Which cluster")
        terminal.type(answer + "\n")
        terminal.until("\ncluster amber")
    terminal.until("cm> ")
    terminal.type("select cluster\n")
    terminal.until("Which cluster")
    terminal.type("2\n")
    terminal.until("no such cluster")
    terminal.until("cm> ")
    terminal.type("quit\n")
    assert terminal.end() == 0
    assert shell.out("default", "cluster") == "amber\n"
    shell.out("default", "delete", "cluster")


def test_colours_are_shown_at_a_terminal_and_not_after_color_off(shell):
    coloured = Shell.__new__(Shell)
    coloured.home, coloured.env = shell.home, {**shell.env, "TERM": "xterm"}
    terminal = Terminal(coloured)
    terminal.until("cm> ")
    terminal.type("echo -r GREEN leaf\n")
    terminal.until("\033[32mleaf\033[0m")
    terminal.type("color off\n")
    terminal.type("echo -r GREEN bark\n")
    terminal.until("\nbark")
    terminal.type("color on\nquit\n")
    assert terminal.end() == 0


def test_settings_are_stored_until_reset_and_other_clouds_are_refused(shell):
    shell.out("default", "image=small")
    assert shell.out("default", "image") == "small\n"
    shell.out("default", "delete", "image")
    shell.run("default", "image", code=1)
    shell.out("timer", "start", "t")
    assert shell.out("timer", "stop", "t").startswith("t ")
    assert "accepted" in shell.out("check")
    assert "not OpenStack" in shell.run("vm", "boot", "--n=2", code=1).stderr
    assert json.loads(shell.out("list", "image", "--format=json")) is not None
    result = shell.out("reset")
    assert result == "" and shell.run("var", "name", code=1)


def test_a_variable_is_one_word_with_all_its_blanks(shell):
    result = shell.out(stdin="var 'gap=a  b'\nvar gap\necho $gap\necho \"ab\"cd <$gap>\n")
    assert result.splitlines() == ["a  b", "a  b", "abcd <a  b>"]


def test_quotes_keep_dollars_and_escaped_quotes(shell):
    script = shell.home / "quotes.cm"
    script.write_text("var q=amber\necho '$q' \"$q\" \"a \\\"b\\\" c\\\\\"\n")
    assert shell.out("quotes.cm") == '$q amber a "b" c\\\n'


def test_a_script_may_begin_with_a_byte_order_mark(shell):
    script = shell.home / "marked.cm"
    for text in ("echo one\r\necho two\r\n", "# a comment\necho two\n", "!echo two\n", ""):
        script.write_bytes(b"\xef\xbb\xbf" + text.encode())
        marked = shell.out("marked.cm")
        script.write_bytes(text.encode())
        assert shell.out("marked.cm") == marked
        assert shell.out(stdin="\ufeff" + text) == marked


def test_a_script_fails_if_any_of_its_lines_fails(shell):
    result = shell.run(code=1, stdin="var no-such\necho after\n")
    assert result.stdout == "after\n"


def test_defaults_of_an_endpoint_do_not_redirect_default_itself(shell):
    shell.out("default", "cloud=one")
    shell.out("default", "cloud=two")
    assert shell.out("default", "cloud") == "two\n"
    shell.out("default", "delete", "cloud")
    shell.run("default", "cloud", code=1)


def test_interrupts_end_the_line_or_the_command_but_not_the_shell(shell):
    terminal = Terminal(shell)
    terminal.until("cm> ")
    terminal.type("echo half a li")
    terminal.until("half a li")
    terminal.type("\x03")
    terminal.until("cm> ")
    terminal.type("echo whole\n")
    terminal.until("\nwhole")
    terminal.until("cm> ")
    (shell.home / "slow.cm").write_text("echo running\nsleep 3600\n")
    terminal.type("exec slow.cm\n")
    terminal.until("\nrunning")
    terminal.type("\x03")
    terminal.until("cm> ")
    terminal.type("quit\n")
    assert terminal.end() == 0
    # The line editor writes a space as \\040.
    history = (shell.home / ".cloudmesh" / "history").read_text()
    assert "exec slow.cm" in history.replace("\\040", " ")
