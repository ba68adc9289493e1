"""Runs Debian's Alertmanager on the loopback address, and a receiver of its webhooks."""
import http.server
import json
import subprocess
import threading

import yaml

from conftest import free_port
from http_client import http_get


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what arrives: (path, alert, process, status) of each alert."""

    def __init__(self):
        received = self.received = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    labels = alert["labels"]
                    received.add((self.path, labels["alertname"], labels.get("process"),
                                  alert["status"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Alertmanager:
    """Runs `config`, a file of monitoring/, with webhooks to a receiver and without its delays."""

    def __init__(self, folder, config):
        self.receiver = Receiver()
        settings = yaml.safe_load(config.read_text())
        for route in (settings["route"], *settings["route"]["routes"]):
            route.update(group_wait="1s", group_interval="1s")
        for receiver in settings["receivers"]:
            for webhook in receiver["webhook_configs"]:
                path = webhook["url"].rsplit("/", 1)[1]
                webhook["url"] = f"http://127.0.0.1:{self.receiver.server_port}/{path}"
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(settings))
        self.address = f"127.0.0.1:{free_port()}"
        self.log = (folder / "alertmanager.log").open("w")
        self.process = subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml",
             f"--storage.path={folder}/alertmanager", f"--web.listen-address={self.address}",
             "--cluster.listen-address=", "--log.level=warn"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def is_ready(self):
        return http_get(f"http://{self.address}/-/ready")[0] == 200

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        self.receiver.shutdown()
        self.receiver.server_close()
