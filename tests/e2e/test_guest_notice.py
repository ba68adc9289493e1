"""People who are logged in to a node are told that its computeset ends soon."""
from conftest import a_deployment, wait_until
from console import Guest
from machines import CMDLINE, Rest

BOOT_S = 240


def test_a_guest_is_told_when_its_computeset_ends(demo_guest):
    with a_deployment() as deployment:
        deployment.nucleus("image", "import", "demo/debian", "--disk", demo_guest / "disk.qcow2",
                           "--kernel", demo_guest / "vmlinuz", "--initramfs",
                           demo_guest / "initramfs", "--cmdline", CMDLINE)
        deployment.nucleus("cluster", "create", "c", "--computes", "1", "--memory-mb", "400",
                           "--disk-gb", "4", "--image", "demo/debian")
        rest = Rest(deployment.env())
        number = rest.start("c", count=1)
        rest.wait_state("c", "active", ["vm-c-00"], BOOT_S)
        with Guest(rest, "c", "vm-c-00") as guest:
            changed = rest.ask("PATCH", f"/v2/computesets/{number}", json={"walltime_mins": 14})
            assert changed.status_code == 200, changed.text
            wait_until(lambda: guest.ask("cat /run/nucleus-notice")[0] == 0, "the notice", 120)
            text = guest.run("cat /run/nucleus-notice")
        assert f"Nucleus: computeset {number} ends at 20" in text
