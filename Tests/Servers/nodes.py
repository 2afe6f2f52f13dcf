#!/usr/bin/env python3
"""nodes.py PABAL DIRECTORY SERVER CERTIFICATE KEY CLOCK STEP ...: three nodes of `pabal serve` on one PostgreSQL database, under load by SMTP,
while STEPs disturb them, each of the form NAME=NUMBER.

SERVER: Tests/Servers/postgresql.sh. CLOCK: the library that sets a program's clock wrong.
  kill=N        N times: `kill -9` of one of the nodes, which is started again
  restart=N     N times: the database server crashes and starts again
  terminate=N   for N seconds: five times a second all connections of the nodes are ended
  idle=N        for N seconds: 200 idle connections, an idle transaction, and four REPEATABLE READ readers
  clock=N       for N seconds: one node's clock is N minutes fast
Prints JSON: what was acknowledged, and what of it is lost; how many mails were sent twice, and how many may have been because a
node died or lost its settlement; the rate before and after each step.
"""
import json
import os
import pathlib
import random
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time

pabal, directory = os.path.realpath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
server_script, certificate, key, clock = sys.argv[3:7]
steps = [(name, int(number)) for name, number in (step.split("=") for step in sys.argv[7:])]
os.chdir(directory)
environment = {name: value for name, value in os.environ.items() if not name.startswith("PABAL_")}
# The server runs as another user.
directory.chmod(0o755)
(directory / "server").mkdir()
server = subprocess.Popen(["bash", server_script, str(directory / "server"), certificate, key], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, env=environment | {"DURABLE": "1"})
values = {}
for line in server.stdout:
    if line == "READY\n":
        break
    name, _, value = line.strip().partition("=")
    values[name] = value
else:
    raise SystemExit("the database server did not start")


def sql(text, database="pabal"):
    run = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", values["socket"], "-p", values["port"], "-U", "postgres",
                          "-d", database, "-c", text], capture_output=True, text=True)
    return run.stdout.strip().split("\n") if run.returncode == 0 else None


assert sql("CREATE DATABASE pabal", "postgres") is not None
uri = f"postgresql://postgres@{values['socket'].replace('/', '%2F')}:{values['port']}/pabal"
used = set()


