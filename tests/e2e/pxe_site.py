"""A frontend that installs its computes over the private network with the files and the commands of
docs/installing.md: the tiny guest, with dnsmasq and what its computes load."""
import gzip
import os
import pathlib
import re
import shutil
import subprocess

from boot_images import run
from conftest import BIN, ROOT
from machines import CMDLINE

PAGE = (ROOT / "docs" / "installing.md").read_text()
DNSMASQ = pathlib.Path("/usr/sbin/dnsmasq")

# What the network-booted system does: says which address it was given, and writes what the frontend
# serves to its disk.
INSTALLER = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
value() { sed -n "s/.*\\b$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
echo "booted from the network as $(value address)" > /dev/console
ip link set eth0 up
ip address add "$(value address)/24" dev eth0
set -o pipefail
result="not installed"
wget -q -O - "http://$(value server)/disk.gz" | gunzip | dd of=/dev/vda bs=1M conv=fsync &&
  result=installed
while :; do echo "the disk is $result"; sleep 1; done > /dev/console
"""

ACCOUNTS = """root::0:0:root:/root:/bin/sh
dnsmasq:x:65533:65533::/run:/bin/false
nobody:x:65534:65534::/run:/bin/false
"""


def block_after(words):
    """The first block of the page after these words."""
    return re.search(f"{re.escape(words)}.*?^```\\w+\n(.*?)^```", PAGE, re.M | re.S)[1]


def documented(site, words):
    """What the block of commands prints, run as the cluster's admin."""
    ran = subprocess.run(["bash", "-euo", "pipefail", "-c", block_after(words)], text=True,
                         env={**site.env, "PATH": f"{BIN}:{os.environ['PATH']}"}, timeout=90,
                         capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def add_archive(tree, initramfs):
    """An initramfs with the files of `tree` over those of another one."""
    names = "\n".join(str(path.relative_to(tree)) for path in [tree, *sorted(tree.rglob("*"))])
    packed = run("cpio", "--quiet", "-o", "-H", "newc", cwd=tree, input=names.encode())
    return initramfs.read_bytes() + gzip.compress(packed, 1)


def add_program(tree, program):
    """The program with its libraries."""
    libraries = re.findall(r"(/\S+) \(0x", run("ldd", program).decode())
    for file in (str(program), *libraries):
        copy = tree / file[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def frontend_image(folder, tiny, disks):
    """The initramfs of the frontend. It serves these disks, by file name, and an installer that
    writes `disk.gz`."""
    installer, tree = folder / "installer", folder / "frontend"
    served = tree / "srv/tftp"
    for made in (installer, served / "nodes", tree / "etc", tree / "var/log",
                 tree / "var/lib/misc", tree / "var/run"):
        made.mkdir(parents=True)
    (installer / "init").write_text(INSTALLER)
    (installer / "init").chmod(0o755)
    add_program(tree, DNSMASQ)
    (tree / "etc/passwd").write_text(ACCOUNTS)
    (tree / "etc/dnsmasq.conf").write_text(block_after("`/etc/dnsmasq.conf`"))
    for name in ("boot.ipxe", "install.ipxe"):
        (served / name).write_text(block_after(f"`/srv/tftp/{name}`"))
    emulated = CMDLINE.replace("console=ttyS0 ", "")
    script = (served / "install.ipxe").read_text()
    assert " quiet " in script
    (served / "install.ipxe").write_text(script.replace(" quiet ", f" {emulated} "))
    shutil.copy(tiny / "vmlinuz", served)
    (served / "initramfs").write_bytes(add_archive(installer, tiny / "initramfs"))
    for name, disk in disks.items():
        (served / name).write_bytes(gzip.compress(disk.read_bytes(), 1))
    image = folder / "frontend.initramfs"
    image.write_bytes(add_archive(tree, tiny / "initramfs"))
    return image
