#!/usr/bin/env python3
"""Microsoft Graph's sendMail with MIME content, as its documentation describes it, with faults on demand.

graph.py CERTIFICATE KEY

See rest.py for the scripts. Here, a SCRIPT also has "tokens" {TOKEN: {"user": ADDRESS, "scopes": [SCOPE, ...],
"app": true}} (absent: any token, every scope, a user), or "tokeninfo" URL: the authorization server that knows the
user and scopes of each token; "user" the mailbox of /me, "mailboxes" {ADDRESS: [USER who may
send as it, ...]} (absent: any), and "limit", the size of a request in bytes.

Sources: learn.microsoft.com/graph/api/user-sendmail (request, answer, the error for invalid base64), /graph/errors
(format and statuses), /graph/throttling. Its OpenAPI description and the SDKs don't know MIME content.
"""
import base64
import binascii
import json
import re
import urllib.parse
import uuid

import rest

LIMIT = 4_194_304  # a request of 4 MB
SCOPES = "https://graph.microsoft.com/"


class Refusal(rest.APIError):
    """An error in the format of OData, as Graph returns it."""

    def __init__(self, status, code, message, inner=None):
        self.status = status
        self.body = json.dumps({"error": {"code": code, "message": message, "innerError": {
            **({"code": inner} if inner else {}), "date": "2026-11-30T00:00:00", "request-id": str(uuid.uuid4()),
            "client-request-id": str(uuid.uuid4())}}})


class Mailbox(rest.Mailbox):
    def headers(self):
        return {"Strict-Transport-Security": "max-age=31536000", "request-id": str(uuid.uuid4()),
                "client-request-id": str(uuid.uuid4()),
                "x-ms-ags-diagnostic": '{"ServerInfo":{"DataCenter":"Korea Central","Slice":"E","Ring":"2"}}'}

    def caller(self, headers):
        token = self.bearer(headers)
        known = self.script.get("tokens")
        if token is None:
            raise Refusal(401, "InvalidAuthenticationToken", "Access token is empty.")
        if "tokeninfo" in self.script:
            user, scopes = rest.token_info(self.script["tokeninfo"], token) or (None, [])
            own = [scope.removeprefix(SCOPES) for scope in scopes if scope.startswith(SCOPES)]
            if user is not None and not own:
                raise Refusal(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
            app = user == "app"
            known = {} if user is None else {token: {"user": user, "scopes": ["Mail.Send"] if app else own, "app": app}}
        if known is None:
            return {"user": self.script.get("user", "sender@example.com"), "scopes": ["Mail.Send", "Mail.Send.Shared"]}
        if token not in known:
            raise Refusal(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        return known[token]

    def answer(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        if parts.query:
            self.strange.append(f"a query: {parts.query}")
        match = re.fullmatch(r"/v1\.0/(me|users/([^/]+))/sendMail", parts.path)
        if not match:
            raise Refusal(400, "BadRequest", "Resource not found for the segment.")
        if method != "POST":
            raise Refusal(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        caller = self.caller(headers)
        mailbox = urllib.parse.unquote(match.group(2)) if match.group(2) else None
        if mailbox is None and caller.get("app"):
            raise Refusal(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
        own = mailbox is None or mailbox.lower() == caller["user"].lower()
        if not {"Mail.Send", "Mail.Send.Shared"} & set(caller["scopes"]) or (
                not own and not caller.get("app") and "Mail.Send.Shared" not in caller["scopes"]):
            raise Refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        mailboxes = self.script.get("mailboxes")
        if mailboxes is not None and mailbox is not None and mailbox not in mailboxes:
            raise Refusal(404, "ErrorInvalidUser", f"The requested user '{mailbox}' is invalid.")
        if len(body) > self.script.get("limit", LIMIT):
            raise Refusal(413, "RequestEntityTooLarge", "The request entity is too large.")
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "text/plain":
            raise Refusal(415, "UnsupportedMediaType", "Only text/plain is a MIME send.")
        try:
            text = re.sub(rb"[\r\n]", b"", body)
            content = base64.b64decode(text, validate=True)
            if not content:
                raise ValueError
        except (binascii.Error, ValueError):
            raise Refusal(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        if b":" not in content.split(b"\n")[0]:
            raise Refusal(400, "ErrorMimeContentInvalid", "The MIME content is invalid.")
        recipients = rest.recipients_of(
            content, lambda name: Refusal(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."))
        if not any(recipients.values()):
            raise Refusal(400, "ErrorInvalidRecipients", "At least one recipient isn't valid., A message can't be sent "
                          "unless it contains at least one recipient.")
        if mailboxes is not None and not own and caller["user"] not in mailboxes[mailbox]:
            raise Refusal(403, "ErrorSendAsDenied", "The user account which was used to submit this request does not "
                          "have the right to send mail on behalf of the specified sending account.")
        self.take(content, recipients)
        return 202, None


if __name__ == "__main__":
    rest.main(Mailbox)
