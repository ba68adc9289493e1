#!/usr/bin/python3
"""How long does the upload of a disk image take, from the command to the published image?

A: `cm comet image upload` of a raw disk: HTTP to the image store, its checks and digests, the copy
that only the store can write, and the record. B, the baseline: the slower one of `dd conv=fsync`,
which copies the file to the same file system, and `sha256sum` of it.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import time

from support.deployment import BIN, deployment
from support.figures import judge, ms, p50, show, show_load

PIECE_BYTES = 1 << 20


def seconds(words, environment=None):
    began = time.perf_counter()
    ran = subprocess.run([str(word) for word in words], env=environment, text=True,
                         capture_output=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"{words}: {ran.stdout}{ran.stderr}")
    return time.perf_counter() - began


def make_disk(path, size_mb):
    """A file without zeros, which nothing can leave out."""
    with open(path, "wb") as file:
        for _ in range(size_mb):
            file.write(os.urandom(PIECE_BYTES))
        os.fsync(file.fileno())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size-mb", type=int, default=512)
    arguments = parser.parse_args()
    uploads, copies, digests = [], [], []
    with deployment() as nucleus:
        folder = pathlib.Path(nucleus.state) / "bench"
        folder.mkdir()
        disk, copy = folder / "disk.img", folder / "copy.img"
        make_disk(disk, arguments.size_mb)
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **nucleus.env}
        for number in range(arguments.rounds):
            name = f"disk{number}"
            uploads.append(seconds([BIN / "cm", "comet", "image", "upload", disk,
                                    f"--imagename={name}"], environment))
            listed = nucleus.ask("GET", "/v2/images")["images"]
            assert any(one["image_id"].endswith("/" + name) for one in listed), listed
            copies.append(seconds(["dd", f"if={disk}", f"of={copy}", "bs=1M", "conv=fsync"]))
            copy.unlink()
            digests.append(seconds(["sha256sum", disk]))
        shutil.rmtree(folder)
    show(f"cm comet image upload of {arguments.size_mb} MB (A)", uploads)
    show("dd conv=fsync (B)", copies)
    show("sha256sum (B)", digests)
    slower = max(p50(copies), p50(digests))
    judge("at least 0.8 x the speed of the slower", p50(uploads) / slower, 1 / 0.8,
          f"{slower / p50(uploads):.2f} x, {arguments.size_mb / p50(uploads):.0f} MB/s "
          f"({ms(p50(uploads))})")
    show_load()


if __name__ == "__main__":
    main()
