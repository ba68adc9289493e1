"""The `cm` shell while it waits, and after the server ended its session."""
import json
import subprocess

from conftest import BIN
from http_client import Client
from shell import TIMEOUT_S, Shell, Terminal


def test_an_interrupt_ends_a_wait_but_not_the_shell(shell):
    hosts = [f"sim-000{number}" for number in range(1, 5)]
    for host in hosts:
        shell.deployment.nucleus("host", "drain", host)
    try:
        terminal = Terminal(shell)
        terminal.until("cm> ")
        terminal.type("comet start amber --count=1 --wait\n")
        terminal.until("submitted, 0 of 1 nodes active")
        terminal.type("\x03")
        terminal.until("cm> ")
        terminal.type("echo on\n")
        terminal.until("\non")
        terminal.type("quit\n")
        assert terminal.end() == 0
        history = (shell.home / ".cloudmesh" / "history").read_text().replace("\\040", " ")
        assert "comet start amber --count=1 --wait" in history
    finally:
        for host in hosts:
            shell.deployment.nucleus("host", "resume", host)


PASSWORD = "correct horse battery"


def test_a_shell_whose_session_was_ended_begins_another(shell):
    shell.deployment.nucleus("person", "create", "sam", "--project", "demo")
    subprocess.run([BIN / "nucleus", "person", "password", "sam", "--state",
                    shell.deployment.state], input=PASSWORD + "\n", text=True, check=True,
                   timeout=TIMEOUT_S)
    outside = Shell.__new__(Shell)
    outside.home = shell.home / "sam"
    (outside.home / ".cloudmesh").mkdir(parents=True)
    url = shell.env["NUCLEUS_URL"]
    (outside.home / ".cloudmesh" / "cloudmesh.yaml").write_text(json.dumps({"cloudmesh": {"comet": {
        "active": "here", "endpoints": {"here": {
            "nucleus_base_url": url + "/nucleus", "auth_provider": "userpass",
            "userpass": {"username": "sam", "password": "env"}}}}}}))
    outside.env = {**{name: value for name, value in shell.env.items()
                      if not name.startswith("NUCLEUS_")},
                   "HOME": str(outside.home), "COMET_PASSWORD": PASSWORD}
    terminal = Terminal(outside)
    for _ in range(2):
        terminal.until("cm> ")
        terminal.type("comet ll --format=csv\n")
        assert "nvalid token" not in terminal.until("amber,")
        login = Client(url).ask("POST", "/nucleus/rest-auth/login/",
                                json={"username": "sam", "password": PASSWORD})
        sam = Client(url, login.json()["key"])
        tokens = sam.get("/v2/me/tokens")["tokens"]
        assert len(tokens) >= 2
        for token in tokens:
            assert sam.ask("DELETE", "/v2/me/tokens/" + token["token_id"]).status_code in (204, 401)
    terminal.until("cm> ")
    terminal.type("quit\n")
    assert terminal.end() == 0
