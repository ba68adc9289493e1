"""Debian's Prometheus for the tests: on the loopback address, in a folder of its own."""
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_get(url, timeout=10, headers=None):
    """(status, text) of a page; 0 where nobody answers in time."""
    try:
        request = urllib.request.Request(url, headers=headers or {})
        with OPENER.open(request, timeout=timeout) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Prometheus:
    """Runs with `config`, a file of monitoring/, made to look every second; alerts that wait for
    half a minute wait for two seconds. Those that wait longer judge speed, and stay as they are."""

    def __init__(self, folder, port, config, rules, targets):
        self.url = f"http://127.0.0.1:{port}"
        settings = yaml.safe_load(config.read_text())
        settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s",
                              "evaluation_interval": "1s"}
        settings["scrape_configs"][0]["file_sd_configs"] = [{"files": [str(targets)]}]
        alerts = yaml.safe_load(rules.read_text())
        for group in alerts["groups"]:
            for rule in group["rules"]:
                if rule.get("for") == "30s":
                    rule["for"] = "2s"
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        (folder / "alerts.yml").write_text(yaml.safe_dump(alerts))
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
        """What the API answers, or None while it does not."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        _, text = http_get(f"{self.url}/api/v1/{path}{query}")
        return json.loads(text) if text.startswith("{") else None

    def query(self, expression):
        """The series of an expression; fails where it is none."""
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
        """(alert, process) of each that fires."""
        return {(a["labels"]["alertname"], a["labels"].get("process"))
                for a in self.api("alerts")["data"]["alerts"] if a["state"] == "firing"}
