#!/usr/bin/env python3
"""Gmail's REST API as its own documents describe it, with faults on demand.

gmail.py CERTIFICATE KEY

One line of JSON in, one out. {"listen": SCRIPT} opens a port: {"port": N}.
{"report": PORT} returns what it received, {"hangUp": PORT} closes its idle connections.

SCRIPT: "tokens" {TOKEN: [SCOPE, ...]} (absent: any token, every scope), or "tokeninfo" URL: the authorization server
that knows the user and scopes of each token; "plain" true (no TLS), "user" the mailbox,
"acts" [ACT, ...] for the first requests in order, "always" ACT for the later ones.

An ACT changes one response: {"status": N, "body": TEXT, "headers": {...}} sends these; {"request": N} reads only N
bytes and {"answer": N} writes only N, each followed by "close" or "reset" (true); "early" responds before the body is
read, "chunked" in chunks, "continue" after 100 Continue, "drip" byte by byte ("pause" seconds apart), "stall" never;
"parting" closes after the response without announcing it; "raw": BASE64 sends these bytes.
"""
import base64
import binascii
import email
import email.policy
import email.utils
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

MAX_SIZE = 36_700_160  # the discovery document: mediaUpload.maxSize
SCOPES = "https://www.googleapis.com/auth/"
SENDING = {"gmail.send", "gmail.compose", "gmail.modify", "mail"}
LOOKING = {"gmail.metadata", "gmail.readonly", "gmail.compose", "gmail.modify", "mail"}


class ConnectionClosed(Exception):
    """The connection is closed."""


class APIError(Exception):
    """A response other than 200."""

    def __init__(self, status, reason, message, name, details=None, domain="global"):
        self.status = status
        error = {"code": status, "message": message,
                 "errors": [{"message": message, "domain": domain, "reason": reason}], "status": name}
        if details:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": details,
                                 "domain": "googleapis.com", "metadata": {"service": "gmail.googleapis.com"}}]
        self.body = json.dumps({"error": error}, indent=2)


def bad(message, reason="invalidArgument"):
    return APIError(400, reason, message, "INVALID_ARGUMENT")


