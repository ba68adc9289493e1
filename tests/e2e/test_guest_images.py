"""No image is made with an ssh key: whoever has the image would have the key of every node."""
import subprocess

import pytest

from conftest import ROOT

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n"


def refuse_keys(tree):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", '. "$1/common"; refuse_keys "$2"', "make_test",
         ROOT / "guest", tree], text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("place", [
    "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_rsa_key.pub", "root/.ssh/authorized_keys",
    "home/a/.ssh/authorized_keys2", "root/.ssh/id_ed25519", "opt/deploy.pem"])
def test_a_tree_with_a_key_becomes_no_image(tmp_path, place):
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/ssh/sshd_config").write_text("UsePAM no\n")
    assert refuse_keys(tmp_path).returncode == 0, refuse_keys(tmp_path)
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(KEY)
    refused = refuse_keys(tmp_path)
    assert refused.returncode == 1
    assert f"a key would be in the image: /{place}" in refused.stderr


@pytest.mark.parametrize("name", ["make_demo", "common"])
def test_each_tree_is_examined_before_it_becomes_an_image(name):
    text = (ROOT / "guest" / name).read_text()
    made = {"make_demo": "mke2fs", "common": "| cpio"}[name]
    assert 'refuse_keys "$root"\n' in text[:text.index(made)].split("say \"disk\"")[-1]
