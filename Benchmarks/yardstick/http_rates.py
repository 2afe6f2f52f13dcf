#!/usr/bin/env python3
"""http_rates.py RELEASE OWN FOLDER SECONDS ROUNDS: starts and checks by 64 callers over HTTP, in turns with the same
service asked directly in its own process; then memory, the time to the first answered start of `pabal serve`, and two
days in half a minute. Prints JSON."""

import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time

release, own, folder = map(pathlib.Path, sys.argv[1:4])
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
    def __init__(self, name, speed=1):
        self.config = configure(name)
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

# From the command to the first start that was answered 202.
firsts = []
for number in range(5):
    config = configure(f"first{number}")
    text = config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{(port := 18025 + number)}")
    config.write_text(text)
    began = time.monotonic()
    process = subprocess.Popen([release / "pabal", "serve", "--config", config], stderr=subprocess.DEVNULL)
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("POST", "/v1/verifications", '{"to": "you@example.com"}',
                               {"Content-Type": "application/json"})
            if connection.getresponse().status == 202:
                break
        except OSError:
            time.sleep(0.001)
    firsts.append(time.monotonic() - began)
    process.terminate()
    process.wait()
answer["first_start_ms"] = round(1000 * statistics.median(firsts), 1)

# Two days in as many half-minutes' worth: what a day leaves behind has to be gone after the next.
soak = Service("soak", speed=5760)
growth = []
for day in range(3):
    for part in range(5):
        soak.load(3, "start", f"d{day}p{part}x", ids)
        soak.load(0.5, "check", ids)
        time.sleep(0)
    growth.append({"mails": soak.ask("rows"), "mib": round(soak.resident(), 1),
                   "disk_mib": round((folder / "soak/pabal.sqlite").stat().st_size / 1048576, 1)})
soak.close()
answer["soak"] = growth
print(json.dumps(answer))
