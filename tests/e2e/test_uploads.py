"""Uploads of images by tus 1.0, with curl and with `comet`, over kills of both sides."""
import base64
import functools
import hashlib
import http.server
import json
import os
import random
import signal
import subprocess
import threading

import pytest

from comet import run_comet
from conftest import BIN, a_deployment, wait_until
from http_client import Admin, Client, operator_of

QUOTA = 3 << 30
SMALL = random.Random(1).randbytes(1 << 20)


@pytest.fixture(name="deployment", scope="module")
def deployment_fixture():
    with a_deployment("--simulated", "--hosts", "1",
                      settings={"NUCLEUS_IMAGE_STORE_PROJECT_BYTES_MAX": QUOTA,
                                "NUCLEUS_IMAGE_STORE_FETCH_NETWORKS": "127.0.0.0/8"},
                      ) as deployment:
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(deployment):
    return Admin(deployment)


@pytest.fixture(name="small")
def small_fixture(tmp_path):
    file = tmp_path / "small.img"
    file.write_bytes(SMALL)
    return file


def begin(client, image, data=SMALL, **more):
    body = {"format": "raw", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            **more}
    return client.ask("POST", f"/v2/images/demo/{image}/uploads", json=body)


def begun(client, image, data=SMALL):
    answer = begin(client, image, data)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == answer.json()["url"]
    assert answer.json()["ticket"] not in answer.json()["url"]
    return answer.json()


def curl(upload, *words, **more):
    """(status, headers) of a request of the tus client curl(1)."""
    ran = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-D", "-", "--noproxy", "*",
         "-H", "Tus-Resumable: 1.0.0", "-H", "Authorization: Bearer " + upload["ticket"],
         *map(str, words), upload["url"]],
        capture_output=True, text=True, timeout=60, check=False, **more)
    lines = [line for line in ran.stdout.splitlines() if line and " 100 " not in line]
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return int(lines[0].split()[1]) if lines else 0, headers


def patch_words(offset, file="-"):
    return ["-X", "PATCH", "-H", f"Upload-Offset: {offset}", "-H",
            "Content-Type: application/offset+octet-stream", "-T", file]


def offset_of(upload):
    def head():
        status, headers = curl(upload, "-I")
        return (int(headers["upload-offset"]),) if status == 200 else None
    return wait_until(head, "no other request writes")[0]


def state_of(client, upload):
    return client.get("/v2/uploads/" + upload["upload_id"])


def publishes(client, upload, data=SMALL):
    wait_until(lambda: state_of(client, upload)["state"] != "receiving", "all has arrived")
    wait_until(lambda: state_of(client, upload)["state"] != "checking", "it was checked")
    found = state_of(client, upload)
    assert found["state"] == "published", found
    image = client.get("/v2/images/" + found["image_id"])
    assert image["sha256"] == hashlib.sha256(data).hexdigest()
    assert image["size_bytes"] == len(data)


def test_curl_uploads_in_parts_of_which_some_are_cut(admin, small, tmp_path):
    upload = begun(admin, "parts")
    part = tmp_path / "part"
    for percent in range(1, 101):
        offset = offset_of(upload)
        end = len(SMALL) * percent // 100
        assert offset <= end
        if offset == end:
            continue
        part.write_bytes(SMALL[offset:end])
        # Of every other part, the head announces more than is sent.
        cut = ["-H", f"Content-Length: {len(SMALL) - offset}", "--max-time", "0.2"] \
            if percent % 2 and percent < 99 and percent % 20 == 1 else []
        status, headers = curl(upload, *cut, *patch_words(offset, part))
        if not cut:
            assert (status, headers["upload-offset"]) == (204, str(end))
        if percent < 100:
            assert admin.ask("GET", "/v2/images/demo/parts").status_code == 404
    publishes(admin, upload)
    assert small.exists()


def test_a_part_with_a_checksum_is_kept_whole_or_not(admin, tmp_path):
    upload = begun(admin, "sums")
    part = tmp_path / "part"
    part.write_bytes(SMALL[:300_000])

    def checksum(data, kind):
        return ["-H", f"Upload-Checksum: {kind} " +
                base64.b64encode(hashlib.new(kind, data).digest()).decode()]
    assert curl(upload, *checksum(b"other", "sha256"), *patch_words(0, part))[0] == 460
    assert offset_of(upload) == 0
    assert curl(upload, *checksum(SMALL[:300_000], "sha1"), *patch_words(0, part))[0] == 204
    part.write_bytes(SMALL[300_000:])
    assert curl(upload, *checksum(SMALL[300_000:], "sha256"),
                *patch_words(300_000, part))[0] == 204
    publishes(admin, upload)


