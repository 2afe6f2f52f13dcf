#!/usr/bin/env python3
"""An IMAP server that answers as few servers do: imap.py CERTIFICATE KEY MODE. Prints its port; serves until its input ends.

odd: no capabilities in the greeting and no SASL-IR; the first token is refused, as an expired one is; answers arrive byte
by byte, in other orders and with answers to nothing in between. http: another protocol. bye: the connection ends after
the login. endless: a search has no end. big: a literal is longer than what was asked for. unnumbered: a folder without
UIDVALIDITY. silent: closes after the greeting. refusing: the mails 9 and 10 aren't returned.
"""
import base64
import socket
import ssl
import sys
import threading

certificate, key, mode = sys.argv[1:]
HEADER = b"Content-Type: multipart/report; b=1\r\n\r\n"
MAIL = b"Subject: Hello\r\n\r\nA1 OK not the end\r\n)\r\n"
tokens = set()


def send(stream, data):
    if mode == "odd":
        for byte in data:
            stream.sendall(bytes([byte]))
    else:
        stream.sendall(data)


def serve(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with context.wrap_socket(connection, server_side=True) as stream:
        lines = stream.makefile("rb")
        send(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n" if mode == "http" else b"* OK ready\r\n")
        if mode in ("http", "silent"):
            return
        for line in lines:
            tag, command, *words = line.decode().split()
            if command == "CAPABILITY":
                send(stream, b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n" + f"{tag} OK\r\n".encode())
            elif command == "AUTHENTICATE":
                send(stream, b"+ \r\n")
                token = base64.b64decode(lines.readline())
                tokens.add(token)
                if mode == "odd" and len(tokens) == 1:
                    send(stream, b"+ " + base64.b64encode(b'{"status":"400"}') + b"\r\n")
                    assert lines.readline().strip() == b""
                    send(stream, f"{tag} NO [AUTHENTICATIONFAILED] {token.decode()!r}\r\n".encode())
                elif mode == "bye":
                    send(stream, b"* BYE maintenance\r\n")
                    return
                else:
                    send(stream, f"{tag} OK\r\n".encode())
            elif command == "EXAMINE":
                number = b"" if mode == "unnumbered" else b"* OK [UIDVALIDITY 77] x\r\n"
                send(stream, b"* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n" + number + f"* OK [UIDNEXT 12] x\r\n{tag} OK [READ-ONLY] done\r\n".encode())
            elif words[0] == "SEARCH":
                if mode == "endless":
                    while True:
                        stream.sendall(b"* SEARCH 1\r\n" * 1000)
                send(stream, b"* SEARCH 11\r\n* 2 EXPUNGE\r\n* SEARCH 4 9\r\n* SEARCH\r\n" + f"{tag} OK\r\n".encode())
            elif "HEADER.FIELDS" in line.decode():
                send(stream, b"* 3 FETCH (BODY[HEADER.FIELDS (CONTENT-TYPE)] {2}\r\n\r\n UID 11)\r\n"
                     b"* 1 FETCH (FLAGS (\\Seen))\r\n* 9 FETCH (UID 999 BODY[HEADER.FIELDS (CONTENT-TYPE)] {2}\r\n\r\n)\r\n"
                     + f"* 2 FETCH (UID 9 BODY[HEADER.FIELDS (CONTENT-TYPE)] {{{len(HEADER)}}}\r\n".encode() + HEADER + b")\r\n"
                     + f"{tag} OK\r\n".encode())
            elif words[0] == "FETCH" and mode == "refusing" and words[1] in ("9", "10"):
                send(stream, f"{tag} NO [SERVERBUG] can't convert {words[1]}\r\n".encode())
            elif words[0] == "FETCH":
                size = 50_000_000 if mode == "big" else len(MAIL)
                send(stream, f"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (UID {words[1]} BODY[]<0> {{{size}}}\r\n".encode())
                send(stream, MAIL if size == len(MAIL) else b"x" * size)
                send(stream, f")\r\n{tag} OK\r\n".encode())
            else:
                return


def quietly(connection):
    try:
        serve(connection)
    except (OSError, ValueError):
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def accept():
    while True:
        threading.Thread(target=quietly, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
