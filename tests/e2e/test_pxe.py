"""Computes boot from their frontend over the private network, are installed by it, and boot from
their disk; on two hosts, as docs/installing.md says. Another cluster with the same addresses does
not reach that frontend."""
import re

import pytest

from boot_images import bios_disk
from comet import run_comet
from conftest import Machines, a_deployment, wait_until
from console import Guest, Viewer, ticket_for
from machines import CMDLINE
from pxe_site import block_after, documented, frontend_image
from rack import hosts_of

BOOT_S = 300  # only bounds a failure: firmware and guest are emulated


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pxe")
    disks = {"disk.gz": bios_disk(folder, "first"), "next.gz": bios_disk(folder, "second")}
    image = frontend_image(folder, tiny_guest, disks)
    with a_deployment("--rack", "2") as deployment:
        site = Machines(deployment, tiny_guest)
        site.folder = folder
        deployment.nucleus("image", "import", "frontend", "--kernel", tiny_guest / "vmlinuz",
                           "--initramfs", image, "--cmdline", CMDLINE)
        yield site


@pytest.fixture(name="comet", scope="module")
def comet_fixture(site):
    env = {name: site.env[name] for name in ("NUCLEUS_URL", "NUCLEUS_TOKEN")}
    return lambda *words: run_comet(site.folder / "home", env, *words)


class Frontend:
    """The frontend `tiny`, whose dnsmasq logs to its console. Commands have sessions of their own:
    the console service ends those whose viewer does not read for a while."""

    def __init__(self, site):
        self.site = site
        self.host = hosts_of(site, "tiny")["tiny"]

    def run(self, *commands):
        """What the last of these commands prints."""
        with Guest(self.site.rest, "tiny", "tiny") as guest:
            return [guest.run(command) for command in commands][-1]

    def serve(self, nodes):
        self.run(*[f"echo '{line}' >> /etc/dnsmasq.nodes" for line in nodes.splitlines()],
                 *block_after("Then start both servers").splitlines(),
                 "(tail -n +1 -f /var/log/dnsmasq.log > /dev/console &)")

    def wait_acknowledged(self, card):
        """The first lease of this card is on the frontend's console."""
        with console(self.site, "tiny", "tiny") as screen:
            screen.read_until(rf"DHCPACK\(eth1\) {card['ip']} {card['mac']}".encode(), BOOT_S)

    def count(self, pattern):
        """Lines of dnsmasq's log."""
        output = self.run(f"grep -c '{pattern}' /var/log/dnsmasq.log || true")
        return int(re.search(r"^(\d+)$", output, re.M)[1])

    def install(self, card):
        """Lets it install the node at its next boot over the network."""
        self.run(f"ln -s ../install.ipxe {self.script(card)}")

    def leave(self, card):
        self.run(f"rm {self.script(card)}")

    @staticmethod
    def script(card):
        return f"/srv/tftp/nodes/{card['mac'].replace(':', '-')}.ipxe"


@pytest.fixture(name="frontend", scope="module")
def frontend_fixture(site):
    documented(site, "and nodes without one:")
    site.rest.power("tiny", "poweron")
    site.rest.wait_state("tiny", "active", ["tiny"])
    frontend = Frontend(site)
    frontend.serve(documented(site, "This makes `/etc/dnsmasq.nodes`"))
    return frontend


@pytest.fixture(name="neighbour", scope="module", autouse=True)
def neighbour_fixture(site, frontend, comet):
    """The card of a compute on the frontend's host, whose own frontend is off. It boots while other
    tests run: its DHCP requests time out after half a minute."""
    node = "vm-other-00"
    site.deployment.nucleus("cluster", "create", "other", "--computes", "1", "--memory-mb", "128")
    comet("node", "netboot", "other", node)
    site.rest.start("other", computes=[{"name": node, "host": frontend.host}])
    return card_of(site, "other", node)


def card_of(site, cluster, node):
    [card] = wait_until(lambda: site.rest.v2_nodes(cluster)[node]["ports"], "its address")
    return card


def console(site, cluster, node):
    ticket = ticket_for(site.rest, cluster, node)
    return Viewer(ticket["url"], ticket["ticket"])


def other_host(frontend):
    return {"rack-1": "rack-2", "rack-2": "rack-1"}[frontend.host]


