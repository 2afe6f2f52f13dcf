"""Drives a Gmail endpoint with Google's own Python client, and reads Google's discovery document.

Reads a JSON list of steps, prints a list of results. A step is {"do": "json" | "media" | "multipart" | "profile",
"endpoint": URL, "bytes": BASE64, "authority": FILE}; its result {"answer": ..., "strange": [violations of
the document]} or {"status", "reason", "retries"}: the error as the client understood it, and whether it would retry.
{"do": "document"} returns what the document says about sending.
"""
import base64
import io
import json
import sys

import google.oauth2.credentials
import google_auth_httplib2
import googleapiclient.discovery
import googleapiclient.errors
import googleapiclient.http
import httplib2
from googleapiclient.discovery_cache import get_static_doc

DOCUMENT = json.loads(get_static_doc("gmail", "v1"))


def strange(value, schema, place="answer"):
    """The parts of `value` that violate its schema in the document."""
    if "$ref" in schema:
        return strange(value, DOCUMENT["schemas"][schema["$ref"]], place)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": (int, float)}
    if not isinstance(value, kinds[schema["type"]]):
        return [f"{place} is not a {schema['type']}"]
    if schema["type"] == "array":
        return [found for item in value for found in strange(item, schema["items"], place + "[]")]
    if schema["type"] != "object":
        return []
    found = [f"{place}.{key} is not in the document" for key in value if key not in schema["properties"]]
    for key in value.keys() & schema["properties"].keys():
        found += strange(value[key], schema["properties"][key], f"{place}.{key}")
    return found


def users(step):
    credentials = google.oauth2.credentials.Credentials(step.get("token", "ya29.google"))
    http = google_auth_httplib2.AuthorizedHttp(
        credentials, http=httplib2.Http(ca_certs=step["authority"], timeout=20),
        refresh_status_codes=())
    return googleapiclient.discovery.build(
        "gmail", "v1", http=http, client_options={"api_endpoint": step["endpoint"]}, static_discovery=True).users()


def request(step):
    content = base64.b64decode(step.get("bytes", ""))
    if step["do"] == "profile":
        return users(step).getProfile(userId="me"), "Profile"
    if step["do"] == "json":
        raw = base64.urlsafe_b64encode(content).decode()
        return users(step).messages().send(userId="me", body={"raw": raw}), "Message"
    media = googleapiclient.http.MediaIoBaseUpload(io.BytesIO(content), "message/rfc822", resumable=False)
    body = {"threadId": "19a0"} if step["do"] == "multipart" else None
    return users(step).messages().send(userId="me", body=body, media_body=media), "Message"


def run(step):
    if step["do"] == "document":
        send = DOCUMENT["resources"]["users"]["resources"]["messages"]["methods"]["send"]
        profile = DOCUMENT["resources"]["users"]["methods"]["getProfile"]
        upload = send["mediaUpload"]
        return {"root": DOCUMENT["rootUrl"], "upload": upload["protocols"]["simple"]["path"],
                "profile": profile["path"], "largest": upload["maxSize"], "accept": upload["accept"],
                "sendScopes": send["scopes"], "profileScopes": profile["scopes"]}
    asked, schema = request(step)
    try:
        answer = asked.execute()
        return {"answer": answer, "strange": strange(answer, {"$ref": schema})}
    except googleapiclient.errors.HttpError as error:
        retries = googleapiclient.http._should_retry_response(error.resp.status, error.content)
        return {"status": error.resp.status, "reason": error.reason, "retries": bool(retries)}


print(json.dumps([run(step) for step in json.load(sys.stdin)]))