class Mailbox:
    """What one port has received."""

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

    # --- the API

    def authorize(self, headers, wanted):
        words = headers.get("authorization", "").split(" ")
        token = words[1] if len(words) == 2 and words[0] == "Bearer" else None
        with self.lock:
            self.tokens.append(token)
        known = self.script.get("tokens")
        if token and "tokeninfo" in self.script:
            known = asked(self.script["tokeninfo"], token)
            self.script["user"] = known.pop("user", None)
        if token is None or (known is not None and token not in known):
            raise APIError(
                401, "authError",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential.", "UNAUTHENTICATED")
        if known is not None and not wanted & set(known[token]):
            raise APIError(403, "insufficientPermissions",
                          "Request had insufficient authentication scopes.", "PERMISSION_DENIED",
                          "ACCESS_TOKEN_SCOPE_INSUFFICIENT")

    def profile(self):
        return {"emailAddress": self.script.get("user", "sender@example.com"), "messagesTotal": len(self.taken),
                "threadsTotal": len(self.taken), "historyId": "4711"}

    def send(self, content):
        if len(content) > MAX_SIZE:
            raise APIError(413, "uploadTooLarge", "Request is too large.", "INVALID_ARGUMENT")
        mail = email.message_from_bytes(content, policy=email.policy.default.clone(utf8=True))
        recipients = {}
        for name in ("To", "Cc", "Bcc"):
            fields = mail.get_all(name, [])
            found = []
            for field in fields:
                for mailbox in getattr(field, "addresses", ()):
                    if not mailbox.username or not mailbox.domain or "." not in mailbox.domain:
                        raise bad(f"Invalid {name} header")
                    found.append(mailbox.addr_spec)
                if str(field).strip() and not found and ":" not in str(field):
                    raise bad(f"Invalid {name} header")
            recipients[name.lower()] = found
        all_recipients = [address for found in recipients.values() for address in found]
        if not all_recipients:
            raise bad("Recipient address required")
        delivered = without_bcc(content)
        with self.lock:
            number = len(self.taken)
            self.taken.append({
                "bytes": base64.b64encode(content).decode() if len(content) < 1_000_000 else None,
                "delivered": base64.b64encode(delivered).decode() if len(content) < 1_000_000 else None,
                "size": len(content), "recipients": all_recipients, **recipients})
        identifier = f"19a{number:013x}"
        return {"id": identifier, "threadId": identifier, "labelIds": ["SENT"]}

    def answer(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        match = re.fullmatch(r"(/upload)?/gmail/v1/users/([^/]+)/(profile|messages/send)", parts.path)
        if not match:
            raise APIError(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        upload, user, what = match.groups()
        if urllib.parse.unquote(user) not in ("me", self.script.get("user", "sender@example.com")):
            raise APIError(403, "forbidden", "Delegation denied", "PERMISSION_DENIED")
        if "access_token" in query:
            self.strange.append("a token in the URL")
        if what == "profile":
            self.authorize(headers, LOOKING)
            if method != "GET" or upload:
                raise APIError(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
            return self.profile()
        if method != "POST":
            raise APIError(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        self.authorize(headers, SENDING)
        kind, parameters = media_type(headers.get("content-type", ""))
        if not upload:
            if kind != "application/json":
                raise bad("Invalid content type", "badContent")
            return self.send(raw_of(json_of(body)))
        how = query.get("uploadType", [""])[0]
        if how == "media":
            if not kind.startswith("message/"):
                raise bad(f"Media type '{kind}' is not supported. Valid media types: [message/*]", "badContent")
            return self.send(body)
        if how == "multipart":
            return self.send(related(kind, parameters, body))
        raise bad("Bad upload type", "badRequest")


def asked(url, token):
    """The authorization server's information on a token: {TOKEN: [SCOPE, ...], "user": MAILBOX}, or nothing."""
    form = urllib.parse.urlencode({"access_token": token}).encode()
    try:
        with urllib.request.urlopen(url, form, timeout=20) as answer:
            info = json.load(answer)
    except urllib.error.HTTPError:
        return {}
    scopes = [scope.removeprefix(SCOPES).replace("https://mail.google.com/", "mail") for scope in info["scope"].split()]
    return {token: scopes, "user": info["email"]}


def media_type(text):
    message = email.message.Message()
    message["Content-Type"] = text or "none/none"
    return message.get_content_type(), dict(message.get_params([], header="content-type")[1:])


def json_of(body):
    try:
        value = json.loads(body)
    except ValueError:
        raise bad("Invalid JSON payload received. Unexpected token.", "badRequest")
    if not isinstance(value, dict):
        raise bad("Invalid JSON payload received.", "badRequest")
    for key in value:
        if key not in ("raw", "threadId", "labelIds", "id", "payload"):
            raise bad(f"Invalid JSON payload received. Unknown name \"{key}\": Cannot find field.", "badRequest")
    return value


def raw_of(message):
    raw = message.get("raw")
    if not raw:
        raise bad("'raw' RFC822 payload message string or uploading message via /upload/* URL required")
    if re.search(r"[^A-Za-z0-9_=-]", raw):
        raise bad("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed")
    try:
        return base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    except binascii.Error:
        raise bad("Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed")


def related(kind, parameters, body):
    """The mail of a multipart/related body of exactly two parts: metadata, then the mail."""
    boundary = parameters.get("boundary", "").encode()
    if kind != "multipart/related" or not boundary:
        raise bad("Missing boundary", "badRequest")
    pieces = re.split(rb"(?:^|\r?\n)--" + re.escape(boundary), body)
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        raise bad("Expecting two parts", "badContent")
    parts = []
    for piece in pieces[1:3]:
        piece = re.sub(rb"^[ \t]*\r?\n", b"", piece)
        head, content = re.split(rb"\r?\n\r?\n", piece, maxsplit=1) if b"\n" in piece else (piece, b"")
        head = {line.split(b":")[0].strip().lower(): line.split(b":", 1)[1].strip()
                for line in head.splitlines() if b":" in line}
        parts.append((media_type(head.get(b"content-type", b"").decode())[0], content))
    if parts[0][0] != "application/json" or not parts[1][0].startswith("message/"):
        raise bad("Expecting metadata and a mail", "badContent")
    json_of(parts[0][1])
    return parts[1][1]


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
        phrase = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests",
                  404: "Not Found", 413: "Request Entity Too Large"}.get(status, "Status")
        headers = {"Content-Type": kind, "Vary": "Origin, X-Origin, Referer", "Server": "ESF",
                   "Cache-Control": "private", "X-Content-Type-Options": "nosniff", **act.get("headers", {})}
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
            return self.response_bytes(200, json.dumps(result(), indent=2) + "\n", act)
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
                self.write(self.reply(act, dict), act)
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
    def __init__(self, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.mailboxes = {}

    def listen(self, script):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        mailbox = Mailbox(script)
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


def main():
    server = Server(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        print(json.dumps(server.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
