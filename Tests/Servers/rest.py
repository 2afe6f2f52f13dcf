"""A scripted HTTP server for mail APIs, with faults on demand; `gmail.py` and `graph.py` add the APIs.

One line of JSON in, one out. {"listen": SCRIPT} opens a port: {"port": N}.
{"report": PORT} returns what it received, {"hangUp": PORT} closes its idle connections.

SCRIPT: "plain" true (no TLS), "acts" [ACT, ...] for the first requests in order, "always" ACT for the later ones, and
what the API's own file documents.

An ACT changes one response: {"status": N, "body": TEXT, "headers": {...}} sends these; {"request": N} reads only N
bytes and {"answer": N} writes only N, each followed by "close" or "reset" (true); "early" responds before the body is
read, "chunked" in chunks, "continue" after 100 Continue, "drip" byte by byte ("pause" seconds apart), "stall" never;
"parting" closes after the response without announcing it; "raw": BASE64 sends these bytes.
"""
import base64
import email
import email.policy
import json
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


class ConnectionClosed(Exception):
    """The connection is closed."""


class APIError(Exception):
    """A response other than success; subclasses set `status` and `body`."""

    status = 500
    body = ""


class Mailbox:
    """What one port has received; a subclass implements `answer` as one API."""

    def __init__(self, script):
        self.script = script
        self.lock = threading.Lock()
        self.connections = self.begun = self.whole = 0
        self.taken, self.tokens, self.strange, self.open, self.lengths = [], [], [], [], []
        self.underway = self.mostUnderway = 0

    def act(self):
        with self.lock:
            acts = self.script.get("acts", [])
            number = self.begun
            self.begun += 1
            return acts[number] if number < len(acts) else self.script.get("always", {})

    def answer(self, method, target, headers, body):
        """Returns (status, body or None) of one request, or raises APIError."""
        raise NotImplementedError

    def headers(self):
        """The headers of every response."""
        return {}

    def bearer(self, headers):
        """Returns and records the request's access token; None without one."""
        words = headers.get("authorization", "").split(" ")
        token = words[1] if len(words) == 2 and words[0] == "Bearer" else None
        with self.lock:
            self.tokens.append(token)
        return token

    def take(self, content, recipients):
        """Records an accepted mail with `recipients` {"to": [...], "cc": [...], "bcc": [...]}; returns its number."""
        shown = len(content) < 1_000_000
        with self.lock:
            self.taken.append({
                "bytes": base64.b64encode(content).decode() if shown else None,
                "delivered": base64.b64encode(without_bcc(content)).decode() if shown else None,
                "size": len(content), "recipients": [a for found in recipients.values() for a in found], **recipients})
            return len(self.taken) - 1


def recipients_of(content, invalid):
    """The addresses of To, Cc and Bcc, as the APIs read them; raises `invalid(NAME)` for a field that they can't read."""
    mail = email.message_from_bytes(content, policy=email.policy.default.clone(utf8=True))
    recipients = {}
    for name in ("To", "Cc", "Bcc"):
        found = []
        for field in mail.get_all(name, []):
            for mailbox in getattr(field, "addresses", ()):
                if not mailbox.username or not mailbox.domain or "." not in mailbox.domain:
                    raise invalid(name)
                found.append(mailbox.addr_spec)
            if str(field).strip() and not found and ":" not in str(field):
                raise invalid(name)
        recipients[name.lower()] = found
    return recipients


def token_info(url, token):
    """The user and the scopes of a token according to the authorization server (oauth.py): (USER, [SCOPE, ...]) or None."""
    form = urllib.parse.urlencode({"access_token": token}).encode()
    try:
        with urllib.request.urlopen(url, form, timeout=20) as answer:
            info = json.load(answer)
    except urllib.error.HTTPError:
        return None
    return info["email"], info["scope"].split()


def without_bcc(content):
    head, separator, body = content.partition(b"\r\n\r\n")
    lines, kept, skips = head.split(b"\r\n"), [], False
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            skips = line.lower().startswith(b"bcc:")
        if not skips:
            kept.append(line)
    return b"\r\n".join(kept) + separator + body


