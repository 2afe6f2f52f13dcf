#!/usr/bin/env python3
"""http_rates.py RELEASE OWN FOLDER SECONDS ROUNDS: starts and checks by 64 callers over HTTP, in turns with the same
service asked directly in its own process; then memory, the time to the first answered start of `pabal serve`, how
notices differ from starts in time, and three days in a minute. Prints JSON."""

import http.client
import json
import pathlib
import re
import shutil
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

# A notice and an ordinary start in turns: the Mann-Whitney z of their times, normal with deviation 1 if they are alike.
def notices(count):
    config = configure("notice")
    messages = config.parent / "messages"
    shutil.copytree(root / "Sources/Messages", messages)
    shutil.copytree(messages / "verification", messages / "registered")
    for file in (messages / "registered").iterdir():
        text = file.read_text().replace("`{{code}}`", "It was you.").replace(" {{code}}", "")
        file.write_text(re.sub(r'.*"code": {.*\n', "", text))
    config.write_text(config.read_text().replace(str(root / "Sources/Messages"), str(messages)))
    service = Service("notice", config=config)
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    times = []
    for number in range(2 * count):
        body = {"to": f"n{number}@example.com"}
        if number % 2:
            body |= {"message": "registered", "notice": True}
        began = time.perf_counter()
        connection.request("POST", "/v1/verifications", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - began, number % 2))
        if response.status != 202:
            raise SystemExit(f"a start was answered with {response.status}")
    service.close()
    ranks = sum(rank for rank, (_, notice) in enumerate(sorted(times), 1) if notice)
    mean, deviation = count * (2 * count + 1) / 2, (count * count * (2 * count + 1) / 12) ** 0.5
    return (ranks - mean) / deviation


answer["notice_z"] = round(notices(1000), 2)

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

# Three days in a minute: from the second on nothing may grow.
soak = Service("soak", speed=5760)
growth = []
for day in range(3):
    for part in range(5):
        soak.load(3, "start", f"d{day}p{part}x", ids)
        soak.load(0.5, "check", ids)
    growth.append({"mails": soak.ask("rows"), "mib": round(soak.resident(), 1),
                   "disk_mib": round((folder / "soak/pabal.sqlite").stat().st_size / 1048576, 1)})
soak.close()
answer["soak"] = growth
print(json.dumps(answer))
