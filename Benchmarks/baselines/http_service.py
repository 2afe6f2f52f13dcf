"""The service that the HTTP benchmarks measure, and its client."""

import http.client
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def configure(folder, **serve):
    """Writes the config.json of a new site without limits per client."""
    folder.mkdir()
    config = json.loads((ROOT / "config.json").read_text())
    config["messages"]["directory"] = str(ROOT / "Sources/Messages")
    config["serve"] = {"listen": "127.0.0.1:0", "keyless": True, **serve}
    config["verification"] = {"clientStarts": [], "clientChecks": []}
    config["serve"] |= {"keylessStarts": [], "keylessChecks": []}
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


class Service:
    """A bench-http, whose clock runs `speed` times as fast as real time."""

    def __init__(self, release, config, speed=None):
        self.process = subprocess.Popen([release / "bench-http", config, *([str(speed)] if speed else [])],
                                        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def resident(self):
        """Resident memory in MiB."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Caller:
    """A client with one kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def post(self, path, **body):
        """Returns the status and the JSON of the response."""
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())
