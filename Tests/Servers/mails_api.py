#!/usr/bin/env python3
"""mails_api.py PORT PID KIND: sends mail by POST /v1/mails as applications do; prints the results as JSON."""
import base64, email.message, email.policy, hashlib, http.client, json, os, socket, sys, threading, time, urllib.parse

port, pid, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def resident(field="VmRSS"):
    """Resident memory of the service in MiB; VmHWM is its peak."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024


def post(path, body, type_, headers={}, chunked=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body=body, headers={"Content-Type": type_, **headers}, encode_chunked=chunked)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def mails(**envelope):
    return "/v1/mails?" + urllib.parse.urlencode(envelope, doseq=True)


def message(**fields):
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    return mail


if kind == "finished":
    mail = message(From="가게 <shop@example.com>", To="other@example.com", Cc="cc@example.com", Bcc="hidden@example.com", Subject="주문")
    mail.set_content("감사합니다. 안녕히 가세요.\n", cte="8bit")
    mail.add_attachment(os.urandom(3000), maintype="application", subtype="pdf", filename="영수증.pdf")
    content = mail.as_bytes()
    path = mails(**{"from": "bounces+1@example.com", "to": ["kim+tag@example.com"]})
    status, body = post(path, content, "message/rfc822", {"Prefer": "wait=20"})
    # As a program on Unix writes it: LF, and in chunks.
    lines = iter([content.replace(b"\r\n", b"\n")[n:n + 700] for n in range(0, len(content), 700)])
    second, _ = post(path, lines, "message/rfc822", {"Prefer": "wait=20"}, chunked=True)
    head, _, text = content.partition(b"\r\n\r\n")
    print(json.dumps({"status": status, "state": body.get("status"), "second": second, "body": hashlib.sha256(text).hexdigest()}))
elif kind == "attachments":
    files = {"영수증 2026.pdf": os.urandom(400_000), "data.csv": "이름,수\n김,1\n".encode()}
    body = {
        "to": ["kim@example.com", "lee@example.com"], "message": "verification", "replyTo": "고객지원 <support@example.com>",
        "variables": {"code": "424242", "valid_for": "10m"},
        "attachments": [{"name": name, "type": "text/csv; charset=utf-8" if name.endswith("csv") else "application/pdf",
                         "content": base64.encodebytes(content).decode()} for name, content in files.items()],
    }
    status, answer = post("/v1/mails", json.dumps(body), "application/json", {"Prefer": "wait=20"})
    print(json.dumps({"status": status, "answer": answer, "digests": [hashlib.sha256(c).hexdigest() for c in files.values()]}))
elif kind == "large":
    # Mails near the maximum size, one after another, then more at once than the memory has room for.
    results, limit = {}, 36_700_160
    start = resident()
    path = mails(**{"from": "a@example.com", "to": "kim@example.com"})
    head = b"Subject: large\r\n\r\n"
    line = b"x" * 76 + b"\r\n"
    large = head + line * ((limit - len(head)) // len(line))
    results["largest"] = post(path, large, "message/rfc822")[0]
    results["over"] = post(path, large + line * 2, "message/rfc822")[0]
    attached = json.dumps({"to": "kim@example.com", "message": "verification", "variables": {"code": "424242", "valid_for": "10m"},
                           "attachments": [{"name": "a.bin", "content": "A" * 34_000_000}]})
    results["attached"] = post("/v1/mails", attached, "application/json")[0]
    # As base64 in lines it is over the limit.
    more = attached.replace("A" * 34_000_000, "A" * 36_400_000)
    status, problem = post("/v1/mails", more, "application/json")
    results["attached over"] = [status, problem["title"], problem["detail"]]
    results["peak of one"] = resident("VmHWM") - start
    # Four connections of one client hold an unfinished mail each: there is room for one of this size.
    held = []
    for number in range(4):
        c = socket.create_connection(("127.0.0.1", port), timeout=30)
        c.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\nContent-Length: {limit}\r\n\r\n".encode())
        c.sendall(head + line * 3_000)
        held.append(c)
    refused = []
    for c in held:
        c.settimeout(3)
        try:
            refused.append(c.recv(65536).split(b"\r\n")[0].decode())
        except TimeoutError:
            refused.append("waits")
    results["at once"] = sorted(refused)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/healthz")
    results["others"] = connection.getresponse().status
    results["small"] = post(path, head + line, "message/rfc822")[0]
    for c in held:
        c.close()
    deadline = time.monotonic() + 20
    while (again := post(path, large, "message/rfc822")[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    results["afterwards"] = again
    print(json.dumps(results))
elif kind == "stranger":
    # Without a key, no byte of a large body is waited for.
    answers = []
    for expects in (b"", b"Expect: 100-continue\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as c:
            c.sendall(b"POST /v1/mails?from=&to=k@example.com HTTP/1.1\r\nHost: localhost\r\nContent-Type: message/rfc822\r\n"
                      b"Content-Length: 30000000\r\n" + expects + b"\r\n")
            answers.append([line.decode() for line in c.recv(65536).split(b"\r\n") if line.startswith(b"HTTP/")])
    print(json.dumps({"answers": answers}))
