"""Consoles of real machines: a ticket opens one once, and only for people who may see the node."""
import urllib.parse

import pytest
import websockets

from console import Viewer, ticket_for
from machines import Rest


def test_a_ticket_shows_the_login_prompt_of_its_own_node(machines):
    for cluster, node in (("left", "vm-left-00"), ("right", "right")):
        ticket = ticket_for(machines.rest, cluster, node)
        with Viewer(ticket["url"], ticket["ticket"]) as viewer:
            viewer.read_until(f"{node} login: ".encode())


@pytest.mark.parametrize("node, path", [("left", "frontend"),
                                        ("vm-left-00", "compute/vm-left-00")])
def test_the_old_clients_link_carries_a_ticket_that_opens_it_too(machines, node, path):
    answer = machines.rest.ask("GET", f"/nucleus/v1/cluster/left/{path}/console/")
    assert answer.status_code == 303
    page = urllib.parse.urlsplit(answer.headers["Location"])
    assert "ticket" not in page.query
    ticket = urllib.parse.parse_qs(page.fragment)
    with Viewer(ticket["url"][0], ticket["ticket"][0]) as viewer:
        viewer.read_until(f"{node} login: ".encode())


def test_a_ticket_opens_once(machines):
    ticket = ticket_for(machines.rest, "left", "left")
    with Viewer(ticket["url"], ticket["ticket"]) as viewer:
        viewer.read_until(b"login: ")
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            Viewer(ticket["url"], ticket["ticket"])
        assert refused.value.status_code == 403
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        Viewer(ticket["url"], ticket["ticket"])
    assert refused.value.status_code == 403


def test_no_ticket_and_a_made_up_one_are_refused(machines):
    ticket = ticket_for(machines.rest, "left", "left")
    for wrong in (ticket["ticket"][::-1], "x", ticket["ticket"] + "x"):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            Viewer(ticket["url"], wrong)
        assert refused.value.status_code in (401, 403)


def test_vnc_greets_as_rfb(machines):
    ticket = ticket_for(machines.rest, "left", "left", kind="vnc")
    with Viewer(ticket["url"], ticket["ticket"]) as viewer:
        viewer.read_until(rb"^RFB 003\.008\n")


def test_another_tenant_gets_no_ticket_and_learns_nothing(machines):
    token = machines.deployment.nucleus("person", "create", "mallory", "--project",
                                        "other").stdout.split()[-1]
    mallory = Rest(machines.env, token)
    there = [("POST", "/v2/clusters/left/nodes/vm-left-00/console"),
             ("GET", "/nucleus/v1/cluster/left/compute/vm-left-00/console/"),
             ("GET", "/nucleus/v1/cluster/left/frontend/console/")]
    for method, path in there:
        refused = mallory.ask(method, path, json={"kind": "serial"})
        missing = mallory.ask(method, path.replace("left", "none"), json={"kind": "serial"})
        assert refused.status_code == missing.status_code == 404, path
        assert refused.content == missing.content
        assert "Location" not in refused.headers


def test_a_node_that_does_not_run_has_no_console(machines):
    machines.create("dark", 0)
    refused = machines.rest.ask("POST", "/v2/clusters/dark/nodes/dark/console",
                                json={"kind": "serial"})
    assert refused.status_code == 409
    assert refused.json()["detail"] == "The VM is not running"
    refused = machines.rest.ask("GET", "/nucleus/v1/cluster/dark/frontend/console/")
    assert (refused.status_code, refused.json()) == (400, "The VM is not running")