def free_port():
    while True:
        # Below the ephemeral range, so that no other test takes the port while a node is down.
        port = random.randrange(12_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in used:
            used.add(port)
            return port


class Node:
    def __init__(self, number):
        self.number, self.port = number, free_port()
        (directory / f"node{number}.json").write_text(json.dumps({
            "transport": "file", "transports": {"file": {"plugin": "file", "directory": "mail"}},
            "from": "Pabal <pabal@example.com>", "storage": {"postgresql": uri}, "outbox": {"lease": "5s", "retention": "168h"},
            "serve": {"submission": {"listen": [f"127.0.0.1:{self.port}"], "security": "none", "networks": ["127.0.0.1"]}}}))
        self.process = None

    def start(self, **extra):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen([pabal, "serve", "--config", f"node{self.number}.json"],
                                                stderr=open(f"log{self.number}", "ab"), env=environment | extra)
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"node {self.number} did not start: " + open(f"log{self.number}").read()[-2000:])

    def stop(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.process = None


lock = threading.Lock()
acknowledged = []
unexpected = []
finished = False


def submit(number):
    count = 0
    while not finished:
        node = random.choice(nodes)
        try:
            with smtplib.SMTP("127.0.0.1", node.port, timeout=30) as one:
                one.ehlo()
                for _ in range(20):
                    if finished:
                        return
                    count += 1
                    marker = f"m-{number}-{count}"
                    one.mail("kim@example.com")
                    one.rcpt(f"{marker}@example.net")
                    code, text = one.data(f"From: kim@example.com\nSubject: {marker}\n\n{marker}\n")
                    if code == 250:
                        with lock:
                            acknowledged.append((time.monotonic(), marker, re.search(rb"[0-9A-Z]{26}", text)[0].decode()))
                    elif not 400 <= code < 500:
                        unexpected.append(f"{marker}: {code} {text}")
        except (OSError, smtplib.SMTPException):
            time.sleep(0.02)


def rate(seconds):
    began = time.monotonic()
    time.sleep(seconds)
    with lock:
        return round(sum(at >= began for at, _, _ in acknowledged) / (time.monotonic() - began))


def order(line, answer):
    server.stdin.write(f"{line}\n")
    server.stdin.flush()
    assert server.stdout.readline() == f"{answer}\n"


def idle(seconds):
    arguments = ["psql", "-Xq", "-h", values["socket"], "-p", values["port"], "-U", "postgres", "-d", "pabal"]
    beside = []
    for number in range(205):
        one = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        if number < 5:
            level = "REPEATABLE READ" if number else "READ COMMITTED"
            one.stdin.write(f"BEGIN ISOLATION LEVEL {level};\nSELECT count(*) FROM pabal.mail;\n")
            one.stdin.flush()
        beside.append(one)
    time.sleep(seconds)
    for one in beside:
        one.kill()
        one.wait()


nodes = [Node(number) for number in range(3)]
for node in nodes:
    node.start()
threads = [threading.Thread(target=submit, args=(number,)) for number in range(12)]
for thread in threads:
    thread.start()
time.sleep(1)
rates = {}
deaths = 0
for name, number in steps:
    before = rate(2)
    for step in range(number):
        if name == "kill":
            node = random.choice(nodes)
            node.stop(signal.SIGKILL)
            node.start()
            deaths += 1
            time.sleep(random.uniform(0.05, 0.3))
        elif name == "restart":
            order("restart immediate", "RESTARTED")
            deaths += 3
            time.sleep(1)
        elif name == "terminate":
            for _ in range(5):
                sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pabal'", "postgres")
                time.sleep(0.2)
            deaths += 3
        elif name == "idle" and step == 0:
            idle(number)
        elif name == "clock" and step == 0:
            nodes[0].stop(signal.SIGTERM)
            nodes[0].start(LD_PRELOAD=clock, PABAL_TEST_CLOCK=str(number * 60))
            time.sleep(number)
            nodes[0].stop(signal.SIGTERM)
            nodes[0].start()
    time.sleep(1)
    rates[name] = {"before": before, "after": rate(2)}
finished = True
for thread in threads:
    thread.join()
# Mail is accepted faster than it is sent. A minute without progress is the end, too.
left, changed = None, time.monotonic()
while left != ["0"] and time.monotonic() - changed < 60:
    time.sleep(0.2)
    now = sql("SELECT count(*) FROM pabal.mail WHERE state IN ('waiting', 'sending')")
    if now is not None and now != left:
        left, changed = now, time.monotonic()
# A node that was killed held the mails that it was sending; their lease is five seconds.
for node in nodes:
    node.stop(signal.SIGTERM)
rows = dict(row.split("|") for row in sql("SELECT id, state FROM pabal.mail"))
sent = {}
for path in (directory / "mail").glob("[0-9A-Z]*.eml"):
    found = re.search(rb"^Subject: (\S+)", path.read_bytes(), re.M)
    sent.setdefault(found[1].decode(), set()).add(path.name)
attempts = {}
for number in range(3):
    for line in open(f"log{number}", errors="replace"):
        if found := re.search(r" attempt mail=(\S+) .*outcome=sent", line):
            attempts[found[1]] = attempts.get(found[1], 0) + 1
print(json.dumps({
    "steps": dict(steps), "acknowledged": len(acknowledged),
    "lost": [marker for _, marker, id in acknowledged if marker not in sent or id not in rows][:20],
    "unfinished": [id for id, state in rows.items() if state != "sent"][:20],
    "sent twice": sum(count > 1 for count in attempts.values()), "may be sent twice": deaths * 8,
    "queued twice": [marker for marker, names in sent.items() if len({name[:26] for name in names}) > 1][:20],
    "rates": rates, "unexpected": unexpected[:20]}))
server.stdin.close()
server.wait()
