"""Reads the same bytes from Nucleus and from nginx with wrk, alternating."""
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

from support.figures import judge, p50, show_load

CONFIG = """worker_processes 1; daemon off; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000;
  default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@contextlib.contextmanager
def nginx(body):
    """Serves these bytes from a file; yields the URL and the pid of the worker."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nb-", dir="/tmp"))
    folder.chmod(0o755)  # the worker runs as another user
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "www").mkdir()
    (folder / "www" / "same.json").write_bytes(body)
    (folder / "conf").write_text(CONFIG.format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", folder / "conf"]) as server:
        try:
            until = time.monotonic() + 20
            while read(f"127.0.0.1:{port}", "/same.json", None) != body:
                if time.monotonic() > until:
                    raise RuntimeError("nginx does not serve the file")
            children = f"/proc/{server.pid}/task/{server.pid}/children"
            worker = int(pathlib.Path(children).read_text().split()[0])
            yield f"http://127.0.0.1:{port}/same.json", worker
        finally:
            server.terminate()
    shutil.rmtree(folder)


def read(address, path, token):
    """The body of one response; None if nothing listens yet."""
    connection = http.client.HTTPConnection(address, timeout=20)
    headers = {"Authorization": f"Token {token}"} if token else {}
    with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return answer.read()
    return None


def wrk(url, seconds, token=None):
    """Requests per second, and the 99th percentile in seconds."""
    header = ["-H", f"Authorization: Token {token}"] if token else []
    told = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", *header, url],
                          check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", told)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]),
            float(late[1]) * UNITS_S[late[2]])


def cpu_seconds(pid):
    words = (pathlib.Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def load(url, pid, seconds, token=None):
    """Requests per second, the 99th percentile, and the server's CPU seconds for each response."""
    before = cpu_seconds(pid)
    rate, late = wrk(url, seconds, token)
    return rate, late, (cpu_seconds(pid) - before) / (rate * seconds)


def compare(nucleus, path, rounds, seconds):
    """Prints both; returns A / B of the medians of requests per second and of 99th percentiles."""
    token = nucleus.env["NUCLEUS_TOKEN"]
    gateway = int((nucleus.state / "pids" / "gateway").read_text())
    body = read(nucleus.address, path, token)
    ours, theirs = [], []
    with nginx(body) as (baseline, worker):
        for i in range(rounds + 1):
            pair = (load(nucleus.env["NUCLEUS_URL"] + path, gateway, seconds, token),
                    load(baseline, worker, seconds))
            if i > 0:  # the first round is a warm-up
                ours.append(pair[0])
                theirs.append(pair[1])
    for name, runs in ((f"GET {path} (A)", ours), ("nginx, the same bytes (B)", theirs)):
        print(f"  {name:<50} {p50([r[0] for r in runs]):>8.0f}/s   "
              f"p99 {p50([r[1] for r in runs]) * 1000:>8.1f} ms   "
              f"CPU {p50([r[2] for r in runs]) * 1e6:>6.1f} us   n {len(runs)}")
    print(f"  {len(body)} bytes; CPU time of A / B for each response: "
          f"{p50([r[2] for r in ours]) / p50([r[2] for r in theirs]):.2f}")
    return (p50([r[0] for r in ours]) / p50([r[0] for r in theirs]),
            p50([r[1] for r in ours]) / p50([r[1] for r in theirs]))


def judge_rate(share, goal):
    judge(f"at least {goal} times the rate of nginx", -share, -goal, f"{share:.4f} times")
    show_load()
