"""Disks of nodes are saved, rolled back and published as images: on real machines, which boot from
what was saved. What a guest would write is written with qemu-io while its node is off."""
import contextlib
import hashlib
import json
import os
import signal
import subprocess

import pytest

from boot_images import bios_disk, run
from comet import run_comet
from conftest import Machines, a_deployment, wait_until
from console import Viewer, ticket_for

SIZE = 16 << 20


@pytest.fixture(name="site", scope="module")
def site_fixture(tiny_guest):
    with a_deployment() as deployment:
        yield Machines(deployment, tiny_guest)


@pytest.fixture(name="comet")
def comet_fixture(site, tmp_path):
    env = {name: site.env[name] for name in ("NUCLEUS_URL", "NUCLEUS_TOKEN")}
    return lambda *words, code=0: run_comet(tmp_path / "home", env, *words, code=code)


@pytest.fixture(name="image", scope="module")
def image_fixture(site, tmp_path_factory):
    """An image whose disk says `first`."""
    folder = tmp_path_factory.mktemp("image")
    env = {name: site.env[name] for name in ("NUCLEUS_URL", "NUCLEUS_TOKEN")}
    run_comet(folder / "home", env, "image", "upload", bios_disk(folder, "first"),
              "--imagename=first")
    return "first"


class Frontend:
    """The only node of a cluster, with a disk of the image."""

    def __init__(self, site, name, image):
        self.site, self.rest, self.name = site, site.rest, name
        site.deployment.nucleus("cluster", "create", name, "--computes", "0", "--memory-mb", "128",
                                "--image", image)
        self.node_id = self.node()["node_id"]
        wait_until(lambda: self.disk()["disk_bytes"], "its disk is made")

    def node(self):
        return self.rest.v2_nodes(self.name)[self.name]

    def url(self, what=""):
        return f"/v2/clusters/{self.name}/nodes/{self.name}/disk{what}"

    def disk(self):
        return self.rest.get(self.url())

    def post(self, what, **body):
        return self.rest.ask("POST", self.url(what), data=json.dumps(body))

    def file(self):
        [file] = self.site.deployment.state.rglob(f"{self.node_id}.qcow2")
        return file

    def write(self, content):
        """What a guest would write, from the start of the disk on."""
        run("qemu-io", "-f", "qcow2", "-c", f"write -q -s {content} 0 {content.stat().st_size}",
            self.file())

    def checksum(self):
        raw = self.file().parent / "checked.raw"
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", self.file(), raw)
        try:
            return hashlib.sha256(raw.read_bytes()).hexdigest()
        finally:
            raw.unlink()

    def start(self):
        self.rest.power(self.name, "poweron")
        self.rest.wait_state(self.name, "active")

    def stop(self):
        self.rest.power(self.name, "poweroff")
        self.rest.wait_state(self.name, "shutoff")

    def says(self, word):
        """It boots, says this word, and is off again."""
        self.start()
        ticket = ticket_for(self.rest, self.name, self.name)
        with Viewer(ticket["url"], ticket["ticket"]) as viewer:
            viewer.read_until(f"says {word}".encode())
        self.stop()

    def wait_ended(self, work_id):
        def ended():
            work = self.disk()["work"]
            assert work["work_id"] == work_id
            return work if work["ended_unix_s"] else None
        return wait_until(ended, f"work {work_id} has ended")


@pytest.fixture(name="new_node")
def new_node_fixture(site, image):
    made = []

    def make(name, of=image):
        made.append(name)
        return Frontend(site, name, of)
    yield make
    for name in made:
        site.deployment.nucleus("cluster", "remove", name)


