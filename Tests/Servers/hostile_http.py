#!/usr/bin/env python3
"""hostile_http.py PORT PID KIND [COUNT]: attacks an HTTP service as hostile clients do; prints the results as JSON."""
import json, os, re, resource, select, socket, sys, time

port, pid, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect():
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def resident():
    """Resident memory of the service in MiB."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def worked():
    """CPU seconds that the service has taken, which other load on the machine doesn't change."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(patience=10):
    """Whether a well-behaved client is served, and how fast."""
    began = time.monotonic()
    with connect() as c:
        c.settimeout(patience)
        c.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        got = b""
        while more := c.recv(4096):
            got += more
    return got.startswith(b"HTTP/1.1 200"), time.monotonic() - began


def ended(connections, patience):
    """How many of the connections the service closes within the given seconds."""
    deadline = time.monotonic() + patience
    open_ = set(connections)
    while open_ and time.monotonic() < deadline:
        for c in select.select(list(open_)[:1000], [], [], 0.2)[0]:
            try:
                if c.recv(65536):
                    continue
            except OSError:
                pass
            open_.discard(c)
    return len(connections) - len(open_)


before = resident()
if kind == "idle":
    many = [connect() for _ in range(2000)]
    served, took = answers()
    print(json.dumps({"served": served, "grew": resident() - before, "open": len(many)}))
