"""Nodes start from what is on their disks: by BIOS, by UEFI, and from an ISO that installs."""
import pytest

from boot_images import bios_disk, installer_iso, uefi_disk
from comet import run_comet
from conftest import Machines, a_deployment, wait_until
from console import Viewer, ticket_for


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest):
    with a_deployment() as deployment:
        yield Machines(deployment, tiny_guest)


@pytest.fixture(name="comet")
def comet_fixture(site, tmp_path):
    env = {name: site.env[name] for name in ("NUCLEUS_URL", "NUCLEUS_TOKEN")}
    return lambda *words: run_comet(tmp_path / "home", env, *words)


def make(site, cluster, *more):
    site.deployment.nucleus("cluster", "create", cluster, "--computes", "0", "--memory-mb", "512",
                            *more)


def hears(rest, cluster, word):
    ticket = ticket_for(rest, cluster, cluster)
    with Viewer(ticket["url"], ticket["ticket"]) as viewer:
        viewer.read_until(f"says {word}".encode())


def start(rest, cluster):
    rest.power(cluster, "poweron")
    rest.wait_state(cluster, "active")


def stop(rest, cluster):
    rest.power(cluster, "poweroff")
    rest.wait_state(cluster, "shutoff")


def test_a_disk_boots_by_bios(site, comet, tmp_path):
    comet("image", "upload", bios_disk(tmp_path, "from-bios"), "--imagename=by-bios")
    make(site, "old", "--image", "by-bios")
    start(site.rest, "old")
    hears(site.rest, "old", "from-bios")


def test_a_disk_boots_by_uefi_and_keeps_the_variables_of_its_firmware(site, comet, tmp_path):
    comet("image", "upload", uefi_disk(tmp_path, "from-uefi"), "--imagename=by-uefi",
          "--firmware=uefi")
    assert "uefi" in comet("image", "info", "by-uefi")
    make(site, "new", "--image", "by-uefi")
    start(site.rest, "new")
    hears(site.rest, "new", "from-uefi")
    [variables] = site.deployment.state.rglob("*.uefi")
    first = variables.read_bytes()
    stop(site.rest, "new")
    assert variables.exists()
    start(site.rest, "new")
    hears(site.rest, "new", "from-uefi")
    assert len(variables.read_bytes()) == len(first)
    stop(site.rest, "new")
    site.deployment.nucleus("cluster", "remove", "new")
    wait_until(lambda: not variables.exists(), "the variables are removed with the disk")


def test_an_iso_installs_a_system_that_boots_afterwards(site, comet, tiny_guest, tmp_path):
    iso = installer_iso(tmp_path, tiny_guest, bios_disk(tmp_path, "from-disk"))
    comet("iso", "upload", iso)
    make(site, "fresh", "--disk-gb", "1")
    comet("iso", "attach", "installer.iso", "fresh")
    start(site.rest, "fresh")
    hears(site.rest, "fresh", "installed")
    comet("iso", "detach", "fresh")
    stop(site.rest, "fresh")
    start(site.rest, "fresh")
    hears(site.rest, "fresh", "from-disk")
