"""Mails over TLS with XOAUTH2 to a server that accepts them at once, on kept connections."""

import shutil
import sys

from harness.candidate import Candidate
from harness.workspace import RECIPIENT, SENDER, TOKEN
from harness.comparison import Comparison

BASELINE = "libcurl upload"


def comparisons(workspace):
    yield comparison(workspace, "smtp 1", connections=1, counts=(10_000, 4_000, 1_500, 30))
    yield comparison(workspace, "smtp 8", connections=8, counts=(20_000, 8_000, 3_000, 60))
    # Long runs, because the time to connect must not count.
    yield comparison(workspace, "smtp 8, 25 ms", connections=8, counts=(1_600, 1_600, 400, 80), round_trip=25)
    yield comparison(workspace, "smtp 8, shipped mail", connections=8, counts=(20_000, 8_000), messages="Sources/Messages")


def comparison(workspace, name, connections, counts, round_trip=0, messages="Benchmarks/messages"):
    """`counts`: mails per run of Pabal, libcurl, smtplib, and the commands that start a process per mail."""
    sink = workspace.sink(round_trip)
    authorities = workspace.authority().certificate
    config = workspace.config("smtp", messages, host="localhost", port=sink.smtps, account="bench",
                           ca_file=str(authorities), parallel=connections)
    mail = workspace.mail(config)
    core = workspace.client_core
    arguments = lambda count: [sink.smtps, count, connections, authorities, mail]
    notes = [f"{name}: the mail has {mail.stat().st_size:,} bytes; it is ready-made except for “composing”, where Pabal "
             "renders and composes each mail"]
    send = [workspace.pabal, "send", RECIPIENT, "--config", config, "--count", counts[0], "--parallel", connections, "--json"]
    candidates = [
        Candidate("pabal send --count --eml", [*send, "--eml", mail], units=counts[0], core=core, reports_figures=True),
        Candidate("pabal send --count, composing", send, units=counts[0], core=core, reports_figures=True),
        Candidate("the plugin alone", [
            workspace.tools / "plugin_driver", workspace.release / "libpabal-smtp.so", mail, counts[0], connections, "account=bench",
            "host=localhost", f"port={sink.smtps}", f"ca_file={authorities}", f"parallel={connections}"],
            units=counts[0], core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        Candidate(BASELINE, [workspace.tools / "curl_upload", *arguments(counts[1])], units=counts[1], core=core),
    ]
    if len(counts) > 2:
        candidates.append(Candidate("Python smtplib", [
            sys.executable, workspace.baselines / "smtplib_upload.py", *arguments(counts[2])],
            units=counts[2], core=core))
        candidates += processes(workspace, sink, mail, connections, counts[3], notes, name)
    return Comparison(name, candidates, workspace.rounds or (3 if round_trip else 7), BASELINE, sink,
                warm_up=not round_trip, notes=notes)


def processes(workspace, sink, mail, connections, count, notes, name):
    """The commands that connect for each mail, if they are installed."""
    authorities = workspace.authority().certificate
    repeat = ["sh", workspace.baselines / "repeat.sh", count, connections, mail]
    commands = {
        "msmtp": ["msmtp", f"--file={msmtp_settings(workspace, sink, authorities)}", RECIPIENT],
        "curl": ["curl", "--cacert", authorities, *curl_arguments(sink)],
    }
    for command, arguments in commands.items():
        if shutil.which(command):
            yield Candidate(f"{command}, a process each", [*repeat, *arguments], units=count, core=workspace.client_core)
        else:
            notes.append(f"{name}: {command} is not installed, so it is left out")


def curl_arguments(sink):
    """Arguments with which curl sends its standard input as a mail."""
    return ["--silent", "--show-error", "--url", f"smtps://localhost:{sink.smtps}/localhost", "--user", f"{SENDER}:",
            "--oauth2-bearer", TOKEN, "--login-options", "AUTH=XOAUTH2", "--sasl-ir", "--mail-from", SENDER,
            "--mail-rcpt", RECIPIENT, "--upload-file", "-"]


def msmtp_settings(workspace, sink, authorities="system"):
    path = workspace.folder / f"msmtp-{sink.smtps}"
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
