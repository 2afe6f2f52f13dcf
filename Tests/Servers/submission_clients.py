#!/usr/bin/env python3
"""Sends a mail by a real client through `pabal serve`, which relays it to a recording SMTP server.

submission_clients.py PABAL DIRECTORY CERTIFICATE KEY AUTHORITY CLIENT [FAR]

Prints JSON: the envelope that arrived, whether the body arrived byte for byte, and the header fields. The certificate
is for localhost. DIRECTORY gets the configuration, with a listener for STARTTLS, one for TLS, one for this machine without
TLS, a Unix socket and a drop directory.

With FAR, a JSON object, each client that CLIENT names (JSON, or "all") sends one mail by FAR's "transport" and
"accounts", from FAR's "sender"; the addresses contain its "tag". Printed is, for each client, the recipients and whether
it writes its own mail, and the state of each mail in the outbox.
"""
import json
import os
import pathlib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time

pabal, directory, certificate, key, authority, client = sys.argv[1:7]
directory = pathlib.Path(directory).resolve()
far = json.loads(sys.argv[7]) if len(sys.argv) > 7 else None
BODY = "안녕하세요.\r\n.\r\n..두 점\r\n. \r\nFrom the start\r\n\r\n" + "x" * 900 + "\r\n끝\r\n\r\n"


