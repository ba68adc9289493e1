#!/usr/bin/python3
"""How long does it take to make the disks of a cluster's nodes from an image, and does that depend
on the size of the image?

A: a cluster with 50 nodes is defined, until the last disk is ready: REST, the definition, durable
commits, events. B, the baseline: `qemu-img create` of 50 overlays on the same image and file
system, as many at a time as there are CPUs. Both of an image of 1 GB and of one of 100 GB.
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import time

from support.deployment import deployment
from support.figures import judge, p50, show, show_load

SIZES_GB = (1, 100)
DATA_STEP_BYTES = 64 << 20


def make_image(path, size_gb):
    """A qcow2 image with all of its tables, as after writes everywhere, but with little data."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, f"{size_gb}G"], check=True)
    commands = [f"write -q -P 1 {at} 64k" for at in range(0, size_gb << 30, DATA_STEP_BYTES)]
    subprocess.run(["qemu-io", "-f", "qcow2", path], input="\n".join(commands), text=True,
                   check=True, stdout=subprocess.DEVNULL)


def create_overlays(image, folder, count):
    """Seconds to create as many overlays by qemu-img alone."""
    paths = [folder / f"overlay{number}" for number in range(count)]
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2"]
    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda path: subprocess.run([*words, path], check=True), paths))
    took = time.perf_counter() - began
    for path in paths:
        path.unlink()
    return took


def define(nucleus, events, name, image, count):
    """Seconds until all disks of a new cluster are ready."""
    volumes = events.expect(
        rb'^image_store\.volume-changed (?=.*"is_ready":true).*"node_id":"([^"]+)"', count)
    began = time.perf_counter()
    nucleus.ask("POST", "/v2/clusters", {
        "cluster_id": name, "project_id": "demo", "compute_count": count - 1, "image_id": image})
    took = volumes.wait() - began
    nucleus.ask("DELETE", f"/v2/clusters/{name}")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=50)
    arguments = parser.parse_args()
    defined, created = {size: [] for size in SIZES_GB}, {size: [] for size in SIZES_GB}
    with deployment() as nucleus:
        folder = pathlib.Path(nucleus.state) / "bench"
        folder.mkdir()
        events = nucleus.events()
        images = {size: folder / f"{size}.qcow2" for size in SIZES_GB}
        for size, image in images.items():
            make_image(image, size)
            nucleus.nucleus("image", "import", f"size{size}", "--disk", str(image))
        for number in range(arguments.rounds):
            for size, image in images.items():
                defined[size].append(define(nucleus, events, f"c{number}-{size}",
                                            f"public/size{size}", arguments.nodes))
                created[size].append(create_overlays(image, folder, arguments.nodes))
    for size in SIZES_GB:
        show(f"{arguments.nodes} disks of an image of {size} GB (A)", defined[size])
        show(f"qemu-img create of as many overlays, {size} GB (B)", created[size])
    growth = p50(defined[100]) / p50(defined[1])
    judge("100 GB within 1.1 x the time of 1 GB", growth, 1.1, f"{growth:.2f} x")
    ratio = p50(defined[1]) / p50(created[1])
    judge("within 1.3 x qemu-img create", ratio, 1.3, f"{ratio:.2f} x")
    show_load()


if __name__ == "__main__":
    main()
