"""REST v1 with each kind of credential."""
import base64
import email.utils
import hashlib
import hmac
import json
import secrets
import subprocess
import time

import pytest
import requests

from conftest import BIN, a_deployment, session_of, wait_until
from http_client import operator_of

PASSWORD = "correct horse battery"
NAME_BYTES_MAX = 256
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
STRICT = "(request-target) host date digest"


def hmac_base64(secret, text):
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()


class Signed(requests.auth.AuthBase):
    """Signs the headers in `names`, as the old client did or strictly."""

    def __init__(self, key, names="nonce timestamp", **headers):
        self.key, self.names, self.headers = key, names, headers

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        sent = {"X-Api-Key": self.key["key_name"], "timestamp": str(int(time.time())),
                "nonce": "".join(secrets.choice(LETTERS) for _ in range(10)),
                "Date": email.utils.formatdate(usegmt=True), "Digest": "SHA-256=" + digest,
                "Host": request.url.split("/")[2], **self.headers}
        target = request.method.lower() + " " + request.path_url
        values = {name.lower(): value for name, value in sent.items()}
        text = "\n".join(f"{name}: {target if name == '(request-target)' else values[name]}"
                         for name in self.names.split())
        request.headers.update(sent)
        request.headers["Authorization"] = (
            f'Signature keyId="",algorithm="hmac-sha256",'
            f'signature="{hmac_base64(self.key["key"], text)}",headers="{self.names}"')
        return request


class Site:
    """A deployment and one person of it, with each kind of credential."""

    def __init__(self, deployment):
        self.deployment = deployment
        deployment.nucleus("cluster", "create", "vc1", "--computes", "2")
        first = deployment.add_person("ada", "demo")
        self.base = deployment.env()["NUCLEUS_URL"] + "/nucleus"
        self.session = session_of()
        body = {"new_password1": PASSWORD, "new_password2": PASSWORD}
        self.ask("POST", "/rest-auth/password/change/", json=body,
                 headers={"Authorization": "Token " + first}).raise_for_status()
        self.key = self.ask("GET", "/getkey", auth=("ada", PASSWORD),
                            headers={"Accept": "application/json"}).json()

    def ask(self, method, path, **more):
        return self.session.request(method, self.base + path, timeout=60, **more)

    def login(self):
        reply = self.ask("POST", "/rest-auth/login/",
                        json={"username": "ada", "password": PASSWORD})
        return {"Authorization": "Token " + reply.json()["key"]}


@pytest.fixture(name="site", scope="module")
def site_fixture():
    with a_deployment("--simulated", "--hosts", "4") as deployment:
        yield Site(deployment)


def test_the_documented_signature_is_computed():
    text = "nonce: ABC123DEF4\ntimestamp: 1467000000"
    assert hmac_base64("REALAPISECRET", text) == "HqLrfpWGk8e6/jjw7OyrjRvCAP30ym4c0UiRXqhsQ0M="


def test_token_basic_and_signature_name_the_same_person(site):
    for who in ({"headers": site.login()}, {"auth": ("ada", PASSWORD)},
                {"auth": Signed(site.key)}, {"auth": Signed(site.key, STRICT)},
                {"auth": Signed(site.key, "nonce timestamp " + STRICT)}):
        reply = site.ask("GET", "/v1/user", **who)
        assert reply.status_code == 200, reply.text
        assert reply.json()["username"] == "ada"


def test_an_api_key_client_follows_its_computeset(site):
    made = site.ask("POST", "/v1/computeset/", json={"cluster": "vc1", "count": "1"},
                    auth=Signed(site.key))
    assert made.status_code == 201, made.text
    # The old client follows Location without a slash, with a new nonce, which no redirect uses up.
    reply = site.session.get(made.headers["Location"], auth=Signed(site.key), timeout=60)
    assert [past.status_code for past in reply.history] == [301]
    assert reply.status_code == 200 and reply.json()["id"] == made.json()["id"]
    path = f"/v1/computeset/{made.json()['id']}"
    wait_until(lambda: site.ask("GET", path + "/", auth=Signed(site.key)).json()["state"]
               == "running", "the computeset running")
    ended = site.ask("PUT", path + "/poweroff", data="null", auth=Signed(site.key),
                     headers={"Content-Type": "application/json"})
    assert ended.status_code == 204 and ended.text == ""