def power_cycle(site, comet, node):
    comet("power", "off", "tiny", node)
    site.rest.wait_state("tiny", "shutoff", [node])
    comet("power", "on", "tiny", node)
    site.rest.wait_state("tiny", "active", [node])


def test_a_compute_is_installed_by_its_frontend_and_reinstalled(site, frontend, comet):
    node = "vm-tiny-00"
    card = card_of(site, "tiny", node)
    assert card["ip"] == "10.0.0.2"
    frontend.install(card)
    site.rest.start("tiny", computes=[{"name": node, "host": other_host(frontend)}])
    frontend.wait_acknowledged(card)
    site.rest.wait_state("tiny", "active", [node])
    with console(site, "tiny", node) as screen:
        screen.read_until(b"booted from the network as 10.0.0.2", BOOT_S)
        screen.read_until(b"the disk is installed", BOOT_S)
    frontend.leave(card)
    asked = frontend.count(f"DHCPDISCOVER.*{card['mac']}")
    assert asked > 0

    power_cycle(site, comet, node)
    with console(site, "tiny", node) as screen:
        screen.read_until(b"says first", BOOT_S)
    assert frontend.count(f"DHCPDISCOVER.*{card['mac']}") == asked, "the network was not asked"

    assert "boot from the network first" in comet("node", "netboot", "tiny", node)
    frontend.run("mv /srv/tftp/next.gz /srv/tftp/disk.gz")
    power_cycle(site, comet, node)
    with console(site, "tiny", node) as screen:
        screen.read_until(b"Next server: 10.0.0.1", BOOT_S)
        screen.read_until(b"says first", BOOT_S)
        frontend.install(card)
        comet("power", "reset", "tiny", node)
        screen.read_until(b"booted from the network as 10.0.0.2", BOOT_S)
        screen.read_until(b"the disk is installed", BOOT_S)
        frontend.leave(card)
        comet("power", "reset", "tiny", node)
        screen.read_until(b"says second", BOOT_S)

    assert "ISO and disk first" in comet("node", "netboot", "tiny", node, "--off")
    comet("power", "off", "tiny", node)
    site.rest.wait_state("tiny", "shutoff", [node])
    comet("node", "rollback", "tiny", node, "0", "--wait")
    asked = frontend.count(f"DHCPDISCOVER.*{card['mac']}")
    comet("power", "on", "tiny", node)
    wait_until(lambda: frontend.count(f"DHCPDISCOVER.*{card['mac']}") > asked,
               "its disk is empty", BOOT_S)


def test_a_compute_of_another_cluster_gets_no_answer_from_that_frontend(site, frontend, neighbour):
    assert neighbour["ip"] == "10.0.0.2", "as that of a node of the frontend"
    site.rest.wait_state("other", "active", ["vm-other-00"])
    with console(site, "other", "vm-other-00") as screen:
        before = screen.read_until(rb"(?s)(.*)No configuration methods\s+succeeded", BOOT_S)[1]
        assert b"Configuring (net0 " + neighbour["mac"].encode() in before
        assert b"Next server" not in before
        screen.read_until(b"Retrying in 5 seconds", BOOT_S)
        screen.read_until(b"Configuring", BOOT_S)
    assert frontend.count("dnsmasq") > 0, "it logs"
    assert frontend.count(neighbour["mac"]) == 0, "its requests reach no other cluster"
    site.rest.power("other", "poweroff", "vm-other-00")


def test_a_compute_with_uefi_boots_from_its_frontend(site, frontend, comet):
    empty = site.folder / "empty.raw"
    with open(empty, "wb") as file:
        file.truncate(1 << 20)
    comet("image", "upload", empty, "--firmware=uefi")
    size = {"cpus": 1, "memory_mb": 512, "disk_gb": 1}
    added = site.rest.command("POST", "/v2/clusters/tiny/nodes",
                              json={"count": 1, "size": size, "image_id": "demo/empty.raw"})
    node = added.json()["nodes"][0]["name"]
    card = card_of(site, "tiny", node)
    frontend.run(f"echo {card['mac']},{card['ip']},{node} >> /etc/dnsmasq.nodes",
                 "kill -HUP $(pidof dnsmasq)")
    frontend.install(card)
    comet("power", "on", "tiny", node)
    frontend.wait_acknowledged(card)
    site.rest.wait_state("tiny", "active", [node])
    with console(site, "tiny", node) as screen:
        screen.read_until(f"booted from the network as {card['ip']}\\b".encode(), BOOT_S)
