#!/usr/bin/env python3
"""Gmail's REST API as its own documents describe it, with faults on demand.

gmail.py CERTIFICATE KEY

See rest.py for the scripts. Here, a SCRIPT also has "tokens" {TOKEN: [SCOPE, ...]} (absent: any token, every scope),
or "tokeninfo" URL: the authorization server that knows the user and scopes of each token; and "user", the mailbox.
"""
import base64
import binascii
import email.message
import json
import re
import urllib.parse

import rest

MAX_SIZE = 36_700_160  # the discovery document: mediaUpload.maxSize
SCOPES = "https://www.googleapis.com/auth/"
SENDING = {"gmail.send", "gmail.compose", "gmail.modify", "mail"}
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


class Mailbox(rest.Mailbox):
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
        return {"id": identifier, "threadId": identifier, "labelIds": ["SENT"]}

    def answer(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        match = re.fullmatch(r"(/upload)?/gmail/v1/users/([^/]+)/(profile|messages/send)", parts.path)
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
        if method != "POST":
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
