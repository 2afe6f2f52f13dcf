"""Mails to Gmail's REST API over TLS on kept connections."""

import shutil

from harness.candidate import Candidate
from harness.google import google_python
from harness.workspace import RECIPIENT, SENDER, TOKEN
from harness.comparison import Comparison


def comparisons(workspace):
    yield comparison(workspace, "gmail 8", in_flight=8, google_count=120)
    yield comparison(workspace, "gmail 32", in_flight=32)
    if shutil.which("curl"):
        yield large(workspace)


def comparison(workspace, name, in_flight, google_count=0, count=30_000):
    sink = workspace.sink()
    authorities = workspace.authority().certificate
    config = workspace.config("gmail", "Benchmarks/messages", endpoint=f"https://localhost:{sink.https}",
                           account="bench", ca_file=str(authorities), parallel=in_flight)
    mail = workspace.mail(config)
    core = workspace.client_core
    arguments = lambda count: [sink.https, count, in_flight, authorities, mail]
    notes = [f"{name}: the mail has {mail.stat().st_size:,} bytes; it is ready-made except for “composing”, where Pabal "
             "renders and composes each mail"]
    send = [workspace.pabal, "send", RECIPIENT, "--config", config, "--count", count, "--parallel", in_flight, "--json"]
    bare_libcurl = lambda label, mode: Candidate(
        f"libcurl {label}", [workspace.tools / "curl_rest", *arguments(count), mode], units=count, core=core)
    candidates = [
        Candidate("pabal send --count --eml", [*send, "--eml", mail], units=count, core=core, reports_figures=True),
        Candidate("pabal send --count, composing", send, units=count, core=core, reports_figures=True),
        Candidate("the plugin alone", [
            workspace.tools / "plugin_driver", workspace.release / "libpabal-gmail.so", mail, count, in_flight, "account=bench",
            f"endpoint=https://localhost:{sink.https}", f"ca_file={authorities}", f"parallel={in_flight}"],
            units=count, core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        bare_libcurl("HTTP/1.1, a thread each", "threads"),
        bare_libcurl("HTTP/1.1, one thread", "multi"),
        bare_libcurl("HTTP/2, one connection", "http2"),
    ]
    if google_count:
        candidates += google(workspace, arguments, google_count, notes, name)
    return Comparison(name, candidates, workspace.rounds or 7, "libcurl", sink, notes=notes)


def google(workspace, arguments, count, notes, name):
    python, reason = google_python()
    if python is None:
        notes.append(f"{name}: Google's Python client is left out: {reason}")
        return
    script = workspace.baselines / "google_client.py"
    # The first version of this project built the service for every mail; careful code builds it once.
    for label, mode, units in [("as first used", "each", count), ("kept", "once", count * 4)]:
        yield Candidate(f"Google's Python client, {label}", [python, script, *arguments(units), mode], units=units,
                        core=workspace.client_core)


def large(workspace):
    """Memory for a mail of 34 MB."""
    sink = workspace.sink()
    authorities = workspace.authority().certificate
    config = workspace.config("gmail", endpoint=f"https://localhost:{sink.https}", account="bench",
                           ca_file=str(authorities))
    mail = workspace.folder / "large.eml"
    line = b"the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
    head = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: large\r\n\r\n"
    mail.write_bytes(head.encode() + line * (34_000_000 // len(line)))
    curl = ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--output", "/dev/null", "--cacert", authorities,
            "--header", f"Authorization: Bearer {TOKEN}", "--header", "Content-Type: message/rfc822", "--header", "Expect:",
            f"https://localhost:{sink.https}/upload/gmail/v1/users/me/messages/send?uploadType=media"]
    return Comparison("gmail 34 MB", [
        Candidate("pabal send --eml", [workspace.pabal, "send", "--eml", mail, "--config", config]),
        Candidate("curl, streaming", [*curl, "--request", "POST", "--upload-file", mail]),
        Candidate("curl, from memory", [*curl, "--data-binary", f"@{mail}"]),
    ], workspace.rounds or 5, "curl, streaming", sink)
