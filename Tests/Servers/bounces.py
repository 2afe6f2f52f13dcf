#!/usr/bin/env python3
"""bounces.py CASE PABAL DIRECTORY [KILLS]: reports about submitted mail that a mail server refuses.

Starts `pabal serve` in DIRECTORY and a mail server that answers by the name of the recipient: `refused…` 550 5.1.1, `later…`
451, anything else 250. Prints a line of JSON about the case.
"""
import atexit
import email
import email.policy
import json
import os
import pathlib
import random
import re
import smtplib
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

case, pabal, root = sys.argv[1], os.path.realpath(sys.argv[2]), pathlib.Path(sys.argv[3]).resolve()
environment = {name: value for name, value in os.environ.items() if not name.startswith("PABAL_")}


class MailServer(socketserver.ThreadingTCPServer):
    """Records the mail that it accepts; `deliver` gets each of them."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, deliver=lambda sender, recipients, content: None, seven_bit=False, null_sender=True):
        super().__init__(("127.0.0.1", 0), Session)
        self.port, self.deliver, self.accepted = self.server_address[1], deliver, []
        self.seven_bit, self.null_sender = seven_bit, null_sender
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        def say(text):
            self.wfile.write(text.encode() + b"\r\n")

        say("220 server.test ESMTP")
        sender, recipients = None, []
        try:
            while line := self.rfile.readline():
                text = line.decode().rstrip("\r\n")
                verb = text[:4].upper()
                if verb == "EHLO":
                    extensions = "" if self.server.seven_bit else "250-8BITMIME\r\n250-SMTPUTF8\r\n"
                    say(f"250-server.test\r\n250-PIPELINING\r\n{extensions}250-CHUNKING\r\n250 ENHANCEDSTATUSCODES")
                elif verb == "MAIL" and "FROM:<>" in text and not self.server.null_sender:
                    sender, recipients = None, []
                    say("550 5.7.1 sender <> not allowed")
                elif verb == "MAIL":
                    sender, recipients = re.match(r"MAIL FROM:<(.*?)>", text)[1], []
                    say("250 2.1.0 ok")
                elif verb == "RCPT":
                    address = re.match(r"RCPT TO:<(.*?)>", text)[1]
                    if sender is None:
                        say("503 5.5.1 no sender")
                    elif address.startswith("refused"):
                        say(f"550 5.1.1 <{address}>: no such user")
                    elif address.startswith("later"):
                        say("451 4.2.1 later")
                    else:
                        recipients.append(address)
                        say("250 2.1.5 ok")
                elif verb in ("BDAT", "DATA"):
                    if verb == "BDAT":
                        content = self.rfile.read(int(text.split()[1]))
                    elif recipients:
                        say("354 go on")
                        content = b""
                        while (line := self.rfile.readline()) != b".\r\n":
                            content += line
                    if not recipients:
                        say("503 5.5.1 no recipients")
                        continue
                    self.server.accepted.append((sender, list(recipients), content))
                    self.server.deliver(sender, recipients, content)
                    say("250 2.0.0 taken")
                elif verb == "QUIT":
                    return say("221 bye")
                else:
                    say("250 2.0.0 ok")
        except OSError:
            pass


def free_port():
    while True:
        # Below the ephemeral range, so that no other test takes the port while serve is down.
        port = random.randrange(12_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass


class Pabal:
    """A `pabal serve` in a directory of its own, whose transport is the mail server on `port`."""

    def __init__(self, name, port, http=None, size=None):
        self.directory = root / name
        self.directory.mkdir()
        self.port, self.http, self.process = free_port(), http, None
        (self.directory / "drop").mkdir()
        (self.directory / "drop").chmod(0o3733)
        configuration = {
            "transport": "smtp",
            "transports": {"smtp": {"plugin": "smtp", "host": "127.0.0.1", "port": port, "security": "none"}},
            "from": f"Pabal <pabal@{name}.test>", "outbox": {"retention": "168h", "lease": "5s"},
            "serve": {"submission": {
                "listen": [f"127.0.0.1:{self.port}"], "security": "none", "networks": ["127.0.0.1"],
                "host": f"{name}.test", "socket": str(self.directory / "submit"),
                "drop": str(self.directory / "drop")}}}
        if http:
            configuration["serve"].update({"listen": f"127.0.0.1:{http}", "keyless": True})
            configuration["messages"] = {
                "directory": str(pathlib.Path(__file__).resolve().parents[2] / "Sources/Messages"), "language": "en",
                "variables": {"service": "Pabal"}}
        if size:
            configuration["serve"]["submission"]["limits"] = {"size": size}
        (self.directory / "config.json").write_text(json.dumps(configuration))
        self.start()
        atexit.register(self.kill)

    def start(self):
        self.process = subprocess.Popen(
            [pabal, "serve"], stderr=open(self.directory / "log", "ab"), env=environment, cwd=self.directory)
        while self.process.poll() is None:
            try:
                for port in filter(None, [self.port, self.http]):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise SystemExit("serve ended: " + self.log()[-2000:])

    def log(self):
        return (self.directory / "log").read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def rows(self):
        database = sqlite3.connect(f"file:{self.directory}/pabal.sqlite?mode=ro", uri=True)
        return database.execute("SELECT id, state, report FROM mail ORDER BY number").fetchall()

    def settle(self, count):
        """Waits until the outbox has `count` mails, all in a final state."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            rows = self.rows()
            if len(rows) >= count and not any(state in ("waiting", "sending") for _, state, _ in rows):
                return rows
            time.sleep(0.02)
        raise SystemExit(f"not settled: {self.rows()} {self.log()[-3000:]}")

    def submit(self, sender, recipients, content="Subject: hello\r\n\r\ntext\r\n", mail=(), rcpt=()):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as one:
            one.ehlo()
            one.mail(sender, list(mail))
            for recipient in recipients:
                code, text = one.rcpt(recipient, list(rcpt))
                assert code == 250, text
            code, text = one.data(content.encode() if isinstance(content, str) else content)
            assert code == 250, text
            return re.search(rb"[0-9A-Z]{26}", text)[0].decode()