def test_an_upload_goes_on_after_the_image_store_was_killed(deployment, admin, small, tmp_path):
    upload = begun(admin, "killed")
    part = tmp_path / "part"
    part.write_bytes(SMALL[:100_000])
    assert curl(upload, *patch_words(0, part))[0] == 204
    part.write_bytes(SMALL[100_000:])
    for _ in range(3):
        offset = offset_of(upload)
        part.write_bytes(SMALL[offset:])
        with subprocess.Popen(
                ["curl", "-s", "--noproxy", "*", "--limit-rate", "100k", "-o", "/dev/null", "-H",
                 "Tus-Resumable: 1.0.0", "-H", "Authorization: Bearer " + upload["ticket"],
                 *patch_words(offset, str(part)), upload["url"]]) as sending:
            wait_until(lambda before=offset: state_of(admin, upload)["offset_bytes"] > before,
                       "bytes arrive")
            pid = deployment.pids()["image_store"]
            os.kill(pid, signal.SIGKILL)
            assert sending.wait(60) != 0
        wait_until(lambda old=pid: deployment.pids().get("image_store", old) != old,
                   "its successor")
        assert offset_of(upload) >= offset >= 100_000
    offset = offset_of(upload)
    part.write_bytes(SMALL[offset:])
    assert curl(upload, *patch_words(offset, part))[0] == 204
    publishes(admin, upload)
    assert small.exists()


def comet_env(client):
    return {"NUCLEUS_URL": client.url, "NUCLEUS_TOKEN": client.token}


def test_comet_uploads_and_shows_images(admin, small, tmp_path):
    env = comet_env(admin)
    assert "uploaded" in run_comet(tmp_path, env, "image", "upload", small, "--imagename=disk1")
    shown = json.loads(run_comet(tmp_path, env, "image", "info", "disk1", "--format=rest"))
    assert shown["sha256"] == hashlib.sha256(SMALL).hexdigest() and shown["format"] == "raw"
    table = run_comet(tmp_path, env, "image", "list")
    assert "demo/disk1" in table and "1.0 MiB" in table
    assert "demo/disk1" not in run_comet(tmp_path, env, "iso", "list"), "it is not an ISO"
    again = run_comet(tmp_path, env, "image", "upload", small, "--imagename=disk1", code=1)
    assert "exists" in again
    fails = run_comet(tmp_path, env, "iso", "upload", small, "--isoname=no.iso", code=2)
    assert "not an ISO 9660 image" in fails
    assert any(one["state"] == "failed" and "ISO 9660" in one["reason"]
               for one in admin.get("/v2/uploads?image_id=demo/no.iso")["uploads"])


def test_comet_goes_on_after_it_was_killed(admin, tmp_path):
    file = tmp_path / "large.img"
    with open(file, "wb") as large:
        large.write(SMALL)
        large.truncate(600 << 20)
    words = [BIN / "comet", "image", "upload", str(file)]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **comet_env(admin)}

    def received():
        uploads = admin.get("/v2/uploads?image_id=demo/large.img")["uploads"]
        return uploads and uploads[0]["offset_bytes"]
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL) as killed:
        wait_until(received, "bytes arrive")
        killed.kill()
    assert admin.ask("GET", "/v2/images/demo/large.img").status_code == 404
    ran = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "continues at" in ran.stdout
    assert len(admin.get("/v2/uploads?image_id=demo/large.img")["uploads"]) == 1
    with open(file, "rb") as large:
        digest = hashlib.file_digest(large, "sha256").hexdigest()
    assert admin.get("/v2/images/demo/large.img")["sha256"] == digest
    assert admin.ask("DELETE", "/v2/images/demo/large.img").status_code == 204


