#!/usr/bin/env python3
"""Clients of the SMTP listeners of `pabal serve`.

submission_sessions.py CASE [NAME=VALUE ...]: runs one case in the current directory and prints its result as JSON.
`certificates` makes the files that the others use.
"""
import base64, hashlib, json, os, smtplib, socket, ssl, subprocess, sys, time

settings = dict(word.split("=", 1) for word in sys.argv[2:])
mail = "From: a@example.com\r\nSubject: test\r\n\r\nbody\r\n"


def number(name):
    return int(settings[name])


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def certificates():
    """ca.pem, server.pem, renewed.pem and client.pem of one authority; stranger.pem of another. Keys end in .key."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("ca", "other"):
        openssl("req", "-x509", *curve, "-days", "30", "-subj", f"/CN={authority}", "-addext",
                "basicConstraints=critical,CA:TRUE", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    for name, authority, subject, usage in (
            ("server", "ca", "/CN=first", "serverAuth"), ("renewed", "ca", "/CN=second", "serverAuth"),
            ("client", "ca", "/O=Office/CN=scanner", "clientAuth"),
            ("stranger", "other", "/CN=scanner", "clientAuth")):
        openssl("req", *curve, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        with open("extensions", "w") as file:
            file.write(f"subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-days", "30", "-extfile", "extensions", "-out", f"{name}.pem")
    der = ssl.PEM_cert_to_DER_cert(open("client.pem").read())
    stranger = ssl.PEM_cert_to_DER_cert(open("stranger.pem").read())
    return {"client": hashlib.sha256(der).hexdigest(), "stranger": hashlib.sha256(stranger).hexdigest()}


def context(client=None):
    made = ssl.create_default_context(cafile="ca.pem")
    if client:
        made.load_cert_chain(f"{client}.pem", f"{client}.key")
    return made


def starttls(client=None):
    connection = smtplib.SMTP("localhost", number("port"), timeout=30)
    connection.ehlo("client.test")
    connection.starttls(context=context(client))
    connection.ehlo("client.test")
    return connection


def outcome(connection, sender="a@example.com"):
    """The reply to a mail, or to the command that was rejected."""
    try:
        connection.sendmail(sender, ["b@example.com"], mail)
        return 250
    except smtplib.SMTPSenderRefused as refused:
        return refused.smtp_code
    except smtplib.SMTPDataError as refused:
        return refused.smtp_code


def login(connection, user, password):
    try:
        return connection.login(user, password)[0]
    except smtplib.SMTPAuthenticationError as refused:
        return refused.smtp_code


def raw():
    connection = socket.create_connection(("127.0.0.1", number("port")), 30)
    assert connection.recv(1000).startswith(b"220 ")
    return connection


def rest(connection):
    """What the server still sends until it closes."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except (ConnectionResetError, ssl.SSLError):
        pass
    return received.decode("latin-1")


def logged_in():
    """A login by STARTTLS and one in two steps, each with a mail; AUTH without TLS."""
    result = {}
    plain = smtplib.SMTP("localhost", number("port"), timeout=30)
    plain.ehlo("client.test")
    result["offered"] = plain.has_extn("auth")
    result["plain"] = plain.docmd("AUTH PLAIN " + base64.b64encode(b"\0printer\0" + settings["password"].encode()).decode())[0]
    result["stranger"] = outcome(plain)
    connection = starttls()
    result["mechanisms"] = connection.esmtp_features["auth"].split()
    result["before"] = outcome(connection)
    result["login"] = login(connection, "printer", settings["password"])
    result["mail"] = outcome(connection)
    steps = starttls()
    assert steps.docmd("AUTH LOGIN")[0] == 334
    assert steps.docmd(base64.b64encode(b"printer").decode())[0] == 334
    result["steps"] = steps.docmd(base64.b64encode(settings["password"].encode()).decode())[0]
    result["second"] = outcome(steps)
    return result


def implicit():
    connection = smtplib.SMTP_SSL("localhost", number("port"), timeout=30, context=context())
    connection.ehlo("client.test")
    return {"starttls": connection.has_extn("starttls"), "version": connection.sock.version(),
            "login": login(connection, "printer", settings["password"]), "mail": outcome(connection)}


