#!/usr/bin/env python3
"""Sends mails by SMTP and prints how each ended, for the tests of the rules of senders.

Reads a list of objects from standard input: `door` (an object with `host` and `port`, or `path`, and `user`, `password` or
`certificate`), `sender`, `recipients` and `mail`. Prints a list: for each, the command whose reply ended it and that reply.
"""
import json, smtplib, socket, ssl, sys


class LocalSMTP(smtplib.SMTP):
    """SMTP over a Unix socket."""

    def _get_socket(self, host, port, timeout):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.path)
        return connection

    def __init__(self, path):
        self.path = path
        super().__init__("localhost", 1, local_hostname="client.test")


def connect(door):
    if "path" in door:
        connection = LocalSMTP(door["path"])
    else:
        connection = smtplib.SMTP(door.get("host", "localhost"), door["port"], local_hostname="client.test", timeout=60)
    connection.ehlo()
    if "user" in door or "certificate" in door:
        context = ssl.create_default_context(cafile="ca.pem")
        if "certificate" in door:
            context.load_cert_chain(f"{door['certificate']}.pem", f"{door['certificate']}.key")
        connection.starttls(context=context)
        connection.ehlo()
    if "user" in door:
        connection.login(door["user"], door["password"])
    return connection


def send(row):
    connection = connect(row["door"])
    try:
        for command, argument in [("MAIL", f"FROM:<{row['sender']}>")] + [
                ("RCPT", f"TO:<{name}>") for name in row["recipients"]]:
            code, text = connection.docmd(command, argument)
            if code >= 400:
                return [command, code, text.decode()]
        code, text = connection.data(row["mail"].encode())
        return ["DATA", code, text.decode()]
    finally:
        connection.close()


print(json.dumps([send(row) for row in json.load(sys.stdin)]))
