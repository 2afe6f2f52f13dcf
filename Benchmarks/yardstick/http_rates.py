#!/usr/bin/env python3
"""http_rates.py RELEASE OWN FOLDER SECONDS ROUNDS: starts and checks by 64 callers over HTTP, in turns with the same
service asked directly in its own process, and its memory. Prints JSON."""

import json
import pathlib
import statistics
import subprocess
import sys

release, own, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
seconds, rounds = float(sys.argv[4]), int(sys.argv[5])
root = pathlib.Path(__file__).resolve().parents[2]
CALLERS = 64


def configure(name):
    place = folder / name
    place.mkdir()
    config = json.loads((root / "config.json").read_text())
    config["messages"]["directory"] = str(root / "Sources/Messages")
    config["serve"] = {"listen": "127.0.0.1:0", "keyless": True}
    config["verification"] = {"clientStarts": [], "clientChecks": []}
    (place / "config.json").write_text(json.dumps(config))
    return place / "config.json"


class Service:
    def __init__(self, name, speed=1, config=None):
        self.config = config or configure(name)
        self.process = subprocess.Popen([release / "bench-http", self.config, str(speed)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def load(self, time, *what):
        run = subprocess.run([own / "http_load", str(self.port), str(CALLERS), str(time), *map(str, what)],
                             text=True, capture_output=True, check=False)
        if run.returncode:
            raise SystemExit(run.stderr)
        return json.loads(run.stdout)

    def resident(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


service = Service("rates")
ids = folder / "ids"
figures = {"start": [], "check": []}
for number in range(rounds):
    own_starts = service.ask(f"starts {seconds}")
    starts = service.load(seconds, "start", f"r{number}x", ids)
    own_checks = service.ask(f"checks {seconds}")
    checks = service.load(seconds, "check", ids)
    figures["start"].append((starts, starts["a_second"] / own_starts))
    figures["check"].append((checks, checks["a_second"] / own_checks))
answer = {"mib": round(service.resident(), 1)}
service.close()
for kind, results in figures.items():
    middle = lambda key: round(statistics.median(result[key] for result, _ in results), 2)
    answer |= {f"{kind}s_a_second": middle("a_second"), f"{kind}_p50_ms": middle("p50_ms"),
               f"{kind}_p99_ms": middle("p99_ms"),
               f"{kind}s_times_own": round(statistics.median(ratio for _, ratio in results), 3)}

print(json.dumps(answer))
