#!/usr/bin/env python3
"""Gmail's REST API as its own documents describe it, with faults on demand.

gmail.py CERTIFICATE KEY

See rest.py for the scripts. Here, a SCRIPT also has "tokens" {TOKEN: [SCOPE, ...]} (absent: any token, every scope),
or "tokeninfo" URL: the authorization server that knows the user and scopes of each token; and "user", the mailbox.

With "bounces" true, Message-IDs are replaced as Gmail does, and a mail to an address that begins with "nosuch" (550 5.1.1),
"full" (552 5.2.2) or "late" (delayed) is followed by a report in the mailbox. "inbox" [BASE64, ...] is mail that is there.
messages.list and messages.get are those of the discovery document, revision 20261005; a search knows after:,
rfc822msgid:, from:, subject: and {}.
"""
import base64
import binascii
import email.message
import json
import re
import time
import urllib.parse

import rest

MAX_SIZE = 36_700_160  # the discovery document: mediaUpload.maxSize
SCOPES = "https://www.googleapis.com/auth/"
SENDING = {"gmail.send", "gmail.compose", "gmail.modify", "mail"}
READING = {"gmail.readonly", "gmail.modify", "mail"}
LOOKING = {"gmail.metadata", "gmail.readonly", "gmail.compose", "gmail.modify", "mail"}


class Refusal(rest.APIError):
    """An error in Google's format."""

    def __init__(self, status, reason, message, name, details=None, domain="global"):
        self.status = status
        error = {"code": status, "message": message,
                 "errors": [{"message": message, "domain": domain, "reason": reason}], "status": name}
        if details:
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": details,
                                 "domain": "googleapis.com", "metadata": {"service": "gmail.googleapis.com"}}]
        self.body = json.dumps({"error": error}, indent=2)


def bad(message, reason="invalidArgument"):
    return Refusal(400, reason, message, "INVALID_ARGUMENT")


REPORTED = {"nosuch": ("failed", "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."),
            "full": ("failed", "5.2.2", "552 5.2.2 The email account is over quota."),
            "late": ("delayed", "4.4.1", "The recipient server did not accept our requests to connect.")}


def report(number, recipient, sender, content):
    """Gmail's report about a mail that is in its mailbox as `content`."""
    action, status, reply = next(v for k, v in REPORTED.items() if recipient.startswith(k))
    message_id = email.message_from_bytes(content)["Message-ID"]
    text = f"""Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {sender}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification ({"Failure" if action == "failed" else "Delay"})
References: {message_id}
In-Reply-To: {message_id}
X-Failed-Recipients: {recipient}
Message-ID: <{number}.GMR@mx.google.com>
MIME-Version: 1.0
Content-Type: multipart/report; boundary="{number:028x}"; report-type=delivery-status

--{number:028x}
Content-Type: multipart/related; boundary="{number:028x}r"

--{number:028x}r
Content-Type: text/plain; charset="UTF-8"

** Address not found **
--{number:028x}r--
--{number:028x}
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Received-From-MTA: dns; {sender}
X-Original-Message-ID: {message_id}

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {reply}
Last-Attempt-Date: Fri, 20 Nov 2026 02:13:44 -0800 (PST)

--{number:028x}
Content-Type: message/rfc822

"""
    return text.replace("\n", "\r\n").encode() + content + f"\r\n--{number:028x}--\r\n".encode()


