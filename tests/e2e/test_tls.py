"""TLS of the gateway and the console, with certificates of a test CA and clients with and without
its certificate."""
import hashlib
import json
import pathlib
import signal
import socket
import ssl
import subprocess

import pytest
import yaml

from conftest import BIN, Machines, a_deployment, free_port, wait_until
from console import Viewer, ticket_for
from shell import read_until

TIMEOUT_S = 30


def openssl(*words, folder):
    ran = subprocess.run(["openssl", *words], cwd=folder, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stderr


class Authority:
    """A CA in a folder, and the certificate and key of a deployment."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca, self.certificate, self.key = (self.folder / name
                                               for name in ("ca.pem", "site.pem", "site.key"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem",
                folder=folder)

    def issue(self, names="IP:127.0.0.1", certificate="site.pem", key="site.key"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=site", "-keyout", key, "-out", "site.csr", folder=self.folder)
        (self.folder / "names").write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", "site.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days",
                "1", "-extfile", "names", "-out", certificate, folder=self.folder)

    def options(self):
        return ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key), "--tls-ca",
                str(self.ca))


class Site:
    def __init__(self, deployment, authority):
        self.deployment, self.authority = deployment, authority
        self.env = deployment.env()
        self.url = self.env["NUCLEUS_URL"]
        self.port = int(self.url.rpartition(":")[2])
        self.token = "Authorization: Token " + self.env["NUCLEUS_TOKEN"]

    def curl(self, path, *more, ca=None, url=None):
        words = ["curl", "-sS", "--noproxy", "*", "--max-time", str(TIMEOUT_S), "--cacert",
                 ca or self.authority.ca, "-H", self.token, *more, (url or self.url) + path]
        return subprocess.run(words, text=True, capture_output=True)

    def hang_up(self, name="gateway"):
        """Sends SIGHUP; the line that the process logs."""
        log = self.deployment.state / "logs" / f"{name}.log"
        seen = len(log.read_text())
        pid = self.deployment.pids()[name]
        subprocess.run(["kill", "-HUP", str(pid)], check=True)
        return wait_until(lambda: next((line for line in log.read_text()[seen:].splitlines()
                                        if " certificate_" in line), None), "the log of SIGHUP")

    def shown(self, port=None):
        """The SHA-256 of the certificate that a new connection gets."""
        context = ssl.create_default_context(cafile=self.authority.ca)
        with socket.create_connection(("127.0.0.1", port or self.port), TIMEOUT_S) as line:
            with context.wrap_socket(line, server_hostname="127.0.0.1") as secure:
                return hashlib.sha256(secure.getpeercert(binary_form=True)).hexdigest()


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    authority.issue()
    with a_deployment("--simulated", "--hosts", "2", *authority.options()) as deployment:
        deployment.nucleus("cluster", "create", "vc1", "--computes", "1")
        yield Site(deployment, authority)


def test_the_environment_names_the_https_url(site):
    assert site.url.startswith("https://127.0.0.1:")
    assert site.env["NUCLEUS_CA_FILE"] == str(site.authority.ca)
    assert site.deployment.status()["url"] == site.url


@pytest.mark.parametrize("path", ["/nucleus/v1/cluster/", "/v2/clusters", "/healthz"])
def test_curl_with_the_ca_gets_an_answer(site, path):
    answer = site.curl(path)
    assert answer.returncode == 0, answer.stderr
    json.loads(answer.stdout)


def test_redirects_use_https(site):
    answer = site.curl("/nucleus/v1/cluster", "-o", "/dev/null", "-w", "%{redirect_url}")
    assert answer.stdout == site.url + "/nucleus/v1/cluster/"


def test_a_body_after_100_continue_passes_through_tls(site):
    body = json.dumps({"name": "vm-vc1-00", "padding": "x" * 20_000})
    answer = site.curl("/nucleus/v1/cluster/vc1/compute/vm-vc1-00/rename", "-H",
                       "Expect: 100-continue", "-d", body, "-w", "%{http_code}")
    assert answer.stdout.endswith("204"), answer.stdout


def test_a_client_without_the_ca_rejects_the_certificate(site, tmp_path):
    answer = site.curl("/v2/clusters", ca=Authority(tmp_path).ca)
    assert answer.returncode == 60, answer.stderr  # curl: not verified
    assert answer.stdout == ""


def test_old_tls_is_refused(site):
    answer = site.curl("/healthz", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")
    assert answer.returncode == 35, (answer.returncode, answer.stderr)
    for version in ("1.2", "1.3"):
        assert site.curl("/healthz", "--tlsv" + version, "--tls-max", version).returncode == 0


def test_plain_http_to_the_tls_port_is_answered_with_400(site):
    answer = site.curl("/v2/clusters", "-w", " %{http_code}",
                       url=site.url.replace("https", "http"))
    assert answer.stdout == '{"detail":"this port requires TLS (https:// or wss://)"} 400'


def test_an_unfinished_handshake_is_disconnected(site):
    """Sends the first bytes of a handshake and waits until the server closes."""
    with socket.create_connection(("127.0.0.1", site.port), TIMEOUT_S) as line:
        line.sendall(b"\x16\x03\x01")
        assert line.recv(1) == b""


class EventStream:
    """curl on /v2/events, line by line."""

    def __init__(self, site):
        self.process = subprocess.Popen(
            ["curl", "-sSN", "--noproxy", "*", "--cacert", site.authority.ca, "-H", site.token,
             "-H", "Last-Event-ID: 0", site.url + "/v2/events"], text=True, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait_for(self, text):
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"the stream ended before {text}")


def test_renewal_serves_the_new_certificate_and_keeps_open_streams(site):
    before = site.shown()
    with EventStream(site) as events:
        events.wait_for('"cluster":"vc1"')
        site.authority.issue()
        line = site.hang_up()
        after = site.shown()
        assert after != before and f"certificate_in_force sha256={after}" in line
        site.deployment.nucleus("cluster", "create", "vc2", "--computes", "1")
        events.wait_for('"cluster":"vc2"')


def test_an_invalid_new_pair_keeps_the_old_one(site):
    before = site.shown()
    authority = site.authority
    sound = authority.certificate.read_bytes(), authority.key.read_bytes()
    authority.issue(certificate="other.pem", key="other.key")
    try:
        for certificate, key, reason in (
                (sound[0], (authority.folder / "other.key").read_bytes(), "is not the key of"),
                (b"no pem", sound[1], "not a certificate"),
                (sound[0], b"", "not a private key")):
            authority.certificate.write_bytes(certificate)
            authority.key.write_bytes(key)
            line = site.hang_up()
            assert "certificate_refused" in line and reason in line, line
            assert site.shown() == before
        authority.key.unlink()
        assert "No such file" in site.hang_up()
        assert site.shown() == before
    finally:
        authority.certificate.write_bytes(sound[0])
        authority.key.write_bytes(sound[1])
    assert "certificate_in_force" in site.hang_up()


def test_the_metric_has_the_expiry(site):
    page = site.curl("/metrics").stdout
    end = next(float(line.split()[1]) for line in page.splitlines()
               if line.startswith("nucleus_gateway_certificate_end_unix_seconds "))
    date = subprocess.run(["openssl", "x509", "-in", site.authority.certificate, "-noout",
                           "-enddate"], check=True, text=True, capture_output=True).stdout
    assert end == ssl.cert_time_to_seconds(date.strip().removeprefix("notAfter="))


def test_cm_trusts_the_ca_of_its_environment(site):
    cm = [BIN / "cm", "comet", "ll"]
    ran = subprocess.run(cm, env=site.env, text=True, capture_output=True)
    assert ran.returncode == 0 and "vc1" in ran.stdout, ran.stderr
    without = {name: value for name, value in site.env.items() if name != "NUCLEUS_CA_FILE"}
    ran = subprocess.run(cm, env=without, text=True, capture_output=True)
    assert ran.returncode == 1 and "certificate" in ran.stderr


def test_up_refuses_a_pair_that_does_not_match(site, make_deployment):
    site.authority.issue(certificate="other.pem", key="other.key")
    new = make_deployment("--simulated", "--tls-certificate", str(site.authority.certificate),
                          "--tls-key", str(site.authority.folder / "other.key"))
    refused = new.up(check=False)
    assert refused.returncode == 2 and "is not the key of" in refused.stderr
    assert new.pids() == {}


@pytest.mark.parametrize("wrong,reason", [
    ("server.key", "not a CA"), (".", "not a CA"), ("strange.pem", "did not issue")])
def test_up_refuses_a_ca_file_with_which_no_client_could_verify(site, make_deployment, tmp_path,
                                                               wrong, reason):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=strange",
            "-keyout", "server.key", "-out", "strange.pem", folder=tmp_path)
    new = make_deployment("--simulated", "--tls-certificate", str(site.authority.certificate),
                          "--tls-key", str(site.authority.key), "--tls-ca", str(tmp_path / wrong))
    refused = new.up(check=False)
    assert refused.returncode == 2 and reason in refused.stderr, refused.stderr
    assert new.pids() == {}


def test_a_self_signed_certificate_is_its_own_ca(tmp_path, make_deployment):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=site",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", "own.key", "-out", "own.pem",
            folder=tmp_path)
    new = make_deployment("--simulated", "--tls-certificate", str(tmp_path / "own.pem"),
                          "--tls-key", str(tmp_path / "own.key"))
    new.up()
    env = new.env()
    assert env["NUCLEUS_CA_FILE"] == str(tmp_path / "own.pem")
    # The certificate is for a name, so clients are given that name.
    assert env["NUCLEUS_URL"].startswith("https://localhost:")
    ran = subprocess.run([BIN / "cm", "comet", "ll"], env=env, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    new.down()
    new.nucleus("up", "--no-tls")
    assert new.env()["NUCLEUS_URL"].startswith("http://127.0.0.1:")
    assert "NUCLEUS_CA_FILE" not in new.env()


def test_a_console_is_reachable_over_wss(tmp_path, tiny_guest):
    authority = Authority(tmp_path)
    authority.issue()
    with a_deployment(*authority.options()) as deployment:
        machines = Machines(deployment, tiny_guest)
        for rest in (machines.rest, machines.operator):
            rest.session.verify = str(authority.ca)
        machines.boot("vc1", 0)
        machines.rest.wait_state("vc1", "active")
        ticket = ticket_for(machines.rest, "vc1", "vc1")
        assert ticket["url"].startswith("wss://127.0.0.1:")
        site = Site(deployment, authority)
        port = int(ticket["url"].removeprefix("wss://127.0.0.1:").removesuffix("/console"))
        with Viewer(ticket["url"], ticket["ticket"], ca=authority.ca) as viewer:
            viewer.read_until(b"vc1 login: ")
            # The console's certificate is renewed while a viewer is connected.
            before = site.shown(port)
            authority.issue()
            site.hang_up("console")
            assert site.shown(port) != before
            viewer.send(b"root\n")
            viewer.read_until(b"# ")
        plain = site.curl("/healthz", "-w", " %{http_code}", url=f"http://127.0.0.1:{port}")
        assert plain.stdout == '{"detail":"this port requires TLS (https:// or wss://)"} 400'


class OwnCa:
    """A node of a deployment with a CA of its own, and what `cm` shows of its console."""

    def __init__(self, machines):
        self.machines, self.deployment = machines, machines.deployment
        [node] = machines.rest.v2_nodes("vc1").values()
        [self.log] = self.deployment.state.glob(f"**/domains/{node['node_id']}.log")
        settings = yaml.safe_load((self.deployment.state / "config/console.yaml").read_text())
        self.pair = [pathlib.Path(settings["console.tls_" + part])
                     for part in ("certificate", "key")]

    def cm(self, **environment):
        """A reader from the first byte on."""
        return subprocess.Popen([BIN / "cm", "comet", "console", "vc1", "--from-start"],
                                env=self.machines.env | environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def refusal(self, **environment):
        """Of a reader that must show nothing."""
        with self.cm(**environment) as refused:
            shown, reason = refused.communicate(timeout=TIMEOUT_S)
        assert (refused.returncode, shown, reason.count(b"\n")) == (1, b"", 1), reason
        return reason.decode()


@pytest.fixture(name="own_ca", scope="module")
def own_ca_fixture(tiny_guest):
    with a_deployment("--listen", f"127.0.0.2:{free_port()}", "--console-listen",
                      f"127.0.0.3:{free_port()}") as deployment:
        machines = Machines(deployment, tiny_guest)
        for rest in (machines.rest, machines.operator):
            rest.session.verify = machines.env["NUCLEUS_CA_FILE"]
        machines.boot("vc1", 0)
        machines.rest.wait_state("vc1", "active")
        yield OwnCa(machines)


def test_cm_shows_a_console_over_wss(own_ca):
    assert ticket_for(own_ca.machines.rest, "vc1", "vc1")["url"].startswith("wss://127.0.0.3:")
    with own_ca.cm() as reader:
        seen = read_until(reader, b"vc1 login: ")
        reader.send_signal(signal.SIGINT)
        assert reader.wait(TIMEOUT_S) == 0
    assert own_ca.log.read_bytes().startswith(seen)


def test_cm_refuses_a_deployment_of_another_ca(own_ca, tmp_path):
    assert "certificate" in own_ca.refusal(NUCLEUS_CA_FILE=str(Authority(tmp_path).ca))


@pytest.mark.parametrize("names", ["IP:127.0.0.3", "IP:127.0.0.9"])
def test_cm_refuses_a_console_whose_certificate_is_not_the_deployments(own_ca, tmp_path, names):
    """The gateway is trusted; the console's port is another's, or has the certificate of another
    address."""
    other = Authority(tmp_path)
    other.issue(names)
    sound = [file.read_bytes() for file in own_ca.pair]
    trusted = tmp_path / "both.pem"
    trusted.write_bytes(pathlib.Path(own_ca.machines.env["NUCLEUS_CA_FILE"]).read_bytes()
                        + (other.ca.read_bytes() if names.endswith("9") else b""))
    site = Site(own_ca.deployment, other)
    try:
        for file, new in zip(own_ca.pair, (other.certificate, other.key)):
            file.write_bytes(new.read_bytes())
        assert "certificate_in_force" in site.hang_up("console")
        reason = own_ca.refusal(NUCLEUS_CA_FILE=str(trusted))
        assert "127.0.0.3:" in reason and "certificate verify failed" in reason, reason
    finally:
        for file, old in zip(own_ca.pair, sound):
            file.write_bytes(old)
        site.hang_up("console")


@pytest.fixture(name="own", scope="module")
def own_fixture():
    """Listens on addresses that are not the default one, without a certificate."""
    with a_deployment("--simulated", "--listen", f"127.0.0.2:{free_port()}", "--console-listen",
                      f"127.0.0.3:{free_port()}") as deployment:
        yield deployment


def test_an_address_for_others_is_served_with_the_deployments_own_ca(own):
    env = own.env()
    assert env["NUCLEUS_URL"].startswith("https://127.0.0.2:")
    port = int(env["NUCLEUS_URL"].rpartition(":")[2])
    context = ssl.create_default_context(cafile=env["NUCLEUS_CA_FILE"])
    for name in ("127.0.0.2", "127.0.0.3", "127.0.0.1", "localhost"):
        with socket.create_connection(("127.0.0.2", port), TIMEOUT_S) as line:
            with context.wrap_socket(line, server_hostname=name) as secure:
                assert secure.getpeercert()["issuer"] != secure.getpeercert()["subject"]
    listed = subprocess.run([BIN / "cm", "comet", "ll"], env=env, text=True, capture_output=True)
    assert listed.returncode == 0, listed.stderr
    settings = yaml.safe_load((own.state / "config/console.yaml").read_text())
    assert settings["console.public_url"].startswith("wss://127.0.0.3:")
    for key in ("ca.key", "head.key"):
        assert (own.state / "tls" / key).stat().st_mode & 0o777 == 0o600


def test_no_tls_serves_http_on_that_address_until_the_next_listen(own):
    own.down()
    own.nucleus("up", "--no-tls")
    assert own.env()["NUCLEUS_URL"].startswith("http://127.0.0.2:")
    own.down()
    own.nucleus("up")
    assert own.env()["NUCLEUS_URL"].startswith("http://127.0.0.2:")
    own.down()
    own.up()
    assert own.env()["NUCLEUS_URL"].startswith("https://127.0.0.2:")
