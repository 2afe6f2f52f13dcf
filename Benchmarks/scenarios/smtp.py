"""Mails over TLS and XOAUTH2 to a server that takes them at once, by kept connections."""

import shutil
import sys

from harness.contender import Contender
from harness.places import RECIPIENT, SENDER, TOKEN
from harness.race import Race

YARDSTICK = "bare libcurl upload"


def races(places):
    yield race(places, "smtp 1", connections=1, counts=(10_000, 4_000, 1_500, 30))
    yield race(places, "smtp 8", connections=8, counts=(20_000, 8_000, 3_000, 60))
    # Long runs: what it takes to connect must not count.
    yield race(places, "smtp 8, 25 ms", connections=8, counts=(1_600, 1_600, 400, 80), round_trip=25)
    yield race(places, "smtp 8, shipped mail", connections=8, counts=(20_000, 8_000), messages="Sources/Messages")


def race(places, name, connections, counts, round_trip=0, messages="Benchmarks/messages"):
    """`counts` are the mails of a run: Pabal's, bare libcurl's, smtplib's, and of those that start a process each."""
    sink = places.sink(round_trip)
    authorities = places.authority().certificate
    config = places.config("smtp", messages, host="localhost", port=sink.smtps, account="bench",
                           ca_file=str(authorities), parallel=connections)
    mail = places.mail(config)
    core = places.client_core
    arguments = lambda count: [sink.smtps, count, connections, authorities, mail]
    notes = [f"{name}: the mail has {mail.stat().st_size:,} octets, ready-made for all but “composing”, where Pabal "
             "renders and composes each anew"]
    send = [places.pabal, "send", RECIPIENT, "--config", config, "--count", counts[0], "--parallel", connections, "--json"]
    contenders = [
        Contender("pabal send --count --eml", [*send, "--eml", mail], units=counts[0], core=core, own_figures=True),
        Contender("pabal send --count, composing", send, units=counts[0], core=core, own_figures=True),
        Contender("the plug-in alone", [
            places.own / "drive", places.release / "libpabal-smtp.so", mail, counts[0], connections, "account=bench",
            "host=localhost", f"port={sink.smtps}", f"ca_file={authorities}", f"parallel={connections}"],
            units=counts[0], core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        Contender(YARDSTICK, [places.own / "curl_upload", *arguments(counts[1])], units=counts[1], core=core),
    ]
    if len(counts) > 2:
        contenders.append(Contender("Python smtplib", [
            sys.executable, places.yardsticks / "smtplib_upload.py", *arguments(counts[2])],
            units=counts[2], core=core))
        contenders += processes(places, sink, mail, connections, counts[3], notes, name)
    return Race(name, contenders, places.rounds or (3 if round_trip else 7), YARDSTICK, sink,
                warm_up=not round_trip, notes=notes)


def processes(places, sink, mail, connections, count, notes, name):
    """The commands that connect for each mail, as far as they are here."""
    authorities = places.authority().certificate
    repeat = ["sh", places.yardsticks / "repeat.sh", count, connections, mail]
    commands = {
        "msmtp": ["msmtp", f"--file={msmtp_settings(places, sink, authorities)}", RECIPIENT],
        "curl": ["curl", "--cacert", authorities, *curl_arguments(sink)],
    }
    for command, words in commands.items():
        if shutil.which(command):
            yield Contender(f"{command}, a process each", [*repeat, *words], units=count, core=places.client_core)
        else:
            notes.append(f"{name}: {command} is not installed, so it does not run")


def curl_arguments(sink):
    """What the curl command sends its standard input by."""
    return ["--silent", "--show-error", "--url", f"smtps://localhost:{sink.smtps}/localhost", "--user", f"{SENDER}:",
            "--oauth2-bearer", TOKEN, "--login-options", "AUTH=XOAUTH2", "--sasl-ir", "--mail-from", SENDER,
            "--mail-rcpt", RECIPIENT, "--upload-file", "-"]


def msmtp_settings(places, sink, authorities="system"):
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