class Mailbox(rest.Mailbox):
    def __init__(self, script):
        super().__init__(script)
        self.stored = []
        for content in script.get("inbox", []):
            self.store(f"1a0{len(self.stored):013x}", "INBOX", base64.b64decode(content))

    def store(self, identifier, label, content):
        with self.lock:
            self.stored.append({"id": identifier, "threadId": identifier, "labelIds": [label], "content": content,
                                "internalDate": str(int(time.time() * 1000))})

    def finds(self, mail, query):
        """Whether a stored mail matches a search."""
        header = email.message_from_bytes(mail["content"])

        def one(term):
            name, _, value = term.partition(":")
            value = value.strip('"')
            if name == "after":
                return int(mail["internalDate"]) // 1000 >= int(value)
            if name == "rfc822msgid":
                return (header["Message-ID"] or "").strip() == f"<{value}>"
            if name in ("from", "subject"):
                return value.lower() in (header[name] or "").lower()
            raise bad(f"unknown search {term}")

        words = re.compile(r'\S+:"[^"]*"|\S+')
        groups = re.findall(r"\{([^}]*)\}", query)
        rest_ = re.sub(r"\{[^}]*\}", " ", query)
        return all(one(term) for term in words.findall(rest_)) and all(
            any(one(term) for term in words.findall(group)) for group in groups)

    def list(self, query):
        size = int(query.get("maxResults", ["100"])[0])
        start = int(query.get("pageToken", ["0"])[0])
        with self.lock:
            stored = list(reversed(self.stored))
        found = [mail for mail in stored if self.finds(mail, query.get("q", [""])[0])]
        answer = {"resultSizeEstimate": len(found)}
        if found[start:start + size]:
            answer["messages"] = [{"id": mail["id"], "threadId": mail["threadId"]} for mail in found[start:start + size]]
        if start + size < len(found):
            answer["nextPageToken"] = str(start + size)
        return answer

    def get(self, identifier, query):
        with self.lock:
            mail = next((mail for mail in self.stored if mail["id"] == identifier), None)
        if mail is None:
            raise Refusal(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        if query.get("format", ["full"])[0] != "raw":
            raise bad("this server knows format=raw only")
        answer = {key: mail[key] for key in ("id", "threadId", "labelIds", "internalDate")}
        return {**answer, "raw": base64.urlsafe_b64encode(mail["content"]).decode()}

    def headers(self):
        return {"Vary": "Origin, X-Origin, Referer", "Server": "ESF", "Cache-Control": "private",
                "X-Content-Type-Options": "nosniff"}

    def authorize(self, headers, wanted):
        token = self.bearer(headers)
        known = self.script.get("tokens")
        if token and "tokeninfo" in self.script:
            user, scopes = rest.token_info(self.script["tokeninfo"], token) or (None, None)
            self.script["user"] = user
            known = {} if user is None else {
                token: [scope.removeprefix(SCOPES).replace("https://mail.google.com/", "mail") for scope in scopes]}
        if token is None or (known is not None and token not in known):
            raise Refusal(
                401, "authError",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
                "other valid authentication credential.", "UNAUTHENTICATED")
        if known is not None and not wanted & set(known[token]):
            raise Refusal(403, "insufficientPermissions",
                          "Request had insufficient authentication scopes.", "PERMISSION_DENIED",
                          "ACCESS_TOKEN_SCOPE_INSUFFICIENT")

    def profile(self):
        return {"emailAddress": self.script.get("user", "sender@example.com"), "messagesTotal": len(self.taken),
                "threadsTotal": len(self.taken), "historyId": "4711"}

    def send(self, content):
        if len(content) > MAX_SIZE:
            raise Refusal(413, "uploadTooLarge", "Request is too large.", "INVALID_ARGUMENT")
        recipients = rest.recipients_of(content, lambda name: bad(f"Invalid {name} header"))
        if not any(recipients.values()):
            raise bad("Recipient address required")
        number = self.take(content, recipients)
        identifier = f"19a{number:013x}"
        if self.script.get("bounces"):
            content = re.sub(rb"(?im)^Message-ID:.*\r\n", b"Message-ID: <CA%08x@mail.gmail.com>\r\n" % number,
                             rest.without_bcc(content), count=1)
            self.store(identifier, "SENT", content)
            for found in recipients.values():
                for recipient in found:
                    if recipient.startswith(tuple(REPORTED)):
                        sender = self.script.get("user", "sender@example.com")
                        self.store(f"1b0{len(self.stored):013x}", "INBOX",
                                   report(len(self.stored), recipient, sender, content))
        return {"id": identifier, "threadId": identifier, "labelIds": ["SENT"]}

    def answer(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        match = re.fullmatch(r"(/upload)?/gmail/v1/users/([^/]+)/(profile|messages/send|messages(?:/[0-9a-f]+)?)", parts.path)
        if not match:
            raise Refusal(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        upload, user, what = match.groups()
        if urllib.parse.unquote(user) not in ("me", self.script.get("user", "sender@example.com")):
            raise Refusal(403, "forbidden", "Delegation denied", "PERMISSION_DENIED")
        if "access_token" in query:
            self.strange.append("a token in the URL")
        if what == "profile":
            self.authorize(headers, LOOKING)
            if method != "GET" or upload:
                raise Refusal(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
            return 200, self.profile()
        if what != "messages/send" and method == "GET" and not upload:
            self.authorize(headers, READING)
            identifier = what.partition("/")[2]
            return 200, self.get(identifier, query) if identifier else self.list(query)
        if method != "POST" or what != "messages/send":
            raise Refusal(404, "notFound", "Requested entity was not found.", "NOT_FOUND")
        self.authorize(headers, SENDING)
        kind, parameters = media_type(headers.get("content-type", ""))
        if not upload:
            if kind != "application/json":
                raise bad("Invalid content type", "badContent")
            return 200, self.send(raw_of(json_of(body)))
        how = query.get("uploadType", [""])[0]
        if how == "media":
            if not kind.startswith("message/"):
                raise bad(f"Media type '{kind}' is not supported. Valid media types: [message/*]", "badContent")
            return 200, self.send(body)
        if how == "multipart":
            return 200, self.send(related(kind, parameters, body))
        raise bad("Bad upload type", "badRequest")


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


if __name__ == "__main__":
    rest.main(Mailbox)