@contextlib.contextmanager
def paused(site, name):
    """The process does not run within."""
    pid = site.deployment.pids()[name]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_node_boots_what_was_saved_and_what_it_was_rolled_back_to(new_node, comet, tmp_path):
    node = new_node("alpha")
    node.says("first")
    assert "node alpha: its disk is being saved" in comet(
        "node", "snapshot", "alpha", "alpha", "clean", "--wait")
    before = node.checksum()
    node.write(bios_disk(tmp_path, "second"))
    node.says("second")
    comet("node", "snapshot", "alpha", "alpha", "--wait")
    listed = comet("node", "disk", "alpha", "alpha")
    assert "clean" in listed and "in use" in listed
    shown = json.loads(comet("node", "disk", "alpha", "--format=rest"))
    assert [(one["number"], one["name"], one["parent"]) for one in shown["generations"]] == [
        (1, "clean", 0), (2, "", 1)]
    assert shown["generation"] == 2 and shown["image_id"] == "demo/first"
    comet("node", "rollback", "alpha", "alpha", "clean", "--wait")
    assert node.checksum() == before, "byte for byte"
    node.says("first")
    comet("node", "rollback", "alpha", "alpha", "2", "--wait")
    node.says("second")
    comet("node", "rollback", "alpha", "alpha", "0", "--wait")
    node.says("first")


def test_a_generation_becomes_an_image_that_another_cluster_boots(new_node, comet, tmp_path, site):
    node = new_node("beta")
    assert "no generation" in comet("image", "save", "beta", "beta", "saved", code=1)
    node.says("first")
    node.write(bios_disk(tmp_path, "installed"))
    comet("node", "snapshot", "beta", "beta", "--wait")
    node.start()  # a generation never changes: the node may run
    assert "published" in comet("image", "save", "beta", "beta", "saved", "--wait")
    node.stop()
    assert "saved" in comet("image", "list")
    assert comet("image", "save", "beta", "beta", "saved", code=1)
    other = new_node("gamma", "saved")
    other.says("installed")
    [upload] = [one for one in site.rest.get("/v2/uploads")["uploads"]
                if one["image_id"] == "demo/saved" and one["state"] == "published"]
    assert (upload["node_id"], upload["generation"]) == (node.node_id, 1)


def test_a_power_on_during_the_work_waits_and_then_runs(new_node, site):
    node = new_node("delta")
    node.says("first")
    with paused(site, "image_store"):
        begun = node.post("/generations", name="clean")
        assert begun.status_code == 202, begun.text
        work_id = begun.json()["work"]["work_id"]
        assert node.node()["reason"] == "its disk is being saved"
        node.rest.power("delta", "poweron")
        assert (node.node()["state"], node.node()["reason"]) == (
            "nostate", "its disk is being saved")
        again = node.post("/generations")
        assert again.status_code == 409, again.text
        assert "to be started" in again.json()["detail"]
    assert node.wait_ended(work_id)["reason"] == ""
    node.rest.wait_state("delta", "active")
    node.stop()
    assert [one["name"] for one in node.disk()["generations"]] == ["clean"]


def test_work_goes_on_after_the_image_store_and_the_scheduler_were_killed(new_node, site, tmp_path):
    node = new_node("epsilon")
    node.says("first")
    node.write(bios_disk(tmp_path, "kept"))
    before = node.checksum()
    with paused(site, "image_store") as pid:
        work_id = node.post("/generations", name="kept").json()["work"]["work_id"]
        os.kill(site.deployment.pids()["scheduler"], signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: site.deployment.pids().get("image_store", pid) != pid, "another image store")

    def answered():
        return node.rest.ask("GET", node.url()).status_code == 200
    wait_until(answered, "the scheduler is back")
    assert node.wait_ended(work_id)["reason"] == ""
    assert node.checksum() == before
    for kills in range(3):
        pid = site.deployment.pids()["image_store"]
        begun = node.post("/rollback", generation=1)
        assert begun.status_code == 202, begun.text
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda old=pid: site.deployment.pids().get("image_store", old) != old,
                   f"another image store, {kills}")
        assert node.wait_ended(begun.json()["work"]["work_id"])["reason"] == ""
        assert node.checksum() == before
    node.says("kept")