def read_by_debian(content):
    """The content types of a report as reformime (maildrop) lists them, and what a bounce parser (Perl) finds in it."""
    listing = subprocess.run(["reformime", "-i"], input=content, capture_output=True, check=True).stdout.decode()
    script = """
        use strict; use warnings; use JSON::PP; use Mail::DeliveryStatus::BounceParser;
        local $/; my $bounce = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
        print JSON::PP->new->encode({
          bounce => $bounce->is_bounce ? 1 : 0, id => $bounce->orig_message_id,
          reports => [map { [$_->get('email'), $_->get('smtp_code'), $_->get('std_reason')] } $bounce->reports]});
    """
    parsed = subprocess.run(["perl", "-e", script], input=content, capture_output=True, check=True).stdout
    return {"types": re.findall(r"^content-type: (\S+)", listing, re.M), **json.loads(parsed)}


def read_by_python(content):
    mail = email.message_from_bytes(content, policy=email.policy.default)
    text, status, returned = mail.get_payload()
    blocks = status.get_payload()
    return {
        "type": mail.get_content_type(), "from": str(mail["from"]), "to": str(mail["to"]), "subject": str(mail["subject"]),
        "first line": text.get_content().splitlines()[0],
        "message": dict(blocks[0].items()), "recipients": [dict(block.items()) for block in blocks[1:]],
        "returned": returned.get_content_type(),
        "defects": [str(defect) for part in mail.walk() for defect in part.defects]}


def reports(server):
    return [(recipients, content) for sender, recipients, content in server.accepted if sender == ""]


def readers():
    """A mail with an accepted and a refused recipient, by each door."""
    server = MailServer()
    one = Pabal("one", server.port)
    content = "Message-ID: <first@client.test>\r\nSubject: hello\r\nTo: you\r\n\r\nsecret\r\n"
    ids = [one.submit("kim@client.test", ["bob@there.test", "refused@there.test"], content)]
    one.settle(2)
    for number, options in enumerate([["--socket", str(one.directory / "submit")],
                                      ["--socket", "/nonexistent", "--drop", str(one.directory / "drop")]]):
        run = subprocess.run([pabal, "sendmail", *options, "-v", "-f", "kim@client.test", "refused@there.test"],
                             input=content.replace("\r", "").encode(), capture_output=True, env=environment)
        assert run.returncode == 0, run.stderr
        ids.append(re.search(rb"[0-9A-Z]{26}", run.stderr)[0].decode())
        one.settle(2 * (number + 2))
    found = [content for _, content in reports(server)]
    one.kill()
    print(json.dumps({
        "ids": ids, "to": [recipients for recipients, _ in reports(server)],
        "python": [read_by_python(content) for content in found], "debian": [read_by_debian(content) for content in found],
        "states": [row[1:] for row in one.rows()], "log": one.log()}))


