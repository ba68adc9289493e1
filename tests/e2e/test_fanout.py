"""Images for many hosts: nodes of one cluster on several hosts of a rack read one image's disk in
chunks, from each other where they can; what they do not read is copied while they run."""
import hashlib
import os
import re
import signal
import urllib.request

import pytest

from conftest import Machines, a_deployment, start_time, wait_until
from console import Guest
from rack import are_ready, hosts_of, stopped

MIB = 1 << 20
IMAGE_MIB = 24
HOSTS = 3
COPY_RATE_MB_S = 4


@pytest.fixture(scope="module", name="rack")
def rack_fixture(tiny_guest, tmp_path_factory):
    """Three hosts; the images `disked` and `newer` boot the tiny guest and have a disk of random
    bytes, of which only the last 2 MiB differ. `alone` has nothing in common with them."""
    folder = tmp_path_factory.mktemp("image")
    content = os.urandom(IMAGE_MIB * MIB)
    images = {"disked": content, "newer": content[:-2 * MIB] + os.urandom(2 * MIB),
              "alone": os.urandom(IMAGE_MIB * MIB)}
    rate = {"NUCLEUS_PROVISIONER_COPY_RATE_MB_S": COPY_RATE_MB_S}
    with a_deployment("--rack", str(HOSTS), settings=rate) as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.images = images
        for name, disk in images.items():
            (folder / name).write_bytes(disk)
            deployment.nucleus("image", "import", name, *machines.boots, "--disk", folder / name,
                               "--format", "raw")
        wait_until(lambda: are_ready(machines), "all hosts are ready", 60)
        yield machines


def metrics(rack, *names):
    """The sum of each series over all processes that have it."""
    sums = dict.fromkeys(names, 0)
    for one in rack.operator.get("/v2/monitoring/targets"):
        for target in one["targets"]:
            with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as page:
                text = page.read().decode()
            for name in names:
                found = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.M)
                sums[name] += sum(float(value) for value in found)
    return [sums[name] for name in names]


SENT = "nucleus_image_store_chunk_bytes_sent_total"
FROM_STORE = 'nucleus_provisioner_chunk_bytes_fetched_total{from="store"}'
FROM_HOSTS = 'nucleus_provisioner_chunk_bytes_fetched_total{from="host"}'
RANGES = "nucleus_image_store_bytes_read_total"
WRONG = 'nucleus_provisioner_chunk_peer_faults_total{reason="wrong"}'


def digest_of(guest):
    return guest.run(f"dd if=/dev/vda bs=1M count={IMAGE_MIB} 2>/dev/null | md5sum").split()[0]


def boot(rack, cluster, image):
    """A frontend and a compute on each host."""
    rack.create(cluster, HOSTS, image=image)
    rack.rest.power(cluster, "poweron")
    nodes = [f"vm-{cluster}-{i:02}" for i in range(HOSTS)]
    rack.rest.start(cluster, computes=[{"name": name, "host": f"rack-{i + 1}"}
                                       for i, name in enumerate(nodes)])
    rack.rest.wait_state(cluster, "active", timeout_s=120)
    assert {hosts_of(rack, cluster)[name] for name in nodes} == {
        f"rack-{i + 1}" for i in range(HOSTS)}
    return [cluster, *nodes]


def read_disks(rack, cluster, nodes, image):
    expected = hashlib.md5(rack.images[image]).hexdigest()
    for node in nodes:
        with Guest(rack.rest, cluster, node) as guest:
            assert digest_of(guest) == expected, node


def test_an_image_leaves_the_store_about_once_for_a_cluster_on_several_hosts(rack):
    [sent, ranges] = metrics(rack, SENT, RANGES)
    nodes = boot(rack, "many", "disked")
    read_disks(rack, "many", nodes, "disked")
    [now, from_store, from_hosts, wrong, read] = metrics(
        rack, SENT, FROM_STORE, FROM_HOSTS, WRONG, RANGES)
    whole = IMAGE_MIB * MIB
    assert now - sent == from_store
    assert from_store + from_hosts >= HOSTS * whole, "each host has the image once"
    assert from_store + from_hosts < (HOSTS + 0.1) * whole
    assert now - sent < 2 * whole, f"the store sent {(now - sent) / whole:.2f} images"
    assert from_hosts > whole
    assert wrong == 0
    boot_files = sum(path.stat().st_size for path in rack.boots if not isinstance(path, str))
    assert read - ranges <= HOSTS * boot_files, "no range of the disk: kernel and initramfs alone"


def test_an_image_that_shares_chunks_moves_only_its_new_ones(rack):
    before = metrics(rack, SENT, FROM_STORE, FROM_HOSTS)
    nodes = boot(rack, "next", "newer")
    read_disks(rack, "next", nodes, "newer")
    [sent, from_store, from_hosts] = (
        now - was for now, was in zip(metrics(rack, SENT, FROM_STORE, FROM_HOSTS), before))
    assert sent == from_store
    assert 2 * MIB <= sent < 5 * MIB
    assert 2 * HOSTS * MIB <= from_store + from_hosts < (2 * HOSTS + 1) * MIB


def copied_while_it_runs(rack, cluster):
    """Waits until the image of the cluster's frontend is complete on its host; the percentages that
    were shown before."""
    shown = []

    def is_complete():
        copy = rack.rest.v2_nodes(cluster)[cluster].get("image_copy")
        if copy:
            assert copy["reason"] == "" and copy["total_bytes"] in (0, IMAGE_MIB * MIB), copy
            shown.append(copy["percent"])
        return shown and not copy
    wait_until(is_complete, f"the image of {cluster} is copied", 90)
    return shown


def test_a_node_runs_at_once_and_its_image_is_copied_meanwhile(rack):
    rack.create("behind", 0, image="alone")
    rack.rest.power("behind", "poweron")
    shown = copied_while_it_runs(rack, "behind")
    assert shown == sorted(shown) and shown[0] < 100 and len(set(shown)) > 2, shown
    rack.rest.wait_state("behind", "active")
    with Guest(rack.rest, "behind", "behind") as guest:
        store = rack.deployment.pids()["image_store"]
        with stopped(rack.deployment.pids()["supervisor"]):  # or it would start the next at once
            os.kill(store, signal.SIGKILL)
            wait_until(lambda: start_time(store) is None, "the end of the image store")
            assert digest_of(guest) == hashlib.md5(rack.images["alone"]).hexdigest()
    wait_until(lambda: rack.deployment.pids().get("image_store") not in (None, store),
               "the next image store")
    wait_until(lambda: rack.rest.ask("GET", "/v2/images").status_code == 200,
               "the image store answers")
    before = metrics(rack, SENT, RANGES, FROM_STORE, FROM_HOSTS)
    for state, action in (("shutoff", "poweroff"), ("active", "poweron")):
        rack.rest.power("behind", action)
        rack.rest.wait_state("behind", state)
    read_disks(rack, "behind", ["behind"], "alone")
    assert metrics(rack, SENT, RANGES, FROM_STORE, FROM_HOSTS) == before, "all of it is here"
