"""The portal in a browser, on simulated hosts and with a real machine; and what protects it."""
import asyncio
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess

import pytest
import websockets
import yaml

from browser import begin_flow, end_flow, install_tools, run_flow
from conftest import BIN, ROOT, Machines, a_deployment, wait_until
from console import Guest
from http_client import Admin, Client, operator_of, session_of
from recordings import plant
from slow_relay import SlowRelay

PASSWORD = "correct horse battery"
HOSTILE = '<img src=x onerror="globalThis.wasRun=1">\'"</script><script>wasRun=1</script>'


@pytest.fixture(name="line", scope="module")
def line_fixture():
    """The line to the image store's listener for uploads."""
    relay = SlowRelay()
    yield relay
    relay.close()


@pytest.fixture(name="site", scope="module")
def site_fixture(line):
    settings = dict.fromkeys(["NUCLEUS_IMAGE_STORE_UPLOADS_URL", "NUCLEUS_GATEWAY_UPLOADS_URL"],
                             line.url)
    with a_deployment("--simulated", "--hosts", "4", settings=settings) as deployment:
        line.port = yaml.safe_load(
            (deployment.state / "deployment.yaml").read_text())["ports"]["uploads"]
        deployment.nucleus("cluster", "create", "amber", "--computes", "4")
        deployment.nucleus("cluster", "create", "jade", "--computes", "1")
        admin = Admin(deployment)
        # On a busy machine the first answer may be that a service did not answer in time.
        wait_until(lambda: admin.ask("POST", "/v2/clusters", data=json.dumps(
            {"cluster_id": "wide", "compute_count": 1943,
             "allocations": ["demo"]})).status_code in (201, 409),
                   "the large cluster", timeout_s=120)
        person = Client(admin.url, deployment.add_person("pat", "demo"))
        changed = person.ask("POST", "/rest-auth/password/change/", data=json.dumps(
            {"new_password1": PASSWORD, "new_password2": PASSWORD}))
        assert changed.status_code == 200, changed.text
        yield deployment


@pytest.fixture(name="admin", scope="module")
def admin_fixture(site):
    return Admin(site)


@pytest.fixture(name="operator", scope="module")
def operator_fixture(site):
    return operator_of(site)


