#!/usr/bin/env python3
"""unread_log.py PABAL CONFIG: runs `pabal serve` with a log that is not read for a while, or ever; prints the
results as JSON."""
import json, re, socket, subprocess, sys

pabal, config = sys.argv[1:3]
BATCH = 100


def serve():
    process = subprocess.Popen([pabal, "serve", "--config", config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not (match := re.search(rb" listening host=\S+ port=(\d+)", line := process.stderr.readline())):
        if not line:
            raise SystemExit("it exited before it listened")
    return process, int(match[1])


def ask(port, total):
    """Sends requests in batches; returns how many were answered."""
    answered = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(total // BATCH):
            connection.sendall(b"GET /v1/verifications/x/check HTTP/1.1\r\nHost: localhost\r\n\r\n" * BATCH)
            got = b""
            while got.count(b'"status":405') < BATCH:
                more = connection.recv(65536)
                if not more:
                    return answered
                got += more
            answered += BATCH
    return answered


process, port = serve()
answered = ask(port, 14_000)
logged, lost = 0, 0
while logged + lost < answered:
    line = process.stderr.readline()
    if not line:
        break
    logged += b" request " in line
    if match := re.search(rb" log lost=(\d+)", line):
        lost += int(match[1])
process.terminate()
rest = process.stderr.read()
first = process.wait(30)

process, port = serve()
ask(port, 2_000)
process.terminate()
second = process.wait(30)
print(json.dumps({"answered": answered, "logged": logged, "lost": lost, "last": rest.decode().split("\n")[-2],
                  "statuses": [first, second]}))