def prepare(sender, tag):
    """Sets the mail that the next client sends. No field names the second recipient."""
    global SENDER, RECIPIENTS, MAIL
    SENDER, RECIPIENTS = sender, [f"lee{tag}@example.net", f"park{tag}@example.org"]
    header = (f"From: =?utf-8?B?6rmA?= <{SENDER}>\r\nTo: {RECIPIENTS[0]}\r\nSubject: =?utf-8?B?7JWI64WV?=\r\n"
              "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
    MAIL = (header + "\r\n" + BODY).encode()


prepare("kim@example.com", "")


class Recorder:
    """An SMTP server that records envelopes and content."""

    def __init__(self):
        self.mails, self.arrived = [], threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()

    def session(self, connection):
        lines = connection.makefile("rb")
        say = lambda text: connection.sendall(text + b"\r\n")
        say(b"220 far.example ESMTP")
        sender, recipients = None, []
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                say(b"250-far.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING")
            elif verb == b"MAIL":
                sender, recipients = line.split(b"<")[1].split(b">")[0].decode(), []
                say(b"250 2.1.0 ok")
            elif verb == b"RCPT":
                recipients.append(line.split(b"<")[1].split(b">")[0].decode())
                say(b"250 2.1.5 ok")
            elif verb == b"BDAT":
                self.add(sender, recipients, lines.read(int(line.split()[1])))
                say(b"250 2.0.0 taken")
            elif verb == b"DATA":
                say(b"354 go ahead")
                content = b""
                for part in lines:
                    if part == b".\r\n":
                        break
                    content += part[1:] if part.startswith(b".") else part
                self.add(sender, recipients, content)
                say(b"250 2.0.0 taken")
            elif verb == b"QUIT":
                say(b"221 2.0.0 bye")
                break
            else:
                say(b"250 2.0.0 ok")
        connection.close()

    def add(self, sender, recipients, content):
        with self.arrived:
            self.mails.append((sender, recipients, content))
            self.arrived.notify()

    def wait(self):
        with self.arrived:
            if not self.arrived.wait_for(lambda: self.mails, 30):
                raise SystemExit(f"{client}: no mail arrived; the log of serve:\n{(directory / 'log').read_text()}")


class Service:
    """`pabal serve` with the listeners that the clients use."""

    def __init__(self, transport, accounts):
        (directory / "config.json").write_text("{}")
        made = json.loads(subprocess.run([pabal, "keys", "user", "printer", "--json"], check=True, cwd=directory,
                                         stdout=subprocess.PIPE).stdout)
        self.user, self.password = "printer", made["password"]
        self.socket, self.drop = str(directory / "submit"), str(directory / "drop")
        os.mkdir(self.drop)
        os.chmod(self.drop, 0o3733)
        secured = {"certificate": certificate, "key": key, "users": {"printer": {"password": made["configured"]}}}
        # Below the ephemeral range, so that no other test takes a port before serve does.
        self.starttls, self.tls, self.plain = free_ports(3)
        (directory / "config.json").write_text(json.dumps({
            "transport": "far", "from": "Pabal <pabal@example.com>", "transports": {"far": transport},
            "accounts": accounts,
            "serve": {"submission": [
                {"listen": [f"127.0.0.1:{self.starttls}"], "security": "starttls", **secured},
                {"listen": [f"127.0.0.1:{self.tls}"], "security": "tls", **secured},
                {"listen": [f"127.0.0.1:{self.plain}"], "security": "none", "networks": ["127.0.0.1"],
                 "socket": self.socket, "drop": self.drop},
            ]},
        }, indent=2))
        self.log = open(directory / "log", "w")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PABAL_")}
        self.process = subprocess.Popen([pabal, "serve"], cwd=directory, stderr=self.log, env=environment)
        for port in (self.starttls, self.tls, self.plain):
            self.wait_for(port)

    def wait_for(self, port):
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"serve doesn't listen on {port}:\n{(directory / 'log').read_text()}")

    def mails(self, count):
        """Waits until `count` mails have a final state, and returns what the outbox has of them."""
        end = time.monotonic() + 60
        while True:
            mails = json.loads(run(pabal, "outbox", "list", "--json"))["mails"]
            if len([mail for mail in mails if mail["state"] not in ("waiting", "sending")]) == count:
                return mails
            if time.monotonic() > end:
                raise SystemExit(f"{mails}\nthe log of serve:\n{(directory / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            raise SystemExit(f"serve ended with {self.process.returncode}:\n{(directory / 'log').read_text()}")


def free_ports(count):
    import random
    ports = []
    while len(ports) < count:
        port = random.randrange(12_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            ports.append(port)
        except OSError:
            pass
    return ports


def run(*command, content=None, **options):
    done = subprocess.run([str(word) for word in command], input=content, capture_output=True, cwd=directory, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr).decode()[-2000:]}")
    return done.stdout


def trust():
    return ssl.create_default_context(cafile=authority)


def python_client(script, *words):
    """Runs a script with the libraries of the tests."""
    interpreter = run(pathlib.Path(__file__).parent.parent / "python-environment").decode().strip()
    run(interpreter, "-c", script, *words, content=MAIL)


# Each client sends MAIL from SENDER to RECIPIENTS, unless it writes its own mail.

def by_smtplib(service):
    with smtplib.SMTP("localhost", service.starttls) as one:
        one.starttls(context=trust())
        one.login(service.user, service.password)
        one.sendmail(SENDER, RECIPIENTS, MAIL, ["BODY=8BITMIME"])


def by_smtplib_tls(service):
    with smtplib.SMTP_SSL("localhost", service.tls, context=trust()) as one:
        one.login(service.user, service.password, initial_response_ok=False)
        one.sendmail(SENDER, RECIPIENTS, MAIL, ["BODY=8BITMIME"])


def by_aiosmtplib(service):
    python_client("""
import aiosmtplib, asyncio, ssl, sys
port, user, password, authority, sender, *recipients = sys.argv[1:]
asyncio.run(aiosmtplib.send(
    sys.stdin.buffer.read(), sender=sender, recipients=recipients, hostname="localhost", port=int(port), start_tls=True,
    username=user, password=password, tls_context=ssl.create_default_context(cafile=authority)))
""", service.starttls, service.user, service.password, authority, SENDER, *RECIPIENTS)


def by_django(service):
    python_client("""
import os, ssl, sys
port, user, password, authority, sender, *recipients = sys.argv[1:]
os.environ["SSL_CERT_FILE"] = authority
from django.conf import settings
settings.configure(EMAIL_HOST="localhost", EMAIL_PORT=int(port), EMAIL_HOST_USER=user, EMAIL_HOST_PASSWORD=password,
                   EMAIL_USE_TLS=True, USE_TZ=True)
from django.core.mail import EmailMessage
content = sys.stdin.buffer.read().decode()
body = content.partition("\\r\\n\\r\\n")[2].replace("\\r\\n", "\\n")
assert EmailMessage("안녕", body, sender, recipients[:1], bcc=recipients[1:]).send() == 1
""", service.starttls, service.user, service.password, authority, SENDER, *RECIPIENTS)


def by_curl(service):
    recipients = [word for recipient in RECIPIENTS for word in ("--mail-rcpt", recipient)]
    run("curl", "-sS", "--ssl-reqd", "--cacert", authority, f"smtp://localhost:{service.starttls}", "--mail-from", SENDER,
        *recipients, "--user", f"{service.user}:{service.password}", "--upload-file", "-", content=MAIL)


def by_swaks(*options):
    def send(service):
        # swaks adds a line end.
        (directory / "mail").write_bytes(MAIL.replace(b"\r\n", b"\n")[:-1])
        run("swaks", "--server", "localhost", "--port", str(service.starttls), "--tls", "--auth", *options, "--auth-user",
            service.user, "--auth-password", service.password, "--from", SENDER, "--to", ",".join(RECIPIENTS), "--data",
            f"@{directory / 'mail'}", "--tls-verify", "--tls-ca-path", authority)
    return send


def by_msmtp(service):
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--port={service.starttls}", "--tls=on", "--tls-starttls=on",
        f"--tls-trust-file={authority}", "--auth=on", f"--user={service.user}", f"--passwordeval=echo {service.password}",
        f"--from={SENDER}", "--", *RECIPIENTS, content=MAIL.replace(b"\r\n", b"\n"))


