"""One process and one mail over TLS with the system's trust store: the cost per mail of a script."""

import shutil
import sys

from harness.candidate import Candidate
from harness.google import google_python
from harness.workspace import RECIPIENT, TOKEN
from harness.comparison import Comparison
from harness.trust import SystemStore
from scenarios.smtp import curl_arguments, msmtp_settings


def comparisons(workspace):
    store = SystemStore(workspace.folder / "certificates", workspace.authority())
    if store.unavailable_reason:
        yield Comparison("cold", [], 0, notes=[f"cold: left out: {store.unavailable_reason}"])
        return
    yield smtp(workspace, store)
    yield gmail(workspace, store)


def smtp(workspace, store):
    sink = workspace.sink()
    config = workspace.config("smtp", host="localhost", port=sink.smtps, account="bench")
    mail = workspace.mail(config)
    candidates = [
        pabal_candidate(workspace, store, config),
        *other_candidates(workspace, store, mail, {
            "curl": ["curl", *curl_arguments(sink)],
            "msmtp": ["msmtp", f"--file={msmtp_settings(workspace, sink)}", RECIPIENT],
            "Python smtplib": [sys.executable, workspace.baselines / "smtplib_upload.py", sink.smtps, 1, 1,
                               "system", mail],
        }),
    ]
    return Comparison("cold smtp", candidates, workspace.rounds or 21, "curl", sink)


def gmail(workspace, store):
    sink = workspace.sink()
    url = f"https://localhost:{sink.https}"
    config = workspace.config("gmail", endpoint=url, account="bench")
    mail = workspace.mail(config)
    commands = {
        "curl": ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null",
                 "--header", f"Authorization: Bearer {TOKEN}", "--header", "Content-Type: message/rfc822",
                 "--data-binary", "@-", f"{url}/upload/gmail/v1/users/me/messages/send?uploadType=media"],
    }
    notes = []
    python, reason = google_python()
    if python:
        commands["Google's Python client"] = [
            python, workspace.baselines / "google_client.py", sink.https, 1, 1, store.bundle, mail, "each"]
    else:
        notes.append(f"cold gmail: Google's Python client is left out: {reason}")
    candidates = [pabal_candidate(workspace, store, config), *other_candidates(workspace, store, mail, commands)]
    return Comparison("cold gmail", candidates, workspace.rounds or 21, "curl", sink, notes=notes)


def pabal_candidate(workspace, store, config):
    return Candidate("pabal send", [workspace.pabal, "send", RECIPIENT, "--config", config],
                     core=workspace.client_core, command_prefix=store.command_prefix)


def other_candidates(workspace, store, mail, commands):
    for name, arguments in commands.items():
        if shutil.which(arguments[0]):
            yield Candidate(name, arguments, core=workspace.client_core, command_prefix=store.command_prefix, input=mail)
