#!/usr/bin/env python3
"""http_rates.py RELEASE TOOLS FOLDER SECONDS ROUNDS: starts and checks by 64 callers over HTTP, alternating with the same
service called directly in its tools process, and its memory. Prints JSON."""

import json
import pathlib
import statistics
import subprocess
import sys

from http_service import Service, configure

CALLERS = 64
release, tools, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
seconds, rounds = float(sys.argv[4]), int(sys.argv[5])
service = Service(release, configure(folder / "rates"))


def load(*arguments):
    run = subprocess.run([tools / "http_load", str(service.port), str(CALLERS), str(seconds), *map(str, arguments)],
                         text=True, capture_output=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout)


ids = folder / "ids"
figures = {"start": [], "check": []}
for number in range(rounds):
    own_starts = service.command(f"starts {seconds}")
    starts = load("start", f"r{number}x", ids)
    own_checks = service.command(f"checks {seconds}")
    checks = load("check", ids)
    figures["start"].append((starts, starts["a_second"] / own_starts))
    figures["check"].append((checks, checks["a_second"] / own_checks))
answer = {"mib": round(service.resident(), 1)}
service.close()
for kind, results in figures.items():
    median_of = lambda key: round(statistics.median(result[key] for result, _ in results), 2)
    answer |= {f"{kind}s_a_second": median_of("a_second"), f"{kind}_p50_ms": median_of("p50_ms"),
               f"{kind}_p99_ms": median_of("p99_ms"),
               f"{kind}s_times_own": round(statistics.median(ratio for _, ratio in results), 3)}
print(json.dumps(answer))
