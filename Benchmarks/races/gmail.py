"""Mails by Gmail's REST API to a server that takes them at once."""

import pathlib
import shutil
import subprocess

from harness.contender import Contender
from harness.places import RECIPIENT, SENDER, TOKEN
from harness.race import Race

GOOGLE = "Google's Python client, a service a send"
INSTALLER = pathlib.Path(__file__).parents[2] / "Tests/Servers/google"


def races(places):
    subprocess.run([INSTALLER], check=True)
    for flight in (8, 32):
        yield throughput(places, flight)
    yield cold(places)
    yield large(places)


def throughput(places, flight):
    """From a message to Gmail's answer; the yardsticks send a ready-made mail of the same size."""
    name, core, sink = f"gmail {flight}", places.client_core, places.sink()
    config = settings(places, sink, ca_file=str(places.authority().certificate))
    mail = places.mail(config)
    count, few = 30_000, 100
    bare = lambda way: [places.own / "curl_rest", sink.https, count, flight, places.authority().certificate, mail, way]
    ways = {"bare libcurl, HTTP/2": "http2", "bare libcurl, HTTP/1.1": "multi", "bare libcurl, HTTP/1.1, threads": "threads"}
    contenders = [
        Contender("pabal send --count", [
            places.pabal, "send", RECIPIENT, "--config", config, "--count", count, "--parallel", flight, "--json"],
            units=count, core=core, own_figures=True),
        Contender("the plug-in alone", [
            places.own / "drive", places.release / "libpabal-gmail.so", mail, count, flight, "account=bench",
            f"endpoint=https://localhost:{sink.https}", f"ca_file={places.authority().certificate}",
            f"parallel={flight}"],
            units=count, core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        *(Contender(way, bare(option), units=count, core=core) for way, option in ways.items()),
    ]
    if flight == 8:
        contenders.append(Contender(GOOGLE, google(places, sink, few), units=few, core=core))
        contenders.append(Contender(
            "Google's Python client, one service", [*google(places, sink, 3 * few), "once"], units=3 * few, core=core))
    notes = [f"{name}: the mail has {mail.stat().st_size:,} octets; only Pabal and Google's client make each anew"]
    return Race(name, contenders, places.rounds or 7, "bare libcurl, HTTP/1.1", sink, notes=notes)


def cold(places):
    """One process, one mail, TLS with the system's store: its bundle, or its directory of hashes."""
    sink, authority = places.sink(), places.authority().certificate
    bundle, directory = store(places)
    config = settings(places, sink, ca_directory=str(directory))
    mail = places.mail(config)
    return Race("gmail cold", [
        Contender("pabal send", [places.pabal, "send", RECIPIENT, "--config", config]),
        Contender("curl, the system's bundle", curl(sink, bundle, "--data-binary", f"@{mail}")),
        Contender("curl, one authority", curl(sink, authority, "--data-binary", f"@{mail}")),
        Contender("Google's Python client", google(places, sink, 1)),
    ], places.rounds or 21, "curl, the system's bundle", sink)


def large(places):
    """34 MB: what it costs in memory."""
    sink, authority = places.sink(), places.authority().certificate
    config = settings(places, sink, ca_file=str(authority))
    mail = places.folder / "large.eml"
    line = b"the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
    head = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: large\r\n\r\n"
    mail.write_bytes(head.encode() + line * (34_000_000 // len(line)))
    return Race("gmail 34 MB", [
        Contender("pabal send --eml", [places.pabal, "send", "--eml", mail, "--config", config]),
        Contender("curl, streaming", curl(sink, authority, "-X", "POST", "-T", mail)),
        Contender("curl, from memory", curl(sink, authority, "--data-binary", f"@{mail}")),
    ], places.rounds or 5, "curl, streaming", sink)


def settings(places, sink, **trust):
    return places.config("gmail", account="bench", endpoint=f"https://localhost:{sink.https}", parallel=32, **trust)


def google(places, sink, count):
    return [INSTALLER, places.yardsticks / "google_client.py", sink.https, count, places.authority().certificate]


def curl(sink, trust, *body):
    return ["curl", "-sSf", "--http1.1", "-o", "/dev/null", "--cacert", trust, "-H", "Content-Type: message/rfc822",
            "-H", f"Authorization: Bearer {TOKEN}", "-H", "Expect:", *body,
            f"https://localhost:{sink.https}/upload/gmail/v1/users/me/messages/send?uploadType=media"]


def store(places):
    """The system's store with the bench's authority added, since nobody may write into the system's own."""
    own, system = places.authority().certificate, pathlib.Path("/etc/ssl/certs")
    bundle, directory = places.folder / "bundle.pem", places.folder / "certs"
    bundle.write_bytes((system / "ca-certificates.crt").read_bytes() + own.read_bytes())
    directory.mkdir()
    for entry in system.glob("*.0"):
        shutil.copy(entry, directory / entry.name)
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", own], stdout=subprocess.PIPE, text=True, check=True)
    shutil.copy(own, directory / f"{name.stdout.strip()}.0")
    return bundle, directory
