"""An image that does not fit on the disk is refused with 503 and logged, and its partial file is
removed."""
import contextlib
import hashlib
import os
import subprocess

import pytest

from conftest import a_deployment, wait_until
from http_client import Admin

DISK_BYTES = 1 << 20
LARGE, SMALL = bytes(3 * DISK_BYTES), bytes(DISK_BYTES // 4)
SETTINGS = ["NUCLEUS_GATEWAY_SPOOL_DIRECTORY", "NUCLEUS_IMAGE_STORE_UPLOADS_DIRECTORY"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted")


@contextlib.contextmanager
def a_small_disk(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder],
                   check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("setting", SETTINGS)
def test_an_image_that_does_not_fit_is_refused_and_leaves_nothing(setting, tmp_path):
    with a_small_disk(tmp_path) as disk, a_deployment(
            "--simulated", "--hosts", "1", settings={setting: disk}) as deployment:
        admin = Admin(deployment)
        digest = {"md5": hashlib.md5(LARGE).hexdigest()}
        for sent in (
                lambda: admin.ask("PUT", "/v2/images/demo/large?format=raw", data=LARGE),
                lambda: admin.ask("POST", "/v1/image", files={"file": ("large", LARGE)},
                                  headers=digest)):
            refused = sent()
            assert refused.status_code == 503, refused.text
            assert "No space left on device" in refused.json()["detail"]
            wait_until(lambda: not list(disk.iterdir()), "nothing is left of it")
        log = (deployment.state / "logs" / "gateway.log").read_text()
        assert log.count(" upload_not_stored ") == 2, log
        stored = admin.ask("PUT", "/v2/images/demo/small?format=raw", data=SMALL)
        assert stored.status_code == 201, stored.text
        assert [one["image_id"] for one in admin.get("/v2/images")["images"]] == ["demo/small"]
