#!/usr/bin/env python3
"""http_first.py PABAL FOLDER ROUNDS: the time from `pabal serve` to its first 202, with an existing and
with a new database. Prints JSON."""

import json
import pathlib
import socket
import statistics
import subprocess
import sys
import time

from http_service import Caller, configure

pabal, folder = (pathlib.Path(path).absolute() for path in sys.argv[1:3])
rounds = int(sys.argv[3])


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def first(config, port):
    began = time.perf_counter()
    process = subprocess.Popen([pabal, "serve", "--config", config], stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                status, _ = Caller(port).post("/v1/verifications", to=f"f{time.time_ns()}@example.com")
                if status != 202:
                    raise SystemExit(f"the first start returned {status}")
                return (time.perf_counter() - began) * 1000
            except ConnectionError:
                if process.poll() is not None:
                    raise SystemExit(f"pabal serve ended with {process.returncode}")
                time.sleep(0.0005)
    finally:
        process.terminate()
        process.wait()


times = {"new": [], "again": []}
for number in range(rounds):
    port = free_port()
    config = configure(folder / f"first-{number}", listen=f"127.0.0.1:{port}")
    for kind in times:
        times[kind].append(first(config, port))
print(json.dumps({f"first_202_{kind}_ms": round(statistics.median(values), 1) for kind, values in times.items()}))
