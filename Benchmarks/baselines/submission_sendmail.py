#!/usr/bin/env python3
"""submission_sendmail.py RELEASE FOLDER: one mail per process by the sendmail commands of Pabal, Postfix and msmtp, in turn.
Prints JSON."""

import json
import pathlib
import statistics
import subprocess
import sys
import time

from submission_servers import PabalServer, PostfixServer, free_port, start_sink, wait_until

release, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
MAILS = 60
CONTENT = b"From: from@example.com\nTo: to@example.net\nSubject: cron\n\n" + b"a line of output of a job\n" * 75

sinks, servers = [], []
try:
    ports = [free_port(), free_port()]
    sinks = [start_sink(port) for port in ports]
    servers = [PabalServer(release, folder / "pabal", ports[0]), PostfixServer(folder / "postfix", ports[1])]
    pabal, postfix = servers
    commands = {
        "pabal sendmail": [release / "pabal", "sendmail", "--socket", pabal.socket, "-i", "-f", "from@example.com"],
        "Postfix sendmail": postfix.sendmail(),
        # Hands the mail to the same Postfix, so that its answer is as durable.
        "msmtp": ["msmtp", "--host=127.0.0.1", f"--port={postfix.port}", "-f", "from@example.com", "--file=/dev/null"],
    }
    times = {name: [] for name in commands}
    for number in range(MAILS + 5):
        for name, command in commands.items():
            began = time.monotonic()
            subprocess.run([*map(str, command), "to@example.net"], input=CONTENT, check=True)
            if number >= 5:
                times[name].append(1000 * (time.monotonic() - began))
    answer = {f"{name} ms": round(statistics.median(values), 2) for name, values in times.items()}
    for other in ("Postfix sendmail", "msmtp"):
        answer[f"times {other}"] = round(
            statistics.median(a / b for a, b in zip(times["pabal sendmail"], times[other])), 3)
    print(json.dumps(answer))
finally:
    for one in servers:
        one.stop()
    for one in sinks:
        one.terminate()