def test_what_cannot_be_done_is_refused_and_changes_nothing(new_node, comet, site):
    node = new_node("zeta")
    assert "not run yet" in comet("node", "snapshot", "zeta", "zeta", code=1)
    node.start()
    for words in (("snapshot", "zeta", "zeta"), ("rollback", "zeta", "zeta", "0")):
        assert "runs: its disk can be changed when it is off" in comet("node", *words, code=1)
    node.stop()
    for name in ("7", "a b", "../x", "x" * 65):
        refused = node.post("/generations", name=name)
        assert (refused.status_code, refused.json()["field"]) == (400, "name"), name
    comet("node", "snapshot", "zeta", "zeta", "clean", "--wait")
    assert "already" in comet("node", "snapshot", "zeta", "zeta", "clean", code=1)
    assert "no generation" in comet("node", "rollback", "zeta", "zeta", "9", code=1)
    assert "no generation" in comet("node", "rollback", "zeta", "zeta", "dirty", code=1)
    assert node.post("/rollback").json()["field"] == "generation"
    assert node.post("/generations/9/image", image_id="demo/x").status_code == 404
    assert node.post("/generations/1/image", image_id="demo/first").status_code == 409
    for image, status in (("x", 400), ("elsewhere/x", 404), ("demo/a b", 400), ("demo/5", 400)):
        assert node.post("/generations/1/image", image_id=image).status_code == status, image
    assert "roll it back" in comet("node", "discard", "zeta", "zeta", "clean", code=1)
    assert len(node.disk()["generations"]) == 1
    comet("node", "rollback", "zeta", "zeta", "0", "--wait")
    comet("node", "discard", "zeta", "zeta", "clean", "--wait")
    assert node.disk()["generations"] == []
    wait_until(lambda: not list(site.deployment.state.rglob("*.layer")), "its file is deleted")


def test_the_files_of_a_removed_node_are_deleted(new_node, comet, site):
    node = new_node("eta")
    node.says("first")
    before = set(site.deployment.state.rglob("*.layer"))
    comet("node", "snapshot", "eta", "eta", "--wait")
    [layer] = set(site.deployment.state.rglob("*.layer")) - before
    checked = subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", layer], timeout=60,
                             check=False)
    assert checked.returncode == 0
    site.deployment.nucleus("cluster", "remove", "eta")
    wait_until(lambda: not layer.exists(), "its generation is deleted")
    site.deployment.nucleus("cluster", "create", "eta", "--computes", "0")


def test_a_disk_is_saved_whenever_its_node_has_gone_off(new_node, comet, tmp_path):
    node = new_node("theta")
    assert "saved when they have gone off" in comet("node", "autosave", "theta", "theta")
    node.says("first")

    def saved(count):
        disk = node.disk()
        done = len(disk["generations"]) == count and disk["work"]["ended_unix_s"]
        return disk if done else None
    first = wait_until(lambda: saved(1), "saved by itself")
    assert first["generations"][0]["is_automatic"] and not first["is_changed"]
    node.write(bios_disk(tmp_path, "second"))
    node.says("second")
    wait_until(lambda: saved(2), "saved again")
    listed = comet("node", "disk", "theta", "theta")
    assert "in use, automatic" in listed and "saved when the node has gone off" in listed
    before = node.checksum()
    comet("node", "discard", "theta", "theta", "1", "--wait")
    [left] = node.disk()["generations"]
    assert (left["number"], left["parent"]) == (2, 0), "it took over what the first one saved"
    assert node.checksum() == before, "byte for byte"
    comet("node", "rollback", "theta", "theta", "2", "--wait")
    assert node.checksum() == before
    comet("node", "autosave", "theta", "theta", "--off")
    node.says("second")
    assert len(node.disk()["generations"]) == 1


def test_a_tag_names_the_image_of_the_next_cluster(new_node, comet, tmp_path, site):
    comet("image", "upload", bios_disk(tmp_path, "tagged"), "--imagename=tagged")
    assert "names image demo/first" in comet("image", "tag", "first", "system:stable")
    old = new_node("iota", "system:stable")
    comet("image", "tag", "tagged", "demo/system:stable")
    assert "system:stable" in comet("image", "list")
    new = new_node("kappa", "demo/system:stable")
    assert old.disk()["image_id"] == "demo/first"
    assert new.disk()["image_id"] == "demo/tagged"
    new.says("tagged")
    assert "tag demo/system:stable names image demo/tagged" in comet(
        "image", "remove", "tagged", "--keep-clones", code=1)
    assert comet("image", "untag", "first", "system:stable", code=1)
    comet("image", "untag", "tagged", "system:stable")
    comet("image", "remove", "tagged", "--keep-clones")
    assert site.rest.ask("PUT", "/v2/images/demo/first/tags/none").json()["field"] == "tag"
