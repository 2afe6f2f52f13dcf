#!/usr/bin/env python3
"""costs.py PORT PID ID: sends each field of each request at its size limit; prints status, CPU time and memory as JSON."""
import glob, http.client, json, sys, time

port, pid, verification = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
LIMIT, REPEATS = 65536, 5


def spent():
    """CPU time of the service's threads in milliseconds."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            total += int(open(path).read().split()[0])
        except OSError:
            pass
    return total / 1e6


def resident():
    """Resident memory of the service in MiB."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def fill(unit, size=LIMIT - 200):
    return (unit * (size // len(unit.encode()) + 1))[: size // max(len(unit.encode()) // len(unit), 1)]


# Texts that are expensive for some parser: long ones of one letter, of combining marks, of joined emoji, of separators.
texts = {
    "letters": fill("a"), "digits": fill("7"), "combining": "e" + "\u0301" * 32000, "joined": "\U0001F468\u200D" * 9000,
    "hangul": "\uAC00" * 21000, "jamo": "\u1100\u1161" * 10000, "fullwidth": "\uFF11" * 21000,
    "hyphens": "a-" * 32500, "dots": "a." * 32500, "commas": "ko," * 21000, "ats": "a@" * 32500, "quotes": '"' * 32000,
    "spaces": " " * 65000, "ignorable": "\u200B" * 21000, "percents": "%41" * 21000, "angles": "<a>" * 21000,
    "links": "https://a " * 6500, "flags": "\U0001F1F0" * 16000,
}
start = {"to": "kim@example.com"}
bodies = {}
for name, text in texts.items():
    for field in ("to", "purpose", "message", "language"):
        bodies[f"start {field} {name}"] = ("/v1/verifications", {**start, field: text})
    bodies[f"start variables {name}"] = ("/v1/verifications", {**start, "variables": {"service": text}})
    bodies[f"start variable {name}"] = ("/v1/verifications", {**start, "variables": {"service": text[:2700]}})
    bodies[f"start variable name {name}"] = ("/v1/verifications", {**start, "variables": {text: "x"}})
    bodies[f"start client {name}"] = ("/v1/verifications", {**start, "client": {"ip": text}})
    bodies[f"start key {name}"] = ("/v1/verifications", {**start, text: "x"})
    bodies[f"check code {name}"] = (f"/v1/verifications/{verification}/check", {"code": text})
    bodies[f"check client {name}"] = (f"/v1/verifications/{verification}/check", {"code": "1", "client": {"ip": text}})
    bodies[f"resend client {name}"] = (f"/v1/verifications/{verification}/resend", {"client": {"ip": text}})
    bodies[f"redeem proof {name}"] = ("/v1/proofs/redeem", {"proof": text})
    bodies[f"mail to {name}"] = ("/v1/mails", {"to": text, "message": "verification"})
    bodies[f"mail name {name}"] = ("/v1/mails", {"to": text[:8000] + " <kim@example.com>", "message": "verification"})
    bodies[f"mail message {name}"] = ("/v1/mails", {"to": "kim@example.com", "message": text})
    bodies[f"mail language {name}"] = ("/v1/mails", {"to": "kim@example.com", "message": "verification", "language": text})
    bodies[f"render language {name}"] = ("/v1/messages/verification/render", {"language": text})
    bodies[f"render variables {name}"] = ("/v1/messages/verification/render", {"variables": {"service": text[:2700]}})
bodies |= {
    "start languages": ("/v1/verifications", {**start, "language": ["zh-Hant-TW"] * 4900}),
    "start short languages": ("/v1/verifications", {**start, "language": ["a-b"] * 9000}),
    "start keys": ("/v1/verifications", {**start, **{f"k{n}": 1 for n in range(6500)}}),
    "start keys like known ones": ("/v1/verifications", {**start, **{f"purpos{n}": 1 for n in range(4500)}}),
    "start variables": ("/v1/verifications", {**start, "variables": {f"v{n}": "x" for n in range(4700)}}),
    "start bad variables": ("/v1/verifications", {**start, "variables": {f"v {n}": 1 for n in range(4700)}}),
    "mail recipients": ("/v1/mails", {"to": [f"k{n}@{'e' * 60}.{'x' * 60}.example" for n in range(100)], "message": "verification", "variables": {"code": "123456", "minutes": "10m"}}),
    "mail many recipients": ("/v1/mails", {"to": ["k@example.com"] * 4000, "message": "verification"}),
    "mail bad recipients": ("/v1/mails", {"to": ["@" * 600] * 100, "message": "verification"}),
    "nested": ("/v1/verifications", "[" * 65000),
    "nested objects": ("/v1/verifications", '{"a":' * 10000),
    "arrays": ("/v1/verifications", "[" + "[]," * 21000 + "[]]"),
    "numbers": ("/v1/verifications", '{"to": ' + "1" * 65000 + "}"),
    "list of numbers": ("/v1/verifications", '{"to": [' + "1," * 32000 + "1]}"),
    "escapes": ("/v1/verifications", '{"to": "' + "\\u0041" * 10800 + '"}'),
    "duplicate keys": ("/v1/verifications", "{" + '"to":1,' * 9000 + '"to":1}'),
    "blanks": ("/v1/verifications", " " * 65000 + "{}"),
    "lines": ("/v1/verifications", "\n" * 65000 + "{}"),
}
cases = {name: ("POST", path, {"Content-Type": "application/json"}, body if isinstance(body, str) else json.dumps(body, ensure_ascii=False))
         for name, (path, body) in bodies.items()}
json_type = {"Content-Type": "application/json"}
for name, value in {
    "letters": "a" * 8000, "commas": "a," * 4000, "semicolons": "wait=1;" * 1100, "quotes": '"' * 8000, "spaces": "a" + " " * 7990 + "a",
    "languages": "ko-KR-a-b-c;q=0.1," * 440, "addresses": "127.0.0.1," * 800, "hyphens": "a-" * 4000,
}.items():
    for field in ("Authorization", "Idempotency-Key", "Prefer", "Content-Type", "Accept-Language", "X-Forwarded-For", "Forwarded", "Host", "Cookie", "Expect", "Connection", "Origin", "Sec-Fetch-Site"):
        cases[f"header {field} {name}"] = ("POST", "/v1/verifications", {**json_type, field: value}, json.dumps(start))
    cases[f"path {name}"] = ("GET", "/v1/verifications/" + value.replace(" ", "+").replace('"', "%22"), {}, None)
    cases[f"query {name}"] = ("GET", "/?language=" + value.replace(" ", "+").replace('"', "%22"), {"Accept-Language": value}, None)
form = {"Content-Type": "application/x-www-form-urlencoded"}
for field in ("address", "code", "language", "once", "verification", "other"):
    for name, value in {"letters": "a" * 65000, "percents": "%41" * 21000, "ats": "a%40" * 16000}.items():
        for action in ("start", "check", "resend", "cancel", "show"):
            cases[f"form {action} {field} {name}"] = ("POST", f"/demo/{action}", form, f"{field}={value}")
cases["form fields"] = ("POST", "/demo/start", form, "a=b&" * 16000)
cases["form nested fields"] = ("POST", "/demo/start", form, "&".join(f"a[b{n}][c]=d" for n in range(4500)))

results, before = [], resident()
for name, (method, path, headers, body) in cases.items():
    began, status, slowest = spent(), 0, 0
    for _ in range(REPEATS):
        clock = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            content = body.encode()[:LIMIT] if body is not None else None
            for field, value in headers.items():
                connection.putheader(field, value)
            if content is not None:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content)
            answer = connection.getresponse()
            status, size = answer.status, len(answer.read())
        except (http.client.HTTPException, OSError) as error:
            status, size = -1, 0
        finally:
            connection.close()
        slowest = max(slowest, time.monotonic() - clock)
    results.append({"case": name, "status": status, "cpu": (spent() - began) / REPEATS, "slowest": slowest, "size": size})
print(json.dumps({"cases": results, "before": before, "after": resident()}))