def injection():
    """What stands behind STARTTLS in the clear never counts, neither in the same packet nor before the handshake."""
    together = raw()
    together.sendall(b"EHLO client.test\r\n")
    together.recv(1000)
    together.sendall(b"STARTTLS\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n")
    result = {"together": rest(together)}
    separate = raw()
    separate.sendall(b"EHLO client.test\r\n")
    separate.recv(1000)
    separate.sendall(b"STARTTLS\r\n")
    assert separate.recv(1000).startswith(b"220 ")
    separate.sendall(b"NOOP\r\nNOOP\r\n")
    result["separate"] = rest(separate)
    result["after"] = login(starttls(), "printer", settings["password"])
    return result


def garbage():
    """Bytes that aren't TLS, and handshakes that end in the middle."""
    hello = ssl.MemoryBIO()
    client = context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    start = hello.read()
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\x80\x2e\x01\0\x02", b"\x16\x03\x01\xff\xff" + b"\0" * 100, os.urandom(65536),
                 b"EHLO client.test\r\n", start[:40], start + b"\x17\x03\x03\0\x10" + os.urandom(16)):
        connection = socket.create_connection(("127.0.0.1", number("port")), 30)
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        rest(connection)
    return implicit()


def brute_force():
    """Wrong passwords up to the limit, then the right one; a name that tries to forge the log."""
    result = {"wrong": []}
    names = ["printer", "nemo", 'x" address=192.0.2.9 user="y\n', "n" * 300,
             "h pabal[1]: submission login failed address=192.0.2.9 user="]
    for index in range(10):
        connection = starttls()
        name = names[index % len(names)]
        token = base64.b64encode(b"\0" + name.encode() + b"\0wrong").decode()
        result["wrong"].append(connection.docmd("AUTH PLAIN " + token)[0])
        connection.close()
    result["right"] = login(starttls(), "printer", settings["password"])
    return result


def certificate():
    der = ssl.get_server_certificate(("localhost", number("port")))
    name = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=der.encode(), stdout=subprocess.PIPE, check=True)
    return {"subject": name.stdout.decode().strip().split("=")[-1].strip()}


def client_certificates():
    result = {}
    for name in (None, "client", "stranger"):
        try:
            result[str(name)] = outcome(starttls(name))
        except (ssl.SSLError, smtplib.SMTPServerDisconnected, ConnectionResetError) as error:
            result[str(name)] = "refused"
    return result


def attempt():
    """One mail without a login."""
    connection = smtplib.SMTP("localhost", number("port"), timeout=30)
    connection.ehlo("client.test")
    return {"mail": outcome(connection)}


def reload():
    """A connection that is open while users change; reads a line when the test has edited the configuration."""
    first = starttls()
    result = {"before": login(first, "printer", settings["password"])}
    print("edit", file=sys.stderr, flush=True)
    sys.stdin.readline()
    result["kept"] = outcome(first)
    result["after"] = login(starttls(), "printer", settings["password"])
    return result


def reload_certificates():
    """Connections whose certificates are listed, one of which the test takes off the list."""
    connections = {name: starttls(name) for name in ("client", "stranger")}
    before = {name: outcome(connection) for name, connection in connections.items()}
    print("edit", file=sys.stderr, flush=True)
    sys.stdin.readline()
    return {"before": before, "after": {name: outcome(connection) for name, connection in connections.items()}}


def stopped():
    """A connection that is open while the service stops."""
    connection = raw()
    print("stop", file=sys.stderr, flush=True)
    return {"reply": rest(connection)}


def idle():
    """Open sessions of known clients, after EHLO; and whether one more mail passes meanwhile."""
    connections = []
    for _ in range(number("count")):
        if settings.get("tls"):
            connection = smtplib.SMTP_SSL("localhost", number("port"), timeout=60, context=idle.context)
        else:
            connection = smtplib.SMTP(settings.get("host", "localhost"), number("port"), timeout=60)
        connection.ehlo("client.test")
        connections.append(connection)
    with open(f"/proc/{settings['process']}/status") as file:
        resident = [line for line in file if line.startswith("VmRSS")][0]
    return {"mail": outcome(connections[-1]), "resident": int(resident.split()[1]) / 1024}


if __name__ == "__main__":
    idle.context = context() if settings.get("tls") else None
    print(json.dumps(globals()[sys.argv[1]]()))