def test_the_modules_agree_with_the_messages_and_the_style():
    ran = subprocess.run([ROOT / "portal" / "check", BIN.parent], text=True, capture_output=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_person_signs_in_and_out(admin):
    run_flow(admin.url, "sign_in_and_out", person="pat", password=PASSWORD)


def test_a_page_loads_over_a_bad_line(admin):
    run_flow(admin.url, "load_over_a_bad_line", token=admin.token)


def test_a_computeset_starts_after_its_plan_was_seen(admin):
    run_flow(admin.url, "start_after_the_plan", token=admin.token, cluster="amber")


def test_a_host_class_is_chosen_once_there_are_two(site, admin):
    flow = begin_flow(admin.url, "choose_a_host_class", token=admin.token, cluster="jade",
                      hostClass="gpu")
    try:
        assert flow.stdout.readline() == "alone\n"
        site.nucleus("class", "set", "gpu", "--core", "2.5", "--memory-gib", "0.5")
        site.nucleus("host", "set", "sim-0003", "--class", "gpu", "--rack", "r2")
    finally:
        end_flow(flow)


def test_hosts_are_shown_by_rack(site, operator):
    site.nucleus("host", "set", "sim-0003", "--rack", "r2")
    site.nucleus("host", "set", "sim-0004", "--rack", "")
    run_flow(operator.url, "see_hosts_by_rack", token=operator.token,
             hosts=["sim-0003", "sim-0004"], rack="r2", other="r10")


def test_a_change_is_seen_without_a_reload(admin):
    run_flow(admin.url, "see_a_change", token=admin.token, cluster="wide", node="wide")


def test_each_node_that_is_powered_has_its_own_result(admin):
    run_flow(admin.url, "power_nodes", token=admin.token, cluster="amber", node="amber")


def test_the_page_resumes_after_the_gateway_was_killed(site, admin):
    flow = begin_flow(admin.url, "resume_after_a_drop", token=admin.token, cluster="amber")
    try:
        assert flow.stdout.readline() == "live\n"
        os.kill(site.pids()["gateway"], signal.SIGKILL)
        assert flow.stdout.readline() == "dropped\n"
    finally:
        end_flow(flow)


def test_a_cluster_of_others_looks_like_a_missing_one(site, admin):
    run_flow(admin.url, "see_a_forbidden_cluster", token=site.add_person("eve", "physics"),
             cluster="amber")


def test_an_operator_drains_and_resumes_a_host(operator):
    run_flow(operator.url, "drain_a_host", token=operator.token, host="sim-0004")


def test_a_token_is_made_with_the_password_and_revoked(admin):
    run_flow(admin.url, "make_and_revoke_a_token", person="pat", password=PASSWORD)


def test_a_password_is_set_with_a_token(site, admin):
    run_flow(admin.url, "set_the_password", token=site.add_person("new", "demo"), person="new",
             password=PASSWORD)


def test_a_start_is_notified_after_consent(admin):
    run_flow(admin.url, "be_notified", token=admin.token, cluster="wide")


def test_hostile_texts_are_shown_as_text(admin, operator):
    made = admin.ask("POST", "/v2/clusters", data=json.dumps(
        {"cluster_id": "hostile", "description": HOSTILE, "compute_count": 1}))
    assert made.status_code == 201, made.text
    drained = operator.ask("PATCH", "/v2/hosts/sim-0001", data=json.dumps(
        {"is_drained": True, "reason": HOSTILE}))
    assert drained.status_code == 200, drained.text
    label = HOSTILE[:64]
    assert operator.ask("POST", "/v2/me/tokens",
                        data=json.dumps({"label": label})).status_code == 201
    named = operator.ask("PUT", "/v2/people/mal", data=json.dumps(
        {"first_name": HOSTILE, "projects": ["demo"]}))
    assert named.status_code == 200, named.text
    run_flow(admin.url, "show_hostile_texts", token=operator.token, texts={
        "clusters": HOSTILE, "clusters/hostile": HOSTILE, "hosts": HOSTILE,
        "hosts/sim-0001": HOSTILE, "account": label, "people": HOSTILE})
    resumed = operator.ask("PATCH", "/v2/hosts/sim-0001", data='{"is_drained": false}')
    assert resumed.status_code == 200, resumed.text
    assert admin.ask("DELETE", "/v2/clusters/hostile").status_code == 204


def test_an_image_is_uploaded_and_removed(admin, tmp_path):
    disk = tmp_path / "small disk.raw"
    disk.write_bytes(b"\1" * (1 << 20))
    run_flow(admin.url, "upload_an_image", token=admin.token, file=str(disk))


def test_an_image_is_uploaded_by_drag_and_drop(admin):
    run_flow(admin.url, "drop_an_image", token=admin.token, image="dropped")
    assert admin.ask("DELETE", "/v2/images/demo/dropped").status_code == 204


def test_the_disk_of_a_node_is_saved_and_rolled_back(admin):
    """Node jade has been on, so that its disk has something to save."""
    for action, state in (("on", "active"), ("off", "shutoff")):
        power = admin.ask("POST", "/v2/clusters/jade/power",
                          data=json.dumps({"nodes": ["jade"], "action": action}))
        assert power.status_code == 204, power.text
        wait_until(lambda wanted=state: admin.ask(
            "GET", "/v2/clusters/jade/nodes/jade").json()["state"] == wanted, state)
    run_flow(admin.url, "save_and_roll_back_a_disk", token=admin.token, cluster="jade",
             node="jade")


def test_a_tag_is_moved_and_removed(site, admin, tmp_path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"\1" * (1 << 20))
    images = ["demo/october", "demo/november"]
    for image in images:
        site.nucleus("image", "import", image, "--disk", disk, "--format", "raw")
    run_flow(admin.url, "tag_an_image", token=admin.token, images=images)
    for image in images:
        assert admin.ask("DELETE", f"/v2/images/{image}").status_code == 204


def test_links_are_measured_and_a_failure_has_its_reason(admin):
    run_flow(admin.url, "measure_links", token=admin.token, cluster="jade",
             reason="The measurement failed: two active compute nodes are needed")


@pytest.fixture(name="slow_line")
def slow_line_fixture(line):
    line.bytes_per_s = 4 << 20
    yield line
    line.bytes_per_s = None
    line.mend()


def test_an_upload_survives_drops_a_kill_and_a_reload(site, admin, slow_line, tmp_path):
    disk = tmp_path / "long.raw"
    disk.write_bytes(os.urandom(64 << 20))
    actions = {"cut": slow_line.cut, "mend": slow_line.mend,
               "kill": lambda: os.kill(site.pids()["image_store"], signal.SIGKILL),
               "hurry": lambda: setattr(slow_line, "bytes_per_s", None)}
    flow = begin_flow(admin.url, "upload_across_drops", token=admin.token, file=str(disk),
                      image="long", sha256=hashlib.sha256(disk.read_bytes()).hexdigest())
    try:
        for name, act in actions.items():
            assert flow.stdout.readline() == name + "\n"
            act()
    finally:
        end_flow(flow)
    assert admin.ask("DELETE", "/v2/images/demo/long").status_code == 204


def test_a_cancelled_upload_leaves_nothing(admin, slow_line, tmp_path):
    disk = tmp_path / "unwanted.raw"
    disk.write_bytes(bytes(64 << 20))
    assert slow_line.bytes_per_s
    run_flow(admin.url, "cancel_an_upload", token=admin.token, file=str(disk), image="unwanted")
    assert not [one for one in admin.get("/v2/uploads")["uploads"]
                if one["image_id"] == "demo/unwanted"]


def test_an_operator_sees_which_process_does_not_serve(site, operator):
    stopped = site.pids()["overhead"]
    flow = begin_flow(operator.url, "see_processes", token=operator.token, stopped="overhead")
    try:
        assert flow.stdout.readline() == "serving\n"
        os.kill(stopped, signal.SIGSTOP)
        assert flow.stdout.readline() == "unknown\n"
    finally:
        os.kill(stopped, signal.SIGCONT)
        end_flow(flow)


def test_the_live_view_of_1944_nodes_takes_150_kb_from_the_first_visit(admin):
    out = run_flow(admin.url, "open_a_large_cluster_slowly", token=admin.token, cluster="wide",
                   nodes="1,944 nodes", bytesMax=150_000)
    print("at 3 Mbit/s:", out)


def test_a_change_in_a_large_cluster_is_shown(admin):
    print(run_flow(admin.url, "time_changes", token=admin.token, cluster="wide", node="wide",
                   rounds=6))


def test_a_cluster_of_1944_nodes_is_shown_within_its_bytes(admin):
    run_flow(admin.url, "scroll_a_large_cluster", token=admin.token, cluster="wide",
             last="vm-wide-1942")


def test_the_keyboard_is_enough(admin):
    run_flow(admin.url, "use_the_keyboard_alone", person="pat", password=PASSWORD,
             cluster="amber")


@pytest.mark.parametrize("look", [
    {}, {"colorScheme": "dark"}, {"viewport": {"width": 360, "height": 740}}],
    ids=["light", "dark", "phone"])
def test_axe_finds_nothing(operator, admin, look):
    powered = admin.ask("POST", "/v2/clusters/amber/nodes/amber/power", data='{"action": "on"}')
    assert powered.status_code == 202, powered.text
    sets = operator.get("/v2/computesets")["computesets"]
    pages = {"clusters": "amber", "clusters/amber": "vm-amber-00", "clusters/wide": "vm-wide-0001",
             "clusters/amber/computesets": "Ends", "clusters/amber/network": "Last checked",
             "clusters/amber/overhead": "not measured", "clusters/amber/start": "Price",
             "clusters/amber/nodes/amber": "Timeline", "computesets": "Notify me",
             "consoles": "No console is open", "recordings": "Recordings",
             "consoles/class/amber": "active node",
             "processes": "Processes of the head", "images": "Images", "usage": "Charged",
             "account": "Tokens", "hosts": "sim-0001", "hosts/sim-0001": "Heartbeat",
             "queue": "Queue", "events": "Events", "people": "pat", "nonsense": "no such page"}
    if sets:
        pages[f"computesets/{sets[0]['computeset_id']}"] = "Walltime"
    paths = [["/#/" + path, text] for path, text in pages.items()] + [["/docs/", "GET"]]
    run_flow(operator.url, "pass_axe", token=operator.token, pages=paths, options=look)


@pytest.fixture(name="cookie")
def cookie_fixture(admin):
    """A session's cookie, as a browser has it after a sign-in."""
    answer = session_of().post(admin.url + "/v2/session", json={"token": admin.token},
                               headers={"Origin": admin.url})
    assert answer.status_code == 201, answer.text
    return answer.headers["Set-Cookie"].split(";")[0]


def ask_with(admin, method, path, cookie, **headers):
    return session_of().request(method, admin.url + path, headers={"Cookie": cookie, **headers})


@pytest.mark.parametrize("origin", [None, "null", "http://127.0.0.1:1", "https://evil.example"])
def test_a_request_that_another_site_causes_changes_nothing(admin, cookie, origin):
    headers = {"Origin": origin} if origin else {}
    before = admin.get("/v2/clusters")
    for method, path in (("POST", "/v2/clusters"), ("DELETE", "/v2/clusters/amber"),
                         ("PATCH", "/v2/clusters/amber"), ("PUT", "/v2/images/demo/x?format=raw"),
                         ("DELETE", "/v2/session")):
        refused = ask_with(admin, method, path, cookie, **headers)
        assert refused.status_code == 403, (method, path, refused.text)
        assert "Access-Control-Allow-Origin" not in refused.headers
    assert admin.get("/v2/clusters") == before
    assert ask_with(admin, "GET", "/v2/me", cookie).status_code == 200


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_another_site_signs_nobody_in(admin, origin):
    headers = {"Origin": origin} if origin else {}
    refused = session_of().post(admin.url + "/v2/session", json={"token": admin.token},
                                headers=headers)
    assert refused.status_code == 403
    assert "Set-Cookie" not in refused.headers


def test_another_site_opens_no_stream(admin, cookie):
    async def status_of(origin):
        try:
            async with websockets.connect(
                    admin.url.replace("http", "ws", 1) + "/v2/events", origin=origin,
                    extra_headers={"Cookie": cookie}):
                return 101
        except websockets.InvalidStatusCode as refused:
            return refused.status_code

    assert asyncio.run(status_of("https://evil.example")) == 403
    assert asyncio.run(status_of(None)) == 403
    assert asyncio.run(status_of(admin.url)) == 101


def test_the_cookie_counts_for_the_native_api_alone(admin, cookie):
    for path in ("/v1/cluster/", "/api/v1/account/projects"):
        assert ask_with(admin, "GET", path, cookie).status_code == 401, path


def test_a_session_ends_with_its_sign_out_and_with_the_token_it_came_from(admin, cookie):
    assert ask_with(admin, "DELETE", "/v2/session", cookie, Origin=admin.url).status_code == 204
    assert ask_with(admin, "GET", "/v2/me", cookie).status_code == 401
    made = admin.ask("POST", "/v2/me/tokens", data="{}").json()
    opened = session_of().post(admin.url + "/v2/session", json={"token": made["token"]},
                               headers={"Origin": admin.url})
    again = opened.headers["Set-Cookie"].split(";")[0]
    assert ask_with(admin, "GET", "/v2/me", again).status_code == 200
    assert admin.ask("DELETE", "/v2/me/tokens/" + made["token_id"]).status_code == 204
    assert ask_with(admin, "GET", "/v2/me", again).status_code == 401


def test_a_session_has_no_more_rights_than_its_token(admin):
    made = admin.ask("POST", "/v2/me/tokens", data='{"rights": ["read"]}').json()
    opened = session_of().post(admin.url + "/v2/session", json={"token": made["token"]},
                               headers={"Origin": admin.url})
    cookie = opened.headers["Set-Cookie"].split(";")[0]
    assert ask_with(admin, "GET", "/v2/me", cookie).json()["rights"] == ["read"]
    refused = ask_with(admin, "DELETE", "/v2/clusters/amber", cookie, Origin=admin.url)
    assert refused.status_code == 403


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"token": 1}', '{"token": ""}',
                                  '{"person_id": "pat"}', '{"token": "x", "password": "y"}',
                                  '{"person_id": "pat", "password": "wrong", "more": 1}'])