def by_printer(service):
    """AUTH LOGIN in two steps, HELO-era pace: one command at a time, DATA, no SIZE."""
    with socket.create_connection(("localhost", service.tls)) as raw, trust().wrap_socket(
            raw, server_hostname="localhost") as one:
        lines = one.makefile("rb")

        def expect(code):
            while True:
                line = lines.readline()
                if not line.startswith(code):
                    raise SystemExit(f"printer: expected {code}, got {line}")
                if line[3:4] == b" ":
                    return

        import base64
        expect(b"220")
        for line, code in [
                (b"EHLO [192.168.0.9]", b"250"), (b"AUTH LOGIN", b"334"),
                (base64.b64encode(service.user.encode()), b"334"),
                (base64.b64encode(service.password.encode()), b"235"),
                (f"MAIL FROM:<{SENDER}>".encode(), b"250"),
                *[(f"RCPT TO:<{recipient}>".encode(), b"250") for recipient in RECIPIENTS], (b"DATA", b"354")]:
            one.sendall(line + b"\r\n")
            expect(code)
        one.sendall(MAIL.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        expect(b"250")
        one.sendall(b"QUIT\r\n")
        expect(b"221")


def by_git(service):
    (directory / "0001-test.patch").write_bytes(
        b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        + MAIL.replace(b"\r\n", b"\n").replace(f"To: {RECIPIENTS[0]}\n".encode(), b""))
    run("git", "-c", "user.name=Kim", "-c", f"user.email={SENDER}", "send-email", "--quiet", "--confirm=never",
        "--smtp-server=localhost", f"--smtp-server-port={service.starttls}", "--smtp-encryption=tls",
        f"--smtp-ssl-cert-path={authority}", f"--smtp-user={service.user}", f"--smtp-pass={service.password}",
        f"--from={SENDER}", f"--to={RECIPIENTS[0]}", f"--bcc={RECIPIENTS[1]}", "--suppress-cc=all", "0001-test.patch",
        env={**os.environ, "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1"})


def sendmail(service, door, *words, content):
    """Runs `pabal sendmail` by one way."""
    (directory / "sendmail").exists() or (directory / "sendmail").symlink_to(pabal)
    way = {"socket": [service.socket, "/nonexistent"], "drop": ["/nonexistent", service.drop]}[door]
    return run(directory / "sendmail", "--socket", way[0], "--drop", way[1], *words, content=content)


def by_sendmail(door):
    return lambda service: sendmail(service, door, "-i", "-f", SENDER, "--", *RECIPIENTS,
                                    content=MAIL.replace(b"\r\n", b"\n"))


def by_sendmail_dialogue(service):
    commands = ["EHLO here", f"MAIL FROM:<{SENDER}>", *[f"RCPT TO:<{recipient}>" for recipient in RECIPIENTS], "DATA"]
    content = "".join(f"{line}\r\n" for line in commands).encode() + MAIL.replace(b"\r\n.", b"\r\n..")
    if b"250 2.0.0 queued as " not in sendmail(service, "socket", "-bs", content=content + b".\r\nQUIT\r\n"):
        raise SystemExit("sendmail -bs didn't queue the mail")


def by_postfix(**settings):
    """Postfix with Pabal as its relayhost, over TLS with a login."""
    def send(service):
        conf = directory / f"postfix-{len(settings)}"
        for name in ("conf", "queue", "data"):
            (conf / name).mkdir(parents=True)
        # Postfix's processes run as another user.
        for folder in (conf, *conf.parents):
            if str(folder).startswith(str(directory)):
                folder.chmod(0o755)
        subprocess.run(["chown", "postfix", conf / "data"], check=True)
        (conf / "passwords").write_text(f"[localhost]:{service.starttls} {service.user}:{service.password}\n")
        (conf / "passwords").chmod(0o600)
        (port,) = free_ports(1)
        more = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (conf / "conf/main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {conf}/queue
data_directory = {conf}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {conf}/log
maillog_file_prefixes = {conf}
myhostname = client.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [localhost]:{service.starttls}
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{conf}/passwords
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = localhost
smtp_tls_CAfile = {authority}
alias_maps =
local_recipient_maps =
{more}""")
        services = "".join(f"{name} unix {private} - n - {limit} {program}\n" for name, private, limit, program in [
            ("cleanup", "n", 0, "cleanup"), ("rewrite", "-", "-", "trivial-rewrite"), ("bounce", "-", 0, "bounce"),
            ("defer", "-", 0, "bounce"), ("trace", "-", 0, "bounce"), ("smtp", "-", "-", "smtp"),
            ("relay", "-", "-", "smtp"), ("showq", "n", "-", "showq"), ("error", "-", "-", "error"),
            ("retry", "-", "-", "error"), ("anvil", "-", 1, "anvil")])
        (conf / "conf/master.cf").write_text(
            f"127.0.0.1:{port} inet n - n - - smtpd\nqmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\n"
            f"scache unix - - n - 1 scache\npostlog unix-dgram n - n - 1 postlogd\n{services}")
        # Not captured, because the daemons keep the output open.
        subprocess.run(["postfix", "-c", conf / "conf", "start"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        try:
            with smtplib.SMTP("127.0.0.1", port) as one:
                one.sendmail(SENDER, RECIPIENTS, MAIL, ["BODY=8BITMIME"])
            try:
                arrived()
            except SystemExit as error:
                raise SystemExit(f"{error}\nPostfix: {(conf / 'log').read_text()[-3000:]}")
        finally:
            run("postfix", "-c", conf / "conf", "stop")
    return send


CLIENTS = {
    "smtplib": by_smtplib, "smtplib over TLS": by_smtplib_tls, "aiosmtplib": by_aiosmtplib, "Django": by_django,
    "curl": by_curl, "swaks with PLAIN": by_swaks("PLAIN"), "swaks with LOGIN": by_swaks("LOGIN"),
    "swaks with pipelining": by_swaks("PLAIN", "--pipeline"), "msmtp": by_msmtp, "a printer": by_printer,
    "git send-email": by_git, "Postfix": by_postfix(),
    "Postfix without CHUNKING": by_postfix(smtp_discard_ehlo_keywords="chunking"),
    "Postfix without extensions": by_postfix(smtp_discard_ehlo_keywords="chunking, pipelining, size, dsn, 8bitmime",
                                             disable_mime_output_conversion="yes"),
}

# Ways of `pabal sendmail`, which only FAR asks for, because other tests record what they submit.
DOORS = {
    "sendmail": by_sendmail("socket"), "sendmail -bs": by_sendmail_dialogue, "the drop directory": by_sendmail("drop"),
}
WRITERS = {"Django", "git send-email", "Postfix without extensions"}


def send_far():
    """Sends by every client to the far side that FAR describes."""
    global arrived
    service = Service(far["transport"], far.get("accounts", {}))
    chosen = [*CLIENTS, *DOORS] if client == "all" else json.loads(client)
    sent = []
    try:
        for number, name in enumerate(chosen):
            prepare(far["sender"], f"-{far['tag']}-{number}")
            arrived = lambda: service.mails(number + 1)
            (CLIENTS | DOORS)[name](service)
            sent.append({"client": name, "recipients": RECIPIENTS, "writes": name in WRITERS})
        mails = service.mails(len(chosen))
    finally:
        service.stop()
    return {"sent": sent, "states": [mail["state"] for mail in mails], "body": BODY,
            "log": (directory / "log").read_text()}


if __name__ == "__main__":
    if client == "--list":
        print(json.dumps(list(CLIENTS)))
        sys.exit()
    if far:
        print(json.dumps(send_far()))
        sys.exit()
    recorder = Recorder()
    arrived = recorder.wait
    service = Service({"plugin": "smtp", "host": "127.0.0.1", "port": recorder.port, "security": "none"}, {})
    try:
        CLIENTS[client](service)
        recorder.wait()
    finally:
        service.stop()
    sender, recipients, content = recorder.mails[0]
    header, _, body = content.partition(b"\r\n\r\n")
    names = [line.split(b":")[0].decode() for line in header.split(b"\r\n") if line[:1] not in b" \t"]
    print(json.dumps({
        "mails": len(recorder.mails), "sender": sender, "recipients": recipients, "fields": names,
        # A client that writes its own mail may encode the body.
        "body": body == BODY.encode(), "content": content.decode("utf-8", "backslashreplace"),
        "log": (directory / "log").read_text(),
    }))
