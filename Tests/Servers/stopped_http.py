#!/usr/bin/env python3
"""stopped_http.py PABAL CONFIG COUNT: stops `pabal serve` while COUNT connections with a request wait to be accepted; prints
the results as JSON."""
import json, pathlib, re, signal, socket, subprocess, sys, time

pabal, config, count = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
log = config.parent / "log"
server = subprocess.Popen([pabal, "serve", "--config", config], stderr=open(log, "w"), cwd=config.parent)
while not (match := re.search(r" listening .*port=([0-9]+)", log.read_text())):
    assert server.poll() is None, log.read_text()
    time.sleep(0.02)
port = int(match[1])
asked = []
for _ in range(count):
    c = socket.create_connection(("127.0.0.1", port), timeout=10)
    c.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    asked.append(c)
server.send_signal(signal.SIGTERM)
answered = 0
for c in asked:
    got = b""
    try:
        while more := c.recv(4096):
            got += more
    except OSError:
        pass
    answered += got.startswith(b"HTTP/1.1 200")
try:
    # Nothing listens any more.
    refused = False
    status = server.wait(timeout=30)
    socket.create_connection(("127.0.0.1", port), timeout=10)
except ConnectionRefusedError:
    refused = True
print(json.dumps({"answered": answered, "status": status, "refused": refused}))