def test_a_malformed_sign_in_is_refused(admin, body):
    refused = session_of().post(admin.url + "/v2/session", data=body,
                                headers={"Origin": admin.url})
    assert refused.status_code in (400, 401), refused.text
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize("path", ["/", "/console/", "/docs/"])
def test_pages_have_strict_headers(admin, path):
    headers = session_of().get(admin.url + path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy and "*" not in policy
    (connect,) = re.findall(r"connect-src ([^;]+)", policy)
    allowed = connect.split()
    assert allowed[0] == "'self'" and len(allowed) == 4, connect
    assert [one.split("://")[0] for one in allowed[1:]] == ["ws", "ws", "http"], connect
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_pages_are_checked_and_modules_kept_by_the_browser(admin):
    page = session_of().get(admin.url + "/")
    assert page.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": page.headers["ETag"]}
    assert session_of().get(admin.url + "/", headers=known).status_code == 304
    module = re.search(r'src="(/portal/[0-9a-f]{16}/main.js)"', page.text)[1]
    packed = session_of().get(admin.url + module, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "immutable" in packed.headers["Cache-Control"]
    plain = session_of().get(admin.url + module, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.raw.read()) == plain.content
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_long_answers_are_packed_for_clients_that_accept_it(admin):
    url = "/v2/clusters/wide/nodes?limit=1000"
    packed = admin.ask("GET", url)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    plain = admin.ask("GET", url, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"
    assert plain.json() == packed.json()
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 5
    for answer in (packed, plain):
        known = {"If-None-Match": answer.headers["ETag"]}
        encoding = {"Accept-Encoding": "gzip" if answer is packed else "identity"}
        again = admin.ask("GET", url, headers={**known, **encoding})
        assert again.status_code == 304, answer.headers
    assert packed.headers["ETag"] == plain.headers["ETag"][:-1] + '.gz"'
    small = admin.ask("GET", "/v2/clusters/jade?fields=cluster_id")
    assert small.status_code == 200 and "Content-Encoding" not in small.headers


@pytest.mark.parametrize("path", [
    "/portal/x/main.js", "/portal/../openapi.json", "/portal/%2e%2e/x",
    "/portal/x/..%2f..%2fetc/passwd", "/portal/x/y/z"])
def test_other_files_are_not_served(admin, path):
    with admin.connect() as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert line.recv(65536).split()[1] in (b"404", b"400")


def test_a_recording_is_played_downloaded_and_deleted(site, admin):
    plant(site, admin, "demo", "amber", "amber", [(0.1, "hello "), (600, "world")])
    run_flow(admin.url, "play_and_delete_a_recording", token=admin.token, node="amber")


def test_a_serial_console_is_typed_in_and_answers(machines):
    url = machines.env["NUCLEUS_URL"]
    run_flow(url, "type_in_a_console", token=machines.env["NUCLEUS_TOKEN"], cluster="left",
             node="vm-left-00")
    answer = machines.rest.ask("GET", "/nucleus/v1/cluster/left/compute/vm-left-00/console/")
    assert answer.status_code == 303, answer.text
    run_flow(url, "use_a_console_link", link=answer.headers["Location"])


def test_a_screen_is_watched_and_typed_at(machines):
    """The guest draws on its first virtual terminal, and reads the keys from there."""
    with Guest(machines.rest, "left", "vm-left-00") as guest:
        flow = begin_flow(machines.env["NUCLEUS_URL"], "watch_and_use_a_screen",
                          token=machines.env["NUCLEUS_TOKEN"], cluster="left", node="vm-left-00")
        try:
            assert flow.stdout.readline() == "draw\n"
            guest.run("(seq 500 > /dev/tty1; head -n 1 /dev/tty1 > /tmp/keys) & true")
            assert flow.stdout.readline() == "typed\n"
            wait_until(lambda: guest.run("cat /tmp/keys").strip() == "typed", "the keys", 60)
        finally:
            end_flow(flow)


def test_a_trainer_sees_the_screens_of_a_class(machines):
    run_flow(machines.env["NUCLEUS_URL"], "see_the_class", token=machines.env["NUCLEUS_TOKEN"],
             cluster="left", node="vm-left-00")


def test_an_idle_computeset_says_since_when(tiny_guest):
    with a_deployment(settings={"NUCLEUS_SCHEDULER_IDLE_NOTICE_S": 12,
                                "NUCLEUS_PROVISIONER_USAGE_MS": 1000}) as deployment:
        machines = Machines(deployment, tiny_guest)
        machines.create("c", 1)
        number = machines.rest.start("c", count=1)
        run_flow(machines.rest.url, "see_an_idle_computeset", token=machines.rest.token,
                 computeset=number)


def test_the_pictures_of_the_pages_are_made(admin, tmp_path):
    install_tools()
    ran = subprocess.run([ROOT / "portal" / "screenshots", admin.url, admin.token, tmp_path,
                          "clusters"], text=True, capture_output=True,
                         env={**os.environ, "NUCLEUS_BUILD": str(BIN.parent)})
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    assert len(list(tmp_path.glob("*.png"))) == 6
