"""Mails to Gmail's REST API over TLS by kept connections."""

import shutil

from harness.contender import Contender
from harness.google import google_python
from harness.places import RECIPIENT, SENDER, TOKEN
from harness.race import Race


def races(places):
    yield race(places, "gmail 8", in_flight=8, google_count=120)
    yield race(places, "gmail 32", in_flight=32)
    if shutil.which("curl"):
        yield large(places)


def race(places, name, in_flight, google_count=0, count=30_000):
    sink = places.sink()
    authorities = places.authority().certificate
    config = places.config("gmail", "Benchmarks/messages", endpoint=f"https://localhost:{sink.https}",
                           account="bench", ca_file=str(authorities), parallel=in_flight)
    mail = places.mail(config)
    core = places.client_core
    arguments = lambda count: [sink.https, count, in_flight, authorities, mail]
    notes = [f"{name}: the mail has {mail.stat().st_size:,} octets, ready-made for all but “composing”, where Pabal "
             "renders and composes each anew"]
    send = [places.pabal, "send", RECIPIENT, "--config", config, "--count", count, "--parallel", in_flight, "--json"]
    bare = lambda label, way: Contender(
        f"bare libcurl {label}", [places.own / "curl_rest", *arguments(count), way], units=count, core=core)
    contenders = [
        Contender("pabal send --count --eml", [*send, "--eml", mail], units=count, core=core, own_figures=True),
        Contender("pabal send --count, composing", send, units=count, core=core, own_figures=True),
        Contender("the plug-in alone", [
            places.own / "drive", places.release / "libpabal-gmail.so", mail, count, in_flight, "account=bench",
            f"endpoint=https://localhost:{sink.https}", f"ca_file={authorities}", f"parallel={in_flight}"],
            units=count, core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        bare("HTTP/1.1, a thread each", "threads"),
        bare("HTTP/1.1, one thread", "multi"),
        bare("HTTP/2, one connection", "http2"),
    ]
    if google_count:
        contenders += google(places, arguments, google_count, notes, name)
    return Race(name, contenders, places.rounds or 7, "bare libcurl", sink, notes=notes)


def google(places, arguments, count, notes, name):
    python, why = google_python()
    if python is None:
        notes.append(f"{name}: Google's Python client does not run: {why}")
        return
    script = places.yardsticks / "google_client.py"
    # The first version of this project built the service for every mail; who takes care builds it once.
    for label, way, units in [("as first used", "each", count), ("kept", "once", count * 4)]:
        yield Contender(f"Google's Python client, {label}", [python, script, *arguments(units), way], units=units,
                        core=places.client_core)


def large(places):
    """A mail of 34 MB: what it costs in memory."""
    sink = places.sink()
    authorities = places.authority().certificate
    config = places.config("gmail", endpoint=f"https://localhost:{sink.https}", account="bench",
                           ca_file=str(authorities))
    mail = places.folder / "large.eml"
    line = b"the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
    head = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: large\r\n\r\n"
    mail.write_bytes(head.encode() + line * (34_000_000 // len(line)))
    curl = ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--output", "/dev/null", "--cacert", authorities,
            "--header", f"Authorization: Bearer {TOKEN}", "--header", "Content-Type: message/rfc822", "--header", "Expect:",
            f"https://localhost:{sink.https}/upload/gmail/v1/users/me/messages/send?uploadType=media"]
    return Race("gmail 34 MB", [
        Contender("pabal send --eml", [places.pabal, "send", "--eml", mail, "--config", config]),
        Contender("curl, streaming", [*curl, "--request", "POST", "--upload-file", mail]),
        Contender("curl, from memory", [*curl, "--data-binary", f"@{mail}"]),
    ], places.rounds or 5, "curl, streaming", sink)