class Connection:
    """One connection: consecutive requests, each handled as its act demands."""

    def __init__(self, mailbox, connection):
        self.mailbox, self.socket, self.buffer = mailbox, connection, b""
        self.limit = None
        self.read = 0

    def more(self):
        if self.limit is not None and self.read >= self.limit:
            raise ConnectionClosed()
        size = 65536 if self.limit is None else min(65536, self.limit - self.read)
        try:
            data = self.socket.recv(size)
        except OSError:
            data = b""
        if not data:
            raise ConnectionClosed()
        self.read += len(data)
        self.buffer += data

    def part(self, act):
        """Closes without an HTTP response: a FIN, or with "reset" a RST."""
        if act.get("reset"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionClosed()

    def write(self, content, act):
        cut = act.get("answer")
        if cut is not None:
            content = content[:cut]
        if act.get("drip"):
            for i in range(len(content)):
                self.socket.sendall(content[i:i + 1])
                time.sleep(act.get("pause", 0))
        else:
            self.socket.sendall(content)
        if cut is not None:
            self.part(act)

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
        if version != "HTTP/1.1":
            self.mailbox.strange.append(version)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name.lower() in headers:
                self.mailbox.strange.append(f"two {name}")
            headers[name.lower()] = value.strip()
        for name in ("cookie", "expect", "proxy-authorization"):
            if name in headers:
                self.mailbox.strange.append(name)
        if "host" not in headers:
            self.mailbox.strange.append("no Host")
        return method, target, headers

    def body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self.buffer:
                    self.more()
                size, _, self.buffer = self.buffer.partition(b"\r\n")
                size = int(size.split(b";")[0], 16)
                while len(self.buffer) < size + 2:
                    self.more()
                body, self.buffer = body + self.buffer[:size], self.buffer[size + 2:]
                if size == 0:
                    return body
        size = int(headers.get("content-length", "0"))
        pieces, got = [self.buffer], len(self.buffer)
        while got < size:
            self.buffer = b""
            self.more()
            pieces.append(self.buffer)
            got += len(self.buffer)
        whole = b"".join(pieces)
        self.buffer = whole[size:]
        return whole[:size]

    def response_bytes(self, status, body, act, kind="application/json; charset=UTF-8"):
        if isinstance(body, str):
            body = body.encode()
        if act.get("continue"):
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        phrase = {200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests",
                  404: "Not Found", 413: "Request Entity Too Large"}.get(status, "Status")
        headers = {**({"Content-Type": kind} if body else {}), **self.mailbox.headers(), **act.get("headers", {})}
        if act.get("chunked"):
            headers["Transfer-Encoding"] = "chunked"
            body = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7])
                            for i in range(0, len(body), 7)) + b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body))
        head = f"HTTP/1.1 {status} {phrase}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        return head.encode() + b"\r\n" + body

    def reply(self, act, result):
        """The bytes of the response that `act` demands; `result` creates the API's own."""
        if "raw" in act:
            return base64.b64decode(act["raw"])
        if "status" in act:
            kind = "application/json; charset=UTF-8" if act.get("body", "").startswith("{") else "text/html"
            return self.response_bytes(act["status"], act.get("body", ""), act, kind)
        try:
            status, value = result()
            body = "" if value is None else json.dumps(value, indent=2) + "\n"
            return self.response_bytes(status, body, act)
        except APIError as refused:
            return self.response_bytes(refused.status, refused.body, act)

    def one(self):
        if not self.buffer:
            # A single byte, so that a limit can take effect from the first one.
            self.limit, self.read = 1, 0
            self.more()
        if self.buffer[:1] == b"\x16":
            # A TLS ClientHello on a port without TLS.
            self.socket.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            raise ConnectionClosed()
        act = self.mailbox.act()
        self.read = len(self.buffer)
        self.limit = act.get("request")
        try:
            method, target, headers = self.head()
            if act.get("early"):
                self.write(self.reply(act, lambda: (200, {})), act)
                self.part(act)
            body = self.body(headers)
        except ConnectionClosed:
            if self.limit is not None and self.read >= self.limit:
                self.part(act)
            raise
        self.limit = None
        with self.mailbox.lock:
            if method == "POST":
                self.mailbox.whole += 1
                self.mailbox.lengths.append(self.read - len(self.buffer))
            self.mailbox.underway += 1
            self.mailbox.mostUnderway = max(self.mailbox.mostUnderway, self.mailbox.underway)
        try:
            if act.get("stall"):
                self.more()
            answer = self.reply(act, lambda: self.mailbox.answer(method, target, headers, body))
        finally:
            with self.mailbox.lock:
                self.mailbox.underway -= 1
        self.write(answer, act)
        if act.get("parting") or act.get("close") or act.get("reset"):
            self.part(act)

    def run(self):
        try:
            while True:
                self.one()
        except (ConnectionClosed, OSError):
            pass
        finally:
            self.socket.close()


class Server:
    def __init__(self, certificate, key, mailbox):
        self.mailbox_type = mailbox
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.mailboxes = {}

    def listen(self, script):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        mailbox = self.mailbox_type(script)
        if script.get("receiveBuffer"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, script["receiveBuffer"])
        port = listener.getsockname()[1]
        self.mailboxes[port] = mailbox
        threading.Thread(target=self.accept, args=(listener, mailbox), daemon=True).start()
        return {"port": port}

    def accept(self, listener, mailbox):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve, args=(connection, mailbox), daemon=True).start()

    def serve(self, connection, mailbox):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with mailbox.lock:
            mailbox.connections += 1
        try:
            if not mailbox.script.get("plain"):
                # One TLS record at a time, so that bytes can be counted.
                connection = self.context.wrap_socket(connection, server_side=True,
                                                      suppress_ragged_eofs=True)
        except OSError:
            connection.close()
            return
        with mailbox.lock:
            mailbox.open.append(connection)
        Connection(mailbox, connection).run()

    def answer(self, request):
        if "listen" in request:
            return self.listen(request["listen"])
        if "hangUp" in request:
            for connection in self.mailboxes[request["hangUp"]].open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            return {}
        mailbox = self.mailboxes[request["report"]]
        with mailbox.lock:
            return {key: getattr(mailbox, key) for key in
                    ("connections", "begun", "whole", "lengths", "taken", "tokens", "strange", "mostUnderway")}


def main(mailbox):
    server = Server(sys.argv[1], sys.argv[2], mailbox)
    for line in sys.stdin:
        print(json.dumps(server.answer(json.loads(line))), flush=True)