def test_a_nonce_is_accepted_once_and_a_clock_may_be_off_by_half_an_hour(site):
    def ask(**headers):
        return site.ask("GET", "/v1/project", auth=Signed(site.key, **headers))

    assert ask(nonce="SAMENONCE1").status_code == 200
    again = ask(nonce="SAMENONCE1")
    assert (again.status_code, again.json()) == (401, {"detail": "Nonce check failed"})
    for off in (-1700, 1700):
        assert ask(timestamp=str(int(time.time()) + off)).status_code == 200
    for off in (-1900, 1900):
        assert ask(timestamp=str(int(time.time()) + off)).status_code == 401
    for bad in ("", "x", "1e9", "99999999999999999999", "-1"):
        assert ask(timestamp=bad).status_code == 401
    assert ask(nonce="").status_code == 401
    wrong = Signed({**site.key, "key": "A" * 24})
    assert site.ask("GET", "/v1/project", auth=wrong).status_code == 401
    nobody = Signed({**site.key, "key_name": "nobody"})
    assert site.ask("GET", "/v1/project", auth=nobody).status_code == 401
    assert site.ask("GET", "/v1/project", auth=Signed(site.key, "nonce")).status_code == 401


def test_a_strict_signature_is_valid_for_its_own_request_only(site):
    class Tampered(Signed):
        """Signs one request and sends another."""

        def __call__(self, request):
            request = super().__call__(request)
            if self.what == "path":
                request.url = request.url.replace("/v1/user", "/rest-auth/user/")
            if self.what == "method":
                request.method = "PUT"
            if self.what == "body":
                request.body = b'{"last_name": "Eve"}'
                request.headers["Content-Length"] = str(len(request.body))
            return request

    for what in ("path", "method", "body"):
        auth = Tampered(site.key, STRICT)
        auth.what = what
        reply = site.ask("PATCH", "/v1/user", json={"last_name": "Ada"}, auth=auth)
        assert reply.status_code == 401, what
    kept = site.ask("GET", "/v1/user", auth=Signed(site.key, "nonce timestamp " + STRICT))
    assert kept.json()["last_name"] == ""
    fixed = email.utils.formatdate(usegmt=True)
    once = [site.ask("GET", "/v1/image", auth=Signed(site.key, STRICT, Date=fixed)).status_code
            for _ in range(2)]
    assert once == [200, 401]
    old = email.utils.formatdate(time.time() - 1900, usegmt=True)
    for date in (old, "yesterday", ""):
        reply = site.ask("GET", "/v1/image", auth=Signed(site.key, STRICT, Date=date))
        assert reply.status_code == 401


def test_revoked_tokens_are_refused_immediately(site):
    first, second = site.login(), site.login()
    assert site.ask("GET", "/v1/user", headers=first).status_code == 200
    assert site.ask("POST", "/rest-auth/logout/", headers=first).status_code == 200
    whole = second["Authorization"]
    jwt = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=") + ".e30."
    for sent in (first["Authorization"], whole[:-1], whole + "0", whole.upper(), "Token " + jwt,
                 "Bearer " + jwt, "Token", "Token  ", "Basic " + jwt):
        reply = site.ask("GET", "/v1/user", headers={"Authorization": sent})
        assert reply.status_code == 401, sent
    assert site.ask("GET", "/v1/user", headers=second).status_code == 200


def test_the_case_of_an_authentication_scheme_does_not_matter(site):
    token = site.login()["Authorization"].split()[1]
    basic = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    for sent in [scheme + " " + token for scheme in ("token", "TOKEN", "bearer", "Bearer")] + [
            scheme + " " + basic for scheme in ("basic", "BASIC", "Basic")]:
        reply = site.ask("GET", "/v1/user", headers={"Authorization": sent})
        assert reply.status_code == 200, sent


