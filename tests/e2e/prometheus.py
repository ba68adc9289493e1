"""Runs Debian's Prometheus on the loopback address, in a folder of its own."""
import json
import subprocess
import urllib.parse

import yaml

from http_client import http_get


class Prometheus:
    """Runs `config`, a file of monitoring/, with scrapes every second. `discovery` replaces where
    that file finds the targets. Alerts with `for: 30s` get
    `for: 2s`; those with longer times are about speed and stay unchanged."""

    def __init__(self, folder, port, config, discovery, alertmanager):
        self.url = f"http://127.0.0.1:{port}"
        settings = yaml.safe_load(config.read_text())
        settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s",
                              "evaluation_interval": "1s"}
        (kind, value), = discovery.items()
        assert kind in settings["scrape_configs"][0]
        settings["scrape_configs"][0][kind] = [value]
        settings["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [alertmanager]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        for name in settings["rule_files"]:
            rules = yaml.safe_load((config.parent / name).read_text())
            for rule in (rule for group in rules["groups"] for rule in group["rules"]):
                if rule.get("for") == "30s":
                    rule["for"] = "2s"
            (folder / name).write_text(yaml.safe_dump(rules))
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--log.level=warn"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()

    def api(self, path, **parameters):
        """The answer of the API; None if it does not answer."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        _, text = http_get(f"{self.url}/api/v1/{path}{query}")
        return json.loads(text) if text.startswith("{") else None

    def query(self, expression):
        """The series of an expression; fails if the expression is invalid."""
        answer = self.api("query", query=expression)
        assert answer and answer["status"] == "success", f"{expression}: {answer}"
        result = answer["data"]["result"]
        return [result] if answer["data"]["resultType"] == "scalar" else result

    def is_ready(self):
        return http_get(self.url + "/-/ready")[0] == 200

    def targets(self):
        """Health by process."""
        answer = self.api("targets", state="active")
        return {t["labels"]["process"]: t["health"] for t in answer["data"]["activeTargets"]}

    def firing(self):
        """(alert, process) of each firing alert."""
        return {(a["labels"]["alertname"], a["labels"].get("process"))
                for a in self.api("alerts")["data"]["alerts"] if a["state"] == "firing"}
