#!/usr/bin/env python3
"""submission_kills.py PABAL DIRECTORY KILLS: programs that submit mail by SMTP, by `sendmail` over the socket and by `sendmail`
into the drop directory, while `pabal serve` is killed again and again.

Prints JSON: how many mails were acknowledged by each way, which of them are missing from the outbox, which were queued twice,
and what the programs wrote that they shouldn't have.
"""
import json
import os
import pathlib
import random
import re
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import threading
import time

pabal, directory, kills = os.path.realpath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve(), int(sys.argv[3])
os.chdir(directory)
environment = {name: value for name, value in os.environ.items() if not name.startswith("PABAL_")}
drop = directory / "drop"
drop.mkdir()
drop.chmod(0o3733)
while True:
    # Below the ephemeral range, so that no other test takes the port while serve is down.
    port = random.randrange(12_000, 30_000)
    try:
        socket.create_server(("127.0.0.1", port)).close()
        break
    except OSError:
        pass
(directory / "config.json").write_text(json.dumps({
    "transport": "file", "transports": {"file": {"plugin": "file", "directory": "mail"}},
    "from": "Pabal <pabal@example.com>", "outbox": {"retention": "168h"},
    "serve": {"submission": {"listen": [f"127.0.0.1:{port}"], "security": "none", "networks": ["127.0.0.1"],
                             "socket": str(directory / "submit"), "drop": str(drop)}}}))

lock = threading.Lock()
acknowledged = {"smtp": [], "socket or drop": [], "drop": []}
unexpected = []
finished = False


def mail(marker):
    return f"From: kim@example.com\nSubject: {marker}\n\n{marker}\n" + "x" * 70 * random.randrange(1, 60) + "\n"


def serve():
    process = subprocess.Popen([pabal, "serve"], stderr=open("log", "ab"), env=environment)
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.005)
    raise SystemExit("serve ended: " + open("log").read()[-2000:])


def by_smtp(number):
    count = 0
    while not finished:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as one:
                for _ in range(random.randrange(1, 8)):
                    if finished:
                        return
                    count += 1
                    marker = f"smtp-{number}-{count}"
                    one.ehlo_or_helo_if_needed()
                    one.mail("kim@example.com")
                    one.rcpt(f"{marker}@example.net")
                    code, text = one.data(mail(marker))
                    if code == 250:
                        with lock:
                            acknowledged["smtp"].append((marker, re.search(rb"[0-9A-Z]{26}", text)[0].decode()))
                    elif not 400 <= code < 500:
                        unexpected.append(f"{marker}: {code} {text}")
        except (OSError, smtplib.SMTPException):
            time.sleep(0.005)


def by_sendmail(number, way, *options):
    count = 0
    while not finished:
        count += 1
        marker = f"{way.replace(' ', '')}-{number}-{count}"
        run = subprocess.run([pabal, "sendmail", *options, "-i", "-f", "kim@example.com", f"{marker}@example.net"],
                             input=mail(marker).encode(), capture_output=True, env=environment)
        if run.returncode == 0:
            with lock:
                acknowledged[way].append((marker, None))
        # 75: the connection was lost before the answer.
        elif run.returncode != 75:
            unexpected.append(f"{marker}: {run.returncode} {run.stderr.decode()}")
        time.sleep(0.01)


def waiting():
    """The names of the drop files; `limits` is the service's own."""
    return [path.name for path in drop.iterdir() if path.name != "limits"]


server = serve()
threads = [threading.Thread(target=by_smtp, args=(number,)) for number in range(8)]
threads += [threading.Thread(target=by_sendmail, args=(
    number, "socket or drop", "--socket", str(directory / "submit"), "--drop", str(drop))) for number in range(2)]
threads += [threading.Thread(target=by_sendmail, args=(
    number, "drop", "--socket", str(directory / "missing"), "--drop", str(drop))) for number in range(2)]
for thread in threads:
    thread.start()
for _ in range(kills):
    time.sleep(random.uniform(0.02, 0.4))
    server.send_signal(signal.SIGKILL)
    server.wait()
    server = serve()
finished = True
for thread in threads:
    thread.join()
# Each mail names its marker in the subject, so the files of the transport tell which were queued.
database = sqlite3.connect("file:pabal.sqlite?mode=ro", uri=True)
count = lambda: database.execute("SELECT count(*) FROM mail WHERE state IN ('waiting', 'sending')").fetchone()[0]
end = time.monotonic() + 300
while (count() or waiting()) and time.monotonic() < end:
    time.sleep(0.1)
left = waiting()
server.send_signal(signal.SIGTERM)
server.wait()
rows = {id: state for id, state in database.execute("SELECT id, state FROM mail")}
queued = {}
for path in (directory / "mail").glob("[0-9A-Z]*.eml"):
    found = re.search(rb"^Subject: (\S+)", path.read_bytes(), re.M)
    queued.setdefault(found[1].decode(), set()).add(path.name[:26])
answered = [pair for pairs in acknowledged.values() for pair in pairs]
print(json.dumps({
    "kills": kills, "acknowledged": {way: len(pairs) for way, pairs in acknowledged.items()},
    "lost": [marker for marker, id in answered if marker not in queued or id is not None and id not in rows],
    "unfinished": [id for id, state in rows.items() if state != "sent"], "left in the drop directory": left,
    "queued twice": [marker for marker, ids in queued.items() if len(ids) > 1], "unexpected": unexpected[:20]}))