def test_the_texts_of_a_person_have_bounds(site):
    token = site.login()
    for field in ("first_name", "last_name"):
        for length, status in ((0, 200), (NAME_BYTES_MAX, 200), (NAME_BYTES_MAX + 1, 400)):
            reply = site.ask("PUT", "/v1/user", headers=token, json={field: "x" * length})
            assert reply.status_code == status, (field, length, reply.text)
            assert status == 200 or field in reply.text
        two_bytes_each = "é" * (NAME_BYTES_MAX // 2 + 1)
        reply = site.ask("PUT", "/v1/user", headers=token, json={field: two_bytes_each})
        assert reply.status_code == 400, (field, reply.text)
    for length in (7, 129):
        body = {"new_password1": "x" * length, "new_password2": "x" * length}
        reply = site.ask("POST", "/rest-auth/password/change/", headers=token, json=body)
        assert reply.status_code == 400 and "password" in reply.text, (length, reply.text)
    for length in (8, 128, len(PASSWORD)):
        new = PASSWORD if length == len(PASSWORD) else "x" * length
        reply = site.ask("POST", "/rest-auth/password/change/", headers=token,
                         json={"new_password1": new, "new_password2": new})
        assert reply.status_code == 200, (length, reply.text)
        reply = site.ask("POST", "/rest-auth/login/", json={"username": "ada", "password": new})
        token = {"Authorization": "Token " + reply.json()["key"]}


ID_MAX = 64  # characters of a name


def test_every_name_may_have_64_characters_and_no_more(site):
    token = site.login()
    longest, longer = "k" * ID_MAX, "k" * (ID_MAX + 1)
    site.deployment.nucleus("cluster", "create", longest, "--computes", "0")
    reply = site.ask("GET", f"/v1/cluster/{longest}/", headers=token)
    assert reply.status_code == 200, reply.text
    # The name of a compute contains that of its cluster: vm-CLUSTER-00.
    with_computes = "k" * (ID_MAX - len("vm--00"))
    for name, code in ((with_computes + "k", 2), (with_computes, 0)):
        made = site.deployment.nucleus("cluster", "create", name, "--computes", "1", check=False)
        assert made.returncode == code, made
    operator = operator_of(site.deployment)
    for name, status in ((longest, 200), (longer, 400)):
        made = operator.ask("PUT", "/v2/allocations/" + name, json={"project_id": "demo"})
        assert made.status_code == status, made.text
    changed = operator.ask("PATCH", "/v2/clusters/" + with_computes,
                           json={"allocations": [longest]})
    assert changed.status_code == 200, changed.text
    cluster = "/v1/cluster/" + with_computes
    node = site.ask("GET", cluster + "/", headers=token).json()["computes"][0]["name"]

    def rename(before, after):
        return site.ask("POST", f"{cluster}/compute/{before}/rename", headers=token,
                        json={"name": after})

    refused = rename(node, longer)
    assert refused.status_code == 400 and "name" in refused.text, refused.text
    node, before = "n" * ID_MAX, node
    assert rename(before, node).status_code == 204

    def start(**fields):
        body = {"cluster": with_computes, "computes": node, "allocation": longest, **fields}
        return site.ask("POST", "/v1/computeset/", headers=token, json=body)

    for field, value, named in (
            ("cluster", longer, "Not found."), ("computes", longer, "compute"),
            ("computes", [longer], "compute"), ("allocation", longer, "Allocation"),
            ("hosts", longer, "host"), ("hosts", [longest], "host"),
            ("reservation", "r", "reserv")):
        refused = start(**{field: value})
        assert refused.status_code in (400, 404) and named in refused.text, (field, refused.text)
    assert start().status_code == 201

    iso = bytes(16 * 2048) + b"\x01CD001\x01" + bytes(2041) + b"\xffCD001\x01" + bytes(2041)
    for name, status in ((longer, 400), (longest, 204)):
        sent = site.ask("POST", "/v1/image", files={"file": (name, iso)},
                        headers={**token, "md5": hashlib.md5(iso).hexdigest()})
        assert sent.status_code == status and (status == 204 or "name" in sent.text), sent.text
    wait_until(lambda: "demo/" + longest in site.ask("GET", "/v1/image", headers=token).json(),
               "the image is listed")
    for name, status in ((longer, 400), (longest, 204)):
        put = site.ask("PUT", f"{cluster}/frontend/attach_iso", headers=token,
                       params={"iso_name": "public/" + name})
        assert put.status_code == status and (status == 204 or "ISO" in put.text), put.text

    for path in (f"/v1/cluster/{longer}/", f"{cluster}/compute/{longer}/"):
        assert site.ask("GET", path, headers=token).status_code == 404
    assert site.ask("GET", f"{cluster}/compute/{node}/", headers=token).status_code == 200
    for username in (longest, longer):
        reply = site.ask("POST", "/rest-auth/login/",
                         json={"username": username, "password": PASSWORD})
        assert reply.status_code == 400 and "non_field_errors" in reply.text, reply.text


def test_a_password_may_have_the_form_of_a_token(site):
    password = "0123456789abcdef0123456789abcdef01234567"
    site.deployment.nucleus("person", "create", "hex", "--project", "demo")
    subprocess.run([BIN / "nucleus", "person", "password", "hex", "--state", site.deployment.state],
                   input=password + "\n", text=True, check=True, timeout=60)
    for right, status in ((password, 200), (password[:-1] + "8", 401)):
        reply = site.ask("GET", "/v1/cluster/vc1/", auth=("hex", right))
        assert reply.status_code == status, reply.text
    as_token = site.ask("GET", "/v1/cluster/vc1/", headers={"Authorization": "Token " + password})
    assert as_token.status_code == 401
    site.deployment.nucleus("person", "remove", "hex")


def test_the_operator_sets_a_password_lists_people_and_removes_them(site):
    nucleus = site.deployment.nucleus
    nucleus("person", "create", "ro", "--project", "demo", "--role", "read_only")
    subprocess.run([BIN / "nucleus", "person", "password", "ro", "--state", site.deployment.state],
                   input=PASSWORD + "\n", text=True, check=True, timeout=60)
    who = {"auth": ("ro", PASSWORD)}
    assert site.ask("GET", "/v1/cluster/vc1/", **who).status_code == 200
    for method, path in (("PUT", "/v1/cluster/vc1/frontend/poweron"),
                         ("DELETE", "/v1/cluster/vc1/"),
                         ("POST", "/v1/cluster/vc1/compute/vm-vc1-00/rename"),
                         ("GET", "/v1/cluster/vc1/frontend/console/")):
        assert site.ask(method, path, **who).status_code == 403, path
    assert "read_only" in nucleus("person", "list").stdout
    nucleus("person", "remove", "ro")
    assert site.ask("GET", "/v1/cluster/vc1/", **who).status_code == 401
    assert "read_only" not in nucleus("person", "list").stdout


DEEP = 100_000
BODIES = [
    "", "null", "[]", "7", '{"cluster":"vc1","cluster":"vc1","count":1}',
    '{"cluster":"vc1","count":1,"x":{"a":1,"a":2}}', '{"cluster":"vc1","count":1e999999}',
    "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, b'{"cluster":"\xff\xfe"}', b'{"cluster":"vc1\x00"}',
    '{"cluster":"vc1","count":1}x', '{"cluster":"vc1","count":NaN}', "{'cluster':'vc1'}",
    '{"cluster":"vc1","count":01}', '{"cluster":"\\ud800","count":1}',
    json.dumps({str(n): n for n in range(70_000)})]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_malformed_body_starts_nothing(site, body):
    before = site.ask("GET", "/v1/computeset/", auth=("ada", PASSWORD)).json()
    reply = site.ask("POST", "/v1/computeset/", data=body, auth=("ada", PASSWORD))
    assert reply.status_code in (400, 413), reply.text
    assert reply.headers["Content-Type"] == "application/json"
    assert site.ask("GET", "/v1/computeset/", auth=("ada", PASSWORD)).json() == before