def seven_bit():
    """Mail beyond ASCII, which the mail server can't take, and the reports about it, which it can."""
    server = MailServer(seven_bit=True)
    one = Pabal("one", server.port)
    one.submit("kim@client.test", ["bob@there.test"], "Subject: 안녕\r\n\r\ntext\r\n".encode(), mail=["BODY=8BITMIME"])
    one.settle(2)
    one.submit("kim@client.test", ["bob@there.test"], "Subject: café\r\n\r\ntext\r\n".encode("latin-1"), mail=["BODY=8BITMIME"])
    one.settle(4)
    plain = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    one.submit("kim@client.test", ["bob@there.test"], (plain + "Subject: whole\r\n\r\n본문\r\n").encode(),
               mail=["BODY=8BITMIME", "RET=FULL"])
    rows = one.settle(6)
    found = [content for _, content in reports(server)]
    one.kill()
    decoded, types = [], []
    for content in found:
        listing = subprocess.run(["reformime", "-i"], input=content, capture_output=True, check=True).stdout.decode()
        types.append(re.findall(r"section: 1\.3\ncontent-type: (\S+)", listing)[0])
        decoded.append(subprocess.run(["reformime", "-s", "1.3", "-e"], input=content, capture_output=True, check=True)
                       .stdout.decode(errors="replace"))
    parsed = [email.message_from_bytes(content, policy=email.policy.default) for content in found]
    print(json.dumps({
        "states": [row[1:] for row in rows], "8bit": sum(byte > 127 for content in found for byte in content),
        "longest line": max(len(line) for content in found for line in content.split(b"\r\n")),
        "defects": [str(defect) for mail in parsed for part in mail.walk() for defect in part.defects],
        "debian": decoded, "debian types": types,
        "whole": parsed[-1].get_payload()[2].get_payload()[0].get_content().replace("\r\n", "\n")}))