elif kind == "trickle":
    # A header line every second, forever: each byte resets an idle timeout.
    slow = [connect() for _ in range(20)]
    for c in slow[:10]:
        c.sendall(b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\n")
    for c in slow[10:]:
        c.sendall(
            b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 60000\r\n\r\n"
        )
    alive, began = set(slow), time.monotonic()
    while alive and time.monotonic() - began < 40:
        for c in list(alive):
            try:
                c.sendall(b"a: b\r\n" if c in slow[:10] else b" ")
            except OSError:
                alive.discard(c)
        for c in select.select(list(alive), [], [], 0.5)[0]:
            try:
                if not c.recv(65536):
                    alive.discard(c)
            except OSError:
                alive.discard(c)
    served, _ = answers()
    print(json.dumps({"served": served, "left": len(alive), "after": time.monotonic() - began}))
elif kind == "huge":
    results = []
    for head in (b"Content-Length: 10000000000\r\n", b"Transfer-Encoding: chunked\r\n"):
        with connect() as c:
            c.sendall(
                b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + head + b"\r\n"
            )
            sent = 0
            c.settimeout(5)
            try:
                while sent < 200_000_000:
                    chunk = b"x" * 65536
                    c.sendall(b"10000\r\n" + chunk + b"\r\n" if b"chunked" in head else chunk)
                    sent += len(chunk)
            except OSError:
                pass
            results.append(sent)
    # A header that never ends.
    with connect() as c:
        c.settimeout(5)
        sent = 0
        try:
            c.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nx: ")
            while sent < 50_000_000:
                sent += c.send(b"y" * 65536)
        except OSError:
            pass
        results.append(sent)
    served, _ = answers()
    print(json.dumps({"served": served, "sent": results, "grew": resident() - before}))
elif kind == "half":
    for content in (
        b"", b"\r\n", b"G", b"GET", b"GET / HTTP/1.1\r\n", b"\x00" * 100, b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /v1/verifications HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: l\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        for how in ("close", "reset"):
            c = connect()
            c.sendall(content)
            if how == "reset":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            c.close()
    served, _ = answers()
    print(json.dumps({"served": served}))
elif kind == "rules":
    start = b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    asked = {
        "old": b"GET /healthz HTTP/1.0\r\n\r\n",
        "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
        "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "waits": start + b"Expect: 100-continue\r\nContent-Length: 20\r\n\r\n",
        "waits with too much": start + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
        "said otherwise": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: TE, Close\r\n\r\n",
        "usual": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }
    answered = {}
    for name, content in asked.items():
        with connect() as c:
            c.sendall(content)
            got, end = c.recv(65536), "closed"
            c.settimeout(1)
            try:
                while more := c.recv(65536):
                    got += more
            except TimeoutError:
                end = "open"
            answered[name] = f"{got.decode().splitlines()[0]}, {end}"
    print(json.dumps(answered))
elif kind == "smuggling":
    # Requests whose end two parsers may see at different places: what follows must never be answered.
    post = b"POST /v1/proofs/redeem HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    inner = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunked = b"2\r\n{}\r\n0\r\n\r\n"
    asked = {
        "chunked": post + b"Transfer-Encoding: chunked\r\n\r\n" + chunked,
        "CHUNKED": post + b"transfer-encoding:CHUNKED\r\n\r\n" + chunked,
        "gzip, chunked": post + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
        "gzip;chunked": post + b"Transfer-Encoding: gzip;q=1, chunked\r\n\r\n" + chunked,
        "gzip": post + b"Transfer-Encoding: gzip\r\n\r\n" + chunked,
        "identity": post + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        "chunked, gzip": post + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + chunked,
        "chunked, chunked": post + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunked,
        "chunked twice": post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "two lines": post + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "xchunked": post + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "chunked;x": post + b"Transfer-Encoding: chunked;x=y\r\n\r\n" + chunked,
        "quoted": post + b'Transfer-Encoding: "chunked"\r\n\r\n' + chunked,
        "comma": post + b"Transfer-Encoding: ,chunked\r\n\r\n" + chunked,
        "empty": post + b"Transfer-Encoding:\r\nContent-Length: 2\r\n\r\n{}",
        "vertical tab": post + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunked,
        "space before colon": post + b"Transfer-Encoding : chunked\r\n\r\n" + chunked,
        "folded": post + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunked,
        "with length": post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
        "length after": post + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n" + chunked,
        "gzip with length": post + b"Content-Length: 2\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
        "two lengths": post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + inner,
        "same length twice": post + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + inner,
        "list of lengths": post + b"Content-Length: 2, 2\r\n\r\n{}" + inner,
        "signed length": post + b"Content-Length: +2\r\n\r\n{}" + inner,
        "hexadecimal length": post + b"Content-Length: 0x2\r\n\r\n{}" + inner,
        "huge length": post + b"Content-Length: 18446744073709551618\r\n\r\n{}" + inner,
        "old with chunked": post.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + chunked,
        "bare LF": post.replace(b"\r\n", b"\n") + b"Transfer-Encoding: chunked\n\n" + chunked,
        "chunk extension": post + b"Transfer-Encoding: chunked\r\n\r\n2;x=\"y\"\r\n{}\r\n0\r\n\r\n",
        "chunk with LF": post + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + inner,
        "signed chunk": post + b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + inner,
        "hexadecimal chunk": post + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + inner,
        "huge chunk": post + b"Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + inner,
        "long chunk": post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n" + inner,
        "length in trailer": post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
    }
    answered = {}
    for name, content in asked.items():
        with connect() as c:
            c.sendall(content)
            c.shutdown(socket.SHUT_WR)
            got = b""
            while more := c.recv(65536):
                got += more
        answered[name] = [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", got)]
    print(json.dumps(answered))
elif kind in ("unread", "announced"):
    # COUNT clients (the fourth argument) occupy the service: pipelined requests whose answers they never read, or
    # announced bodies that never come.
    count, unread = int(sys.argv[4]), kind == "unread"
    content = (
        b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100 if unread else
        b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 60000\r\n\r\n{"
    )
    many, peak, times, work, statuses = [], before, [], 0, []
    for _ in range(count):
        try:
            c = connect()
            c.setblocking(False)
            c.send(content)
            many.append(c)
        except OSError:
            pass
    began = time.monotonic()
    while time.monotonic() - began < 10 or len(statuses) < 3:
        earlier = worked()
        served, took = answers()
        work = max(work, worked() - earlier)
        times.append(took if served else 99)
        peak = max(peak, resident())
        with connect() as c:
            c.settimeout(10)
            body = json.dumps({"to": f"kim{len(statuses)}@example.com"}).encode()
            c.sendall(
                b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            statuses.append(int((c.recv(65536).split() or [0, 0])[1]))
        time.sleep(0.5)
    for c in many:
        c.close()
    after, deadline = resident(), time.monotonic() + 60
    while after >= 80 and time.monotonic() < deadline:
        time.sleep(1)
        after = resident()
    print(json.dumps({
        "slowest": max(times), "median": sorted(times)[len(times) // 2], "work": work, "before": before, "peak": peak, "after": after, "waited": time.monotonic() - deadline + 60,
        "statuses": statuses,
    }))
elif kind in ("broken", "absolute"):
    rest = b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    whole = b"GET /healthz" + rest
    asked = {
        "header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 9000 + b"\r\n\r\n",
        "fields": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 101 + b"\r\n",
        "method": b"BREW /healthz" + rest,
        "version": b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
        "line": b"GET\r\n\r\n",
        "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "field": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nno field\r\n\r\n",
        "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
        "two hosts": b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n" + whole,
        "behind others": whole + whole + b"BREW /healthz" + rest + whole,
        "half": b"GET /healthz HTT",
        "body": b"POST /v1/verifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "unread body": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    } if kind == "broken" else {
        "here": b"GET http://localhost/healthz?x=http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n",
        "mails here": b"GET http://127.0.0.1:8025/v1/mails/x" + rest.replace(b"localhost", b"other.example"),
        "capitals": b"GET HTTP://LOCALHOST:8025/v1/mails/x" + rest,
        "version 6": b"GET http://[::1]:8025/v1/mails/x" + rest,
        "elsewhere": b"GET http://other.example/v1/mails/x" + rest,
        "as a path": b"GET /http://localhost/v1/mails/x" + rest.replace(b"localhost", b"other.example"),
        "no path": b"GET http://localhost" + rest,
        "a query": b"GET http://localhost?/healthz" + rest,
        "a user": b"GET http://localhost@other.example/v1/mails/x" + rest,
        "no host": b"GET http:///v1/mails/x" + rest,
        "a port alone": b"GET http://:8025/v1/mails/x" + rest,
        "another scheme": b"GET ftp://localhost/healthz" + rest,
        "without Host": b"GET http://localhost/healthz HTTP/1.1\r\n\r\n",
        "old": b"GET http://other.example/v1/mails/x HTTP/1.0\r\n\r\n",
        "host alone elsewhere": b"GET /v1/mails/x" + rest.replace(b"localhost", b"other.example"),
    }
    answered = {}
    for name, content in asked.items():
        with connect() as c:
            c.sendall(content)
            # End of input: complete requests are answered, and a malformed one closes the connection.
            if kind == "absolute" or name == "half":
                c.shutdown(socket.SHUT_WR)
            got = b""
            while more := c.recv(65536):
                got += more
        answers_ = []
        for part in re.split(rb"HTTP/1\.1 (?=[0-9]{3} )", got)[1:]:
            head, _, body = part.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:])
            said = json.loads(body) if body else {}
            answers_.append({
                "status": int(lines[0].split()[0]), "type": fields.get("content-type"),
                "connection": fields.get("connection"), "dated": "date" in fields,
                "problem": said.get("type"), "said": said.get("status"), "bytes": len(body),
                "whole": len(body) == int(fields["content-length"]),
            })
        answered[name] = answers_
    print(json.dumps(answered))
