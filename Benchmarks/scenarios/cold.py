"""One process, one mail, over TLS with the system's own trust store: what a script pays for each mail."""

import shutil
import sys

from harness.contender import Contender
from harness.google import google_python
from harness.places import RECIPIENT, TOKEN
from harness.race import Race
from harness.trust import SystemStore
from races.smtp import curl_arguments, msmtp_settings


def races(places):
    store = SystemStore(places.folder / "certificates", places.authority())
    if store.why_not:
        yield Race("cold", [], 0, notes=[f"cold: does not run: {store.why_not}"])
        return
    yield smtp(places, store)
    yield gmail(places, store)


def smtp(places, store):
    sink = places.sink()
    config = places.config("smtp", host="localhost", port=sink.smtps, account="bench")
    mail = places.mail(config)
    contenders = [
        ours(places, store, config),
        *others(places, store, mail, {
            "curl": ["curl", *curl_arguments(sink)],
            "msmtp": ["msmtp", f"--file={msmtp_settings(places, sink)}", RECIPIENT],
            "Python smtplib": [sys.executable, places.yardsticks / "smtplib_upload.py", sink.smtps, 1, 1,
                               "system", mail],
        }),
    ]
    return Race("cold smtp", contenders, places.rounds or 21, "curl", sink)


def gmail(places, store):
    sink = places.sink()
    url = f"https://localhost:{sink.https}"
    config = places.config("gmail", endpoint=url, account="bench")
    mail = places.mail(config)
    commands = {
        "curl": ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null",
                 "--header", f"Authorization: Bearer {TOKEN}", "--header", "Content-Type: message/rfc822",
                 "--data-binary", "@-", f"{url}/upload/gmail/v1/users/me/messages/send?uploadType=media"],
    }
    notes = []
    python, why = google_python()
    if python:
        commands["Google's Python client"] = [
            python, places.yardsticks / "google_client.py", sink.https, 1, 1, store.bundle, mail, "each"]
    else:
        notes.append(f"cold gmail: Google's Python client does not run: {why}")
    contenders = [ours(places, store, config), *others(places, store, mail, commands)]
    return Race("cold gmail", contenders, places.rounds or 21, "curl", sink, notes=notes)


def ours(places, store, config):
    return Contender("pabal send", [places.pabal, "send", RECIPIENT, "--config", config],
                     core=places.client_core, around=store.around)


def others(places, store, mail, commands):
    for name, words in commands.items():
        if shutil.which(words[0]):
            yield Contender(name, words, core=places.client_core, around=store.around, input=mail)
