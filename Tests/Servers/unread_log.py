#!/usr/bin/env python3
"""unread_log.py PABAL CONFIG: `pabal serve` whose log nobody reads for a while, or ever; prints JSON of what came of
it."""
import json, re, socket, subprocess, sys

pabal, config = sys.argv[1:3]
TOGETHER = 100


def serve():
    process = subprocess.Popen([pabal, "serve", "--config", config], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while not (match := re.search(rb" listening host=\S+ port=(\d+)", line := process.stderr.readline())):
        if not line:
            raise SystemExit("it ended before it listened")
    return process, int(match[1])


def ask(port, total):
    """How many requests are answered, sent in packs."""
    answered = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(total // TOGETHER):
            connection.sendall(b"GET /v1/verifications/x/check HTTP/1.1\r\nHost: localhost\r\n\r\n" * TOGETHER)
            got = b""
            while got.count(b'"status":405') < TOGETHER:
                more = connection.recv(65536)
                if not more:
                    return answered
                got += more
            answered += TOGETHER
    return answered


process, port = serve()
answered = ask(port, 14_000)
told, lost = 0, 0
while told + lost < answered:
    line = process.stderr.readline()
    if not line:
        break
    told += b" request " in line
    if match := re.search(rb" log lost=(\d+)", line):
        lost += int(match[1])
process.terminate()
rest = process.stderr.read()
first = process.wait(30)

process, port = serve()
ask(port, 2_000)
process.terminate()
second = process.wait(30)
print(json.dumps({"answered": answered, "told": told, "lost": lost, "last": rest.decode().split("\n")[-2],
                  "statuses": [first, second]}))
