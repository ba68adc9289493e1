"""Small bootable images for tests, made with GRUB: each says a word on its serial console."""
import gzip
import pathlib
import subprocess

MIB = 1 << 20
GRUB_BIOS = pathlib.Path("/usr/lib/grub/i386-pc")
GRUB_MODULES = ["serial", "terminal", "echo", "sleep"]


def run(*argv, **more):
    ran = subprocess.run([*map(str, argv)], capture_output=True, timeout=300, check=False, **more)
    assert ran.returncode == 0, f"{argv}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def says(word):
    """GRUB's commands that say it, again and again."""
    return ("serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n"
            + f"echo says {word}\nsleep 1\n" * 600)


def bios_disk(folder, word):
    """A disk of 16 MiB with GRUB in its first sectors, and nothing else."""
    config, core, disk = (folder / f"{word}.{ending}" for ending in ("cfg", "core", "raw"))
    config.write_text(says(word))
    run("grub-mkimage", "-O", "i386-pc", "-c", config, "-o", core, "-p", "(hd0)", "biosdisk",
        *GRUB_MODULES)
    sectors = (GRUB_BIOS / "boot.img").read_bytes() + core.read_bytes()
    disk.write_bytes(sectors.ljust(16 * MIB, b"\0"))
    return disk


def uefi_disk(folder, word):
    """A disk of 64 MiB with an EFI system partition, which has GRUB where firmware looks for it."""
    config, program, disk = (folder / f"{word}.{ending}" for ending in ("cfg", "efi", "raw"))
    config.write_text(says(word))
    run("grub-mkimage", "-O", "x86_64-efi", "-c", config, "-o", program, "-p", "/", *GRUB_MODULES)
    with open(disk, "wb") as file:
        file.truncate(64 * MIB)
    run("sfdisk", "-q", disk, input=b"label: gpt\nstart=2048, size=126976, type=uefi\n")
    partition = f"{disk}@@1M"
    run("mformat", "-i", partition, "-F", "-T", "126976", "::")
    run("mmd", "-i", partition, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", partition, program, "::/EFI/BOOT/BOOTX64.EFI")
    return disk


def installer_iso(folder, tiny, payload):
    """An ISO that writes `payload` to the node's disk and says so. It has the kernel and modules of
    the tiny guest."""
    tree, root, iso = folder / "iso", folder / "root", folder / "installer.iso"
    (tree / "boot/grub").mkdir(parents=True)
    root.mkdir()
    (root / "init").write_text(
        "#!/bin/busybox sh\n"
        "/bin/busybox --install -s /bin\n"
        "export PATH=/bin\n"
        "mount -t devtmpfs dev /dev\n"
        'while read -r module; do insmod "/modules/$module"; done < /modules/order\n'
        "gunzip -c /payload.gz | dd of=/dev/vda bs=1M conv=fsync\n"
        "while :; do echo says installed; sleep 1; done > /dev/console\n")
    (root / "init").chmod(0o755)
    (root / "payload.gz").write_bytes(gzip.compress(payload.read_bytes()))
    (tree / "install").write_bytes(run("cpio", "--quiet", "-o", "-H", "newc", cwd=root,
                                       input=b"init\npayload.gz\n"))
    for name in ("vmlinuz", "initramfs"):
        (tree / name).write_bytes((tiny / name).read_bytes())
    (tree / "boot/grub/grub.cfg").write_text(
        "linux /vmlinuz console=ttyS0 quiet tsc=reliable no_timer_check mitigations=off\n"
        "initrd /initramfs /install\nboot\n")
    run("grub-mkrescue", "-o", iso, tree)
    return iso