def null_sender():
    """A mail server that takes no mail without a sender."""
    server, http = MailServer(null_sender=False), free_port()
    one = Pabal("one", server.port, http=http)
    one.submit("kim@client.test", ["refused@there.test"])
    one.settle(2)
    one.submit("kim@client.test", ["bob@there.test"])
    rows = one.settle(3)
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics").read().decode()
    ready = json.load(urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz"))
    one.kill()
    print(json.dumps({"states": [row[1:] for row in rows], "ready": ready["status"],
                      "metrics": re.findall(r"^pabal_unreported\S+ \S+", metrics, re.M)}))


def loops():
    """Two Pabals, each of whose server replaces the null return path, hands what it accepts to the other, and has a
    vacation responder that answers each mail from an address that doesn't exist."""
    pabals = {}

    def deliver(name, other):
        def act(sender, recipients, content):
            account = sender or f"account@{name}.test"
            pabals[other].submit(account, [f"refused-{recipients[0]}"], content)
            answer = "Auto-Submitted: auto-replied\r\nSubject: away\r\nIn-Reply-To: <x@y>\r\n\r\nI am away.\r\n"
            pabals[name].submit(f"refused-person@{name}.test", [f"refused-{account}"], answer)
        return lambda *mail: threading.Thread(target=act, args=mail, daemon=True).start()

    servers = [MailServer(deliver("a", "b")), MailServer(deliver("b", "a"))]
    pabals["a"] = Pabal("a", servers[0].port)
    pabals["b"] = Pabal("b", servers[1].port)
    pabals["a"].submit("kim@a.test", ["refused@b.test"])
    pabals["a"].submit("kim@a.test", ["ok@b.test"])
    counts, still = None, 0
    while still < 20:
        time.sleep(0.1)
        now = [sorted(row[1:] for row in one.rows()) for one in pabals.values()]
        still = still + 1 if now == counts and not any(row[0] in ("waiting", "sending") for rows in now for row in rows) else 0
        counts = now
        if sum(map(len, now)) > 200:
            break
    for one in pabals.values():
        one.kill()
    print(json.dumps({"rows": counts, "reports": [len(reports(server)) for server in servers]}))


def silence():
    """What is never reported: mail and codes of the API, null senders, reports, automatic responses."""
    server, http = MailServer(), free_port()
    one = Pabal("one", server.port, http=http)

    def post(path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{http}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return response.status

    statuses = [
        post("/v1/mails", {"to": "refused@there.test", "message": "registered"}),
        post("/v1/verifications", {"to": "refused@there.test"})]
    one.submit("", ["refused@there.test"])
    one.submit("kim@client.test", ["refused@there.test"], "Auto-Submitted: auto-generated\r\n\r\nx\r\n")
    one.submit("kim@client.test", ["refused@there.test"],
               "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x--\r\n")
    rows = one.settle(5)
    time.sleep(1)
    rows = one.settle(5)
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics").read().decode()
    one.kill()
    print(json.dumps({
        "statuses": statuses, "rows": [row[1:] for row in rows], "accepted": len(server.accepted),
        "metrics": re.findall(r"^pabal_(?:unreported|reports)\S+ \S+", metrics, re.M)}))


def drops():
    """Files in the drop directory that are refused for good."""
    server = MailServer()
    one = Pabal("one", server.port, size=10_000)
    mail = "Message-ID: <dropped@client.test>\r\nSubject: hello\r\n\r\ntext\r\n"
    large = mail + "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 16_000

    def write(number, commands, content=mail):
        path = one.directory / "drop" / f"01M5PWP165041061050R3GG28{number}"
        path.write_bytes((f"EHLO host\r\n{commands}\r\nBDAT {len(content)} LAST\r\n{content}").encode())
        path.chmod(0o440)

    write("A", "MAIL FROM:<kim@client.test> ENVID=a+20b\r\nRCPT TO:<bob@there.test>\r\nRCPT TO:<not an address>")
    write("C", "MAIL FROM:<lee@client.test>\r\nRCPT TO:<bob@there.test> ORCPT=rfc822;robert@there.test", large)
    write("E", "MAIL FROM:<>\r\nRCPT TO:<not an address>")
    write("G", "MAIL FROM:<kim@client.test>\r\nRCPT TO:<not an address> NOTIFY=NEVER")
    write("J", "MAIL FROM:<kim@client.test>\r\nRCPT TO:<not an address>", "Auto-Submitted: auto-replied\r\n\r\nx\r\n")
    write("M", "VRFY kim@client.test\r\nRCPT TO:<bob@there.test>")
    end = time.monotonic() + 60
    while any(path.is_file() and path.name != "limits" for path in (one.directory / "drop").iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    one.settle(2)
    time.sleep(1.5)
    rows = one.settle(2)
    one.kill()
    print(json.dumps({
        "refused": sorted(path.name[-1] for path in (one.directory / "drop" / "refused").iterdir()),
        "rows": [row[1:] for row in rows], "to": sorted(recipients[0] for recipients, _ in reports(server)),
        "reports": {recipients[0]: read_by_python(content) for recipients, content in reports(server)},
        "debian": [read_by_debian(content)["bounce"] for _, content in reports(server)],
        "log": re.findall(r"reported mail=\S+28(.) ", one.log())}))


def kills():
    """Clients submit mail that is refused while serve is killed again and again."""
    server = MailServer()
    one = Pabal("one", server.port)
    submitted, finished, lock = [], False, threading.Lock()

    def client(number):
        count = 0
        while not finished:
            count += 1
            name = f"s{number}-{count}"
            try:
                one.submit(f"{name}@client.test", ["refused@there.test", "bob@there.test", "refused2@there.test"])
                with lock:
                    submitted.append(name)
            except (OSError, smtplib.SMTPException):
                pass
            time.sleep(0.005)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wanted = int(sys.argv[4])
    for _ in range(wanted):
        time.sleep(random.uniform(0.02, 0.3))
        one.kill()
        one.start()
    finished = True
    for thread in threads:
        thread.join()
    rows = one.settle(0)
    one.kill()
    found = {}
    for recipients, content in reports(server):
        mail = email.message_from_bytes(content)
        name = recipients[0].split("@")[0]
        named = re.findall(rb"^Final-Recipient: rfc822; (\S+)", content, re.M)
        found.setdefault(name, {})[mail["Message-ID"]] = [word.decode() for word in named]
    kinds = [row[2] for row in rows]
    count = lambda kind: sum(row[1:] == ("unknown", kind) for row in rows)
    # What is in flight during three kills is given up: a mail is then reported with all its recipients, and a report may
    # not arrive.
    given_up = {"mails": count("sender"), "reports": count("report")}
    missing = [name for name in submitted if name not in found]
    refused = ["refused2@there.test", "refused@there.test"]
    wrong = [name for name, ids in found.items() if any(sorted(named) != refused for named in ids.values())]
    wrong_at_all = [name for name in wrong if any(sorted(named) != ["bob@there.test"] + refused
                                                  for named in found[name].values())]
    twice = [name for name, ids in found.items() if len(ids) > 1]
    if kinds.count("sender") != kinds.count("report"):
        twice.append(f"{kinds.count('report')} reports of {kinds.count('sender')} mails")
    print(json.dumps({
        "kills": wanted, "submitted": len(submitted), "reports": len(found), "given up": given_up,
        "without a report": missing if len(missing) > given_up["reports"] else [], "reported twice": twice,
        "wrong recipients": wrong if len(wrong) > given_up["mails"] else wrong_at_all,
        "states": sorted({row[1:] for row in rows if row[1] != "unknown"})}))


{"readers": readers, "seven_bit": seven_bit, "null_sender": null_sender, "loops": loops, "silence": silence, "drops": drops, "kills": kills}[case]()
