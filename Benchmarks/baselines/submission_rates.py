#!/usr/bin/env python3
"""submission_rates.py RELEASE FOLDER ROUNDS: mails per second accepted durably from smtp-source, and processor time per mail
until it was relayed, by Pabal and Postfix in turn on the same disk. Prints JSON."""

import json
import pathlib
import statistics
import subprocess
import sys
import time

from submission_servers import PabalServer, PostfixServer, free_port, start_sink, wait_until

release, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
rounds = int(sys.argv[3])
SIZE = 2048

sinks, servers = [], []
try:
    ports = [free_port(), free_port()]
    sinks = [start_sink(port) for port in ports]
    servers.append(PabalServer(release, folder / "pabal", ports[0]))
    servers.append(PostfixServer(folder / "postfix", ports[1]))
    answer = {}
    for sessions, count in ((64, 6000), (1, 1500)):
        rates, costs = {}, {}
        for number in range(rounds + 1):
            for server in servers if number % 2 else reversed(servers):
                before = server.tree.seconds()
                began = time.monotonic()
                subprocess.run(["smtp-source", "-d", "-s", str(sessions), "-m", str(count), "-l", str(SIZE),
                                "-f", "from@example.com", "-t", "to@example.net", f"127.0.0.1:{server.port}"], check=True)
                took = time.monotonic() - began
                wait_until(lambda: server.queued() == 0, f"{server.name} still has mail queued", 300)
                # The first round warms up.
                if number:
                    rates.setdefault(server.name, []).append(count / took)
                    costs.setdefault(server.name, []).append(1000 * (server.tree.seconds() - before) / count)
        label = f"{sessions} sessions" if sessions > 1 else "1 session"
        answer[label] = {
            **{f"{name} a second": round(statistics.median(values)) for name, values in rates.items()},
            **{f"{name} CPU ms": round(statistics.median(values), 3) for name, values in costs.items()},
            "times rate": round(statistics.median(a / b for a, b in zip(rates["Pabal"], rates["Postfix"])), 2),
            "times CPU": round(statistics.median(a / b for a, b in zip(costs["Pabal"], costs["Postfix"])), 3),
        }
    print(json.dumps(answer))
finally:
    for one in servers:
        one.stop()
    for one in sinks:
        one.terminate()
