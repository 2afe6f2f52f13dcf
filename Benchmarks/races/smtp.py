"""Mails over TLS and XOAUTH2 to a server that takes them at once, by kept connections."""

import shutil
import sys

from harness.contender import Contender
from harness.places import RECIPIENT, SENDER, TOKEN
from harness.race import Race

YARDSTICK = "bare libcurl upload"


def races(places):
    yield race(places, "smtp 1", connections=1, counts=(20_000, 8_000, 3_000, 30))
    yield race(places, "smtp 8", connections=8, counts=(40_000, 16_000, 4_000, 60))
    # Long runs: what it takes to connect must not count.
    yield race(places, "smtp 8, 25 ms", connections=8, counts=(1_600, 1_600, 400, 80), round_trip=25)


def race(places, name, connections, counts, round_trip=0):
    sink = places.sink(round_trip)
    authorities = places.authority().certificate
    config = places.config("smtp", host="localhost", port=sink.smtps, account="bench",
                           ca_file=str(authorities), parallel=connections)
    mail = places.mail(config)
    ours, bare, smtplib, processes = counts
    core = places.client_core
    arguments = lambda count: [sink.smtps, count, connections, authorities, mail]
    contenders = [
        Contender("pabal send --count", [
            places.pabal, "send", RECIPIENT, "--config", config, "--count", ours, "--parallel", connections,
            "--json"], units=ours, core=core, own_figures=True),
        Contender(YARDSTICK, [places.own / "curl_upload", *arguments(bare)], units=bare, core=core),
        Contender("Python smtplib", [
            sys.executable, places.yardsticks / "smtplib_upload.py", *arguments(smtplib)], units=smtplib, core=core),
    ]
    notes = [f"{name}: the mail has {mail.stat().st_size:,} octets; Pabal renders and composes each anew, "
             "the others send a ready-made one"]
    repeat = ["sh", places.yardsticks / "repeat.sh", processes, connections, mail]
    if shutil.which("msmtp"):
        settings = msmtp_settings(places, sink, authorities)
        contenders.append(Contender("msmtp, a process each", [
            *repeat, "msmtp", f"--file={settings}", RECIPIENT], units=processes, core=core))
    else:
        notes.append(f"{name}: msmtp is not installed, so it does not run")
    if shutil.which("curl"):
        contenders.append(Contender("curl, a process each", [
            *repeat, "curl", "--silent", "--show-error", "--cacert", authorities,
            "--url", f"smtps://localhost:{sink.smtps}/localhost", "--user", f"{SENDER}:", "--oauth2-bearer", TOKEN,
            "--login-options", "AUTH=XOAUTH2", "--sasl-ir", "--mail-from", SENDER, "--mail-rcpt", RECIPIENT,
            "--upload-file", "-"], units=processes, core=core))
    else:
        notes.append(f"{name}: the curl command is not installed, so it does not run")
    return Race(name, contenders, places.rounds or (3 if round_trip else 7), YARDSTICK, sink,
                warm_up=not round_trip, notes=notes)


def msmtp_settings(places, sink, authorities):
    path = places.folder / f"msmtp-{sink.smtps}"
    path.write_text(f"""account default
host localhost
port {sink.smtps}
tls on
tls_starttls off
tls_trust_file {authorities}
auth xoauth2
user {SENDER}
password {TOKEN}
from {SENDER}
""")
    path.chmod(0o600)
    return path
