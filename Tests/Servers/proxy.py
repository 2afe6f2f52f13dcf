"""A small HTTP proxy that opens tunnels by CONNECT (RFC 9110, section 9.3.6), on a free port of 127.0.0.1.

Usage: proxy.py LOG OPTIONS. It prints its port, appends the head of each request to LOG as a line of JSON, and ends
with its standard input. OPTIONS is a JSON object: "to" is the port of 127.0.0.1 that every tunnel leads to, whatever
the client asked for; "login" is the only accepted `user:password`; "status" is the answer to every request.
"""

import base64
import json
import os
import socket
import sys
import threading

log, options = sys.argv[1], json.loads(sys.argv[2])
lock = threading.Lock()


def pump(source, target):
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    head = b""
    while True:
        while b"\r\n\r\n" not in head:
            data = client.recv(65_536)
            if not data:
                return
            head += data
        lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        fields = {name.lower(): value for name, value in fields.items()}
        with lock, open(log, "a") as file:
            file.write(json.dumps({"request": lines[0], "fields": fields}) + "\n")
        status = options.get("status", 200)
        login = options.get("login")
        if login and fields.get("proxy-authorization") != "Basic " + base64.b64encode(login.encode()).decode():
            status = 407
        if status == 200:
            break
        more = 'Proxy-Authenticate: Basic realm="proxy"\r\n' if status == 407 else ""
        client.sendall(f"HTTP/1.1 {status} No\r\n{more}Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n".encode())
        head = b""
    server = socket.create_connection(("127.0.0.1", options["to"]))
    client.sendall(b"HTTP/1.1 200 Connection established\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
    threading.Thread(target=pump, args=(server, client), daemon=True).start()
    pump(client, server)


def accept(listener):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.read()
os._exit(0)