def test_comet_goes_on_after_the_image_store_was_killed(deployment, admin, tmp_path):
    file = tmp_path / "kept.img"
    with open(file, "wb") as large:
        large.truncate(600 << 20)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **comet_env(admin)}
    with subprocess.Popen([BIN / "comet", "image", "upload", str(file)], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        wait_until(lambda: (admin.get("/v2/uploads?image_id=demo/kept.img")["uploads"]
                            or [{"offset_bytes": 0}])[0]["offset_bytes"], "bytes arrive")
        os.kill(deployment.pids()["image_store"], signal.SIGKILL)
        out, err = client.communicate(timeout=180)
    assert client.returncode == 0, out + err
    assert admin.get("/v2/images/demo/kept.img")["size_bytes"] == 600 << 20
    assert admin.ask("DELETE", "/v2/images/demo/kept.img").status_code == 204


def test_strangers_neither_see_nor_continue_an_upload(deployment, admin):
    upload = begun(admin, "mine")
    deployment.nucleus("person", "create", "eve", "--project", "other", check=False)
    stranger = Client(admin.url, deployment.add_person("mallory", "other"))
    assert begin(stranger, "mine").status_code == 404
    path = "/v2/uploads/" + upload["upload_id"]
    assert stranger.ask("GET", path).status_code == 404
    assert stranger.ask("DELETE", path).status_code == 404
    assert upload["upload_id"] not in stranger.ask("GET", "/v2/uploads").text
    assert path.rsplit("/", maxsplit=1)[1] in operator_of(deployment).ask("GET", "/v2/uploads").text
    assert upload["ticket"] not in admin.ask("GET", "/v2/uploads").text
    assert admin.ask("POST", "/v2/images/public/x/uploads",
                     json={"format": "raw", "size_bytes": 1}).status_code == 404
    logs = "".join(log.read_text() for log in (deployment.state / "logs").glob("*.log"))
    assert upload["ticket"] not in logs
    assert admin.ask("DELETE", path).status_code == 204
    assert curl(upload, "-I")[0] == 404


def a_member(deployment, operator, name):
    """A member of demo, and what ends their right to upload there."""
    member = Client(operator.url, deployment.add_person(name, "demo"))
    ends = {"revoked": lambda: member.ask("POST", "/rest-auth/logout/"),
            "removed": lambda: operator.ask("DELETE", f"/v2/people/{name}"),
            "reader": lambda: operator.ask("PUT", f"/v2/people/{name}", json={"role": "read_only"}),
            "elsewhere": lambda: operator.ask("PUT", f"/v2/people/{name}",
                                              json={"projects": ["physics"]})}
    return member, ends[name]


@pytest.mark.parametrize("name", ["revoked", "removed", "reader", "elsewhere"])
def test_a_ticket_ends_with_the_right_of_its_holder(deployment, admin, tmp_path, name):
    operator = operator_of(deployment)
    operator.ask("PUT", "/v2/projects/physics")
    member, end = a_member(deployment, operator, name)
    upload = begun(member, "of-" + name)
    part = tmp_path / "part"
    part.write_bytes(SMALL[:1000])
    assert curl(upload, *patch_words(0, part))[0] == 204
    # A part that is being sent is cut: it sends some bytes a second.
    part.write_bytes(SMALL[1000:])
    with subprocess.Popen(
            ["curl", "-s", "--noproxy", "*", "--limit-rate", "50k", "-o", "/dev/null", "-H",
             "Tus-Resumable: 1.0.0", "-H", "Authorization: Bearer " + upload["ticket"],
             *patch_words(1000, str(part)), upload["url"]]) as sending:
        wait_until(lambda: state_of(admin, upload)["offset_bytes"] > 1000, "bytes arrive")
        assert end().ok
        sending.wait(15)
    received = state_of(admin, upload)
    assert received["state"] == "receiving" and received["offset_bytes"] < len(SMALL)
    assert curl(upload, "-I")[0] == 410
    assert curl(upload, *patch_words(received["offset_bytes"], part))[0] == 410
    assert curl(upload, "-X", "DELETE")[0] == 410
    # Another member goes on with it.
    upload = begun(admin, "of-" + name)
    part.write_bytes(SMALL[offset_of(upload):])
    assert curl(upload, *patch_words(offset_of(upload), part))[0] == 204
    publishes(admin, upload)


class Gated(http.server.BaseHTTPRequestHandler):
    """Answers once the server's gate is open."""

    def do_GET(self):
        assert self.server.gate.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", str(len(SMALL)))
        self.end_headers()
        self.wfile.write(SMALL)


@pytest.fixture(name="gated")
def gated_fixture():
    """A server that answers once its `gate` is open."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gated)
    server.gate = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()


def begin_import(client, image, server):
    answer = client.ask("POST", f"/v2/images/{image}/import", json={
        "format": "raw", "source_url": f"http://127.0.0.1:{server.server_port}/{image}",
        "sha256": hashlib.sha256(SMALL).hexdigest()})
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_what_is_fetched_for_a_person_who_was_removed_is_not_published(deployment, admin, gated):
    member = Client(admin.url, deployment.add_person("leaver", "demo"))
    fetched = begin_import(member, "demo/late", gated)
    deployment.nucleus("person", "remove", "leaver")
    gated.gate.set()
    wait_until(lambda: state_of(admin, fetched)["state"] in ("failed", "published"), "its end")
    assert state_of(admin, fetched)["state"] == "failed"
    assert state_of(admin, fetched)["reason"] == "the right to this upload has ended"
    assert admin.ask("GET", "/v2/images/demo/late").status_code == 404


def test_slow_servers_of_one_project_do_not_delay_the_imports_of_others(deployment, admin, gated,
                                                                        mirror):
    slow = [begin_import(admin, f"demo/slow{number}", gated) for number in range(3)]
    url, folder = mirror
    (folder / "quick").write_bytes(SMALL)
    other = Client(admin.url, deployment.add_person("other", "biology"))
    begun_there = other.ask("POST", "/v2/images/biology/quick/import", json={
        "format": "raw", "source_url": f"{url}/quick",
        "sha256": hashlib.sha256(SMALL).hexdigest()})
    publishes(other, begun_there.json())
    assert {state_of(admin, one)["state"] for one in slow} == {"receiving"}
    gated.gate.set()
    for one in slow:
        publishes(admin, one)


def test_an_upload_is_refused_with_the_field_at_fault(admin):
    for body, field in (({}, "format"), ({"format": "raw"}, "size_bytes"),
                        ({"format": "vmdk", "size_bytes": 1}, "format"),
                        ({"format": "raw", "size_bytes": 1, "sha256": "x"}, "sha256"),
                        ({"format": "raw", "size_bytes": 1, "md5": "x"}, "md5"),
                        ({"format": "iso", "size_bytes": 1, "firmware": "uefi"}, "firmware"),
                        ({"format": "raw", "size_bytes": 1 << 62}, "size_bytes"),
                        ({"format": "raw", "size_bytes": -1}, "size_bytes")):
        answer = admin.ask("POST", "/v2/images/demo/bad/uploads", json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, field), body
    over = admin.ask("POST", "/v2/images/demo/bad/uploads",
                     json={"format": "raw", "size_bytes": QUOTA + 1})
    assert over.status_code == 409 and f"may have {QUOTA} bytes" in over.json()["detail"]


def test_a_tus_client_creates_an_upload_by_headers(admin):
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in
                        (("format", "raw"), ("filename", "any")))
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(SMALL)),
               "Upload-Metadata": metadata}
    made = admin.ask("POST", "/v2/images/demo/tus/uploads", headers=headers)
    assert made.status_code == 201, made.text
    assert made.headers["Tus-Resumable"] == "1.0.0"
    assert curl(made.json(), "-I")[1]["upload-length"] == str(len(SMALL))
    for name, value in (("Upload-Length", "x"), ("Upload-Metadata", "format !")):
        wrong = admin.ask("POST", "/v2/images/demo/tus/uploads", headers={**headers, name: value})
        assert (wrong.status_code, wrong.json()["field"]) == (400, name)


@pytest.fixture(name="mirror")
def mirror_fixture(tmp_path):
    """The URL of a folder that a web server offers, and the folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_comet_imports_an_image_from_a_url_and_removes_it(admin, mirror, tmp_path):
    url, folder = mirror
    (folder / "mirrored.raw").write_bytes(SMALL)
    digest = hashlib.sha256(SMALL).hexdigest()
    comet = functools.partial(run_comet, tmp_path, comet_env(admin), "image")
    assert "sha256" in comet("import", f"{url}/mirrored.raw", code=1)
    imported = comet("import", f"{url}/mirrored.raw", f"--sha256={digest}")
    assert imported == "image demo/mirrored.raw imported\n"
    assert digest in comet("info", "mirrored.raw")
    wrong = comet("import", f"{url}/mirrored.raw", "--imagename=other", f"--sha256={'0' * 64}",
                  code=2)
    assert "sha256" in wrong
    assert "answers HTTP 404" in comet("import", f"{url}/none.raw", f"--sha256={digest}", code=2)
    assert comet("remove", "mirrored.raw") == "image demo/mirrored.raw removed\n"
    assert "no such image" in comet("info", "mirrored.raw", code=1)


def test_a_url_reaches_no_private_address(admin, tmp_path):
    comet = functools.partial(run_comet, tmp_path, comet_env(admin), "image", "import")
    for address in ("169.254.169.254", "10.0.0.1", "[::1]", "192.168.1.1"):
        assert "names an address that is not public" in comet(f"https://{address}/x.iso",
                                                                 code=2)
    for url in ("file:///etc/passwd", "ftp://x.org/x.iso", "https://me:secret@x.org/x.iso"):
        assert "source_url" in comet(url, "--imageformat=iso", "--imagename=x", code=1)


def test_an_operator_imports_a_directory(deployment, tmp_path):
    for name in ("b.raw", "a.iso", "notes.txt"):
        (tmp_path / name).write_bytes(SMALL)
    first = deployment.nucleus("image", "import-folder", tmp_path)
    assert [line.split(":")[0] for line in first.stdout.splitlines()] == [
        "image public/a", "image public/b"]
    (tmp_path / "c.raw").write_bytes(SMALL)
    (tmp_path / "d.raw").symlink_to("/etc/shadow")
    again = deployment.nucleus("image", "import-folder", tmp_path, check=False)
    assert again.returncode == 1
    assert again.stdout.startswith("image public/c: ") and again.stdout.count("\n") == 1
    assert again.stderr == "".join(
        f"nucleus: {tmp_path / name}: image public/{name[0]} exists already\n"
        for name in ("a.iso", "b.raw")) + (
        f"nucleus: {tmp_path}/d.raw: a symbolic link is not followed\n")
