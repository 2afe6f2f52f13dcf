#!/usr/bin/env python3
"""submission_idle.py RELEASE FOLDER CERTIFICATE KEY: memory of Pabal with 1,000 open sessions, with TLS and without. Prints
JSON."""

import json
import pathlib
import resource
import socket
import ssl
import sys

from submission_servers import PabalServer, free_port, start_sink

release, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
SESSIONS = 1000
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

port = free_port()
sink = start_sink(port)
answer = {}
try:
    for name, tls in (("plain", None), ("tls", sys.argv[3:5])):
        server = PabalServer(release, folder / name, port, tls=tls)
        before = server.resident()
        sessions = []
        for _ in range(SESSIONS):
            one = socket.create_connection(("127.0.0.1", server.port))
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                one = context.wrap_socket(one)
            one.recv(512)
            one.sendall(b"EHLO client.example.com\r\n")
            one.recv(4096)
            sessions.append(one)
        answer[name] = {"before MiB": round(before, 1), f"{SESSIONS} sessions MiB": round(server.resident(), 1)}
        for one in sessions:
            one.close()
        server.stop()
    print(json.dumps(answer))
finally:
    sink.terminate()
