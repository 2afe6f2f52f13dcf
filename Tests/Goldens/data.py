#!/usr/bin/env python3
"""Data directories written by earlier versions of Pabal, which every later version must open and continue.

data.py record BIN NAME   writes Tests/Goldens/data/NAME with the programs in BIN; done once per version
data.py check BIN         continues each of these directories with the programs in BIN and compares the results

A directory has a database, its keys, token files, messages and a configuration, and `expected` with the results of the
version that wrote it. The programs run with a fixed clock shortly after the recording.
"""
import difflib, json, os, pathlib, re, shutil, signal, sqlite3, sys, time

sys.dont_write_bytecode = True
from harness import *

DATA = GOLDENS / "data"
ONCE = {
    "for": "a mail that must not come twice", "lane": "bulk", "unknown": "keep",
    "variables": {"service": {"for": "the name of the service", "kind": "text", "example": "Pabal"}}}
ACT = "./faulty/libpabal-faulty.so"


def configuration(port, server):
    """Lifetimes so long that nothing expires before it is checked."""
    client = {"provider": "google", "user": server.user, "client": "client.json"}
    return {
        "transport": "file",
        "transports": {
            "file": {"plugin": "file", "directory": "mail"},
            "smtp": {"plugin": "smtp", "host": "127.0.0.1", "port": port, "security": "none"},
            "login": {"plugin": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "user": "me", "password": "wrong"},
            "held-mail": {"plugin": ACT, "act": "held:mail"}, "deferred": {"plugin": ACT, "act": "deferred:60"},
        },
        "from": "파발 <pabal@example.com>",
        "messages": {"directory": "messages", "language": "ko", "variables": {"service": "Pabal"}},
        "accounts": {
            "fresh": {**client, "token": "tokens/fresh.json"}, "expiring": {**client, "token": "tokens/expiring.json"},
            "dead": {**client, "token": "tokens/dead.json"}},
        "serve": {"listen": "127.0.0.1:0", "keyless": True},
        "outbox": {"lease": "60s", "retention": "8760h", "pacing": {"deferred": {"sends": 100, "per": "1h"}}},
        "verification": {
            "lifetime": "24h", "proofLifetime": "24h", "retention": "720h", "cooldown": "0s", "recipient": ["10/24h"],
            "clientStarts": ["50/24h"], "clientChecks": ["50/24h"], "sends": 5, "attempts": 3, "failures": 5, "block": "24h"},
    }


# MARK: Recording


def make(bin, folder):
    """Writes a directory with the programs in `bin`."""
    with SMTPServer() as smtp, AuthorizationServer() as server, Site(bin, configuration(smtp.port, server)) as site:
        site.write("client.json", server.client_file())
        site.write("messages/once/message.json", json.dumps(ONCE, ensure_ascii=False, indent=2) + "\n")
        site.write("messages/once/ko.md", "Subject: 한 번\n\n{{service}}에서 한 번만 보냅니다.\n")
        known = {"verifications": {}, "mails": {}, "codes": {}, "requests": []}

        def start(name, *words, expected=0, code=True, **more):
            address = f"{name}@example.org"
            run = site.pabal("verify", "start", address, "--json", *words, **more)
            assert run.status == expected, (name, run.status, run.output, run.errors)
            answer = run.json
            known["verifications"][name] = answer["id"]
            known["mails"][f"verification {name}"] = answer["delivery"]["mail"]
            if code and "--queue" not in words and expected == 0:
                known["codes"][name] = site.code()
            return answer["id"]

        def check(name, code, outcome):
            run = site.pabal("verify", "check", known["verifications"][name], code, "--json")
            assert run.json["outcome"] == outcome, (name, run.output, run.errors)
            return run.json

        def ended(name):
            for wrong in range(3):
                check(name, another_code(known["codes"][name]), "mismatch")

        # In the past: a code that was never typed, and a mail that was never sent.
        past = site.clock(-90_000)
        start("expired", **past)
        start("expired-queued", "--queue", **past)

        start("pending")
        start("Pending+Tag")
        start("tried")
        check("tried", another_code(known["codes"]["tried"]), "mismatch")
        start("approved", "--client", "192.0.2.1", "--language", "en")
        known["proof"] = check("approved", known["codes"]["approved"], "approved")["proof"]
        start("consumed")
        proof = check("consumed", known["codes"]["consumed"], "approved")["proof"]
        assert site.pabal("verify", "redeem", proof).status == 0
        start("exhausted")
        ended("exhausted")
        start("cancelled")
        assert site.pabal("verify", "cancel", known["verifications"]["cancelled"]).status == 0
        start("superseded", "--purpose", "change")
        known["verifications"]["superseded before"] = known["verifications"]["superseded"]
        start("superseded", "--purpose", "change")
        start("resent")
        known["codes"]["resent before"] = known["codes"]["resent"]
        assert site.pabal("verify", "resend", known["verifications"]["resent"]).status == 0
        known["codes"]["resent"] = site.code()
        start("notice", "--notice", "--set", "service=파발", code=False)
        with Served(site, "--transport", "smtp") as served:

            def post(name, path, body, **fields):
                answer = served.ask("POST", path, body, {"Prefer": "wait=30", **fields})
                assert answer.status == 202, (name, answer.status, answer.body)
                return answer["id"]

            variables = {"code": "424242", "valid_for": "10m"}
            several = ["taken@example.org", "rejected@example.org", "deferred@example.org"]
            mail = {"to": several, "message": "verification", "variables": variables, "language": "ko"}
            for name, path, body in [
                ("start", "/v1/verifications", {"to": "keyed@example.org"}), ("mail", "/v1/mails", mail),
            ]:
                made = post(name, path, body, **{"Idempotency-Key": f"{name}-1"})
                known["requests"].append({"key": f"{name}-1", "path": path, "body": body, "id": made})
            known["verifications"]["keyed"] = known["requests"][0]["id"]
            path = f"/v1/verifications/{known['verifications']['keyed']}/resend"
            post("resend", path, {}, **{"Idempotency-Key": "resend-1"})
            known["requests"].append(
                {"key": "resend-1", "path": path, "body": {}, "id": known["verifications"]["keyed"]})
            known["mails"]["several"] = known["requests"][1]["id"]
            known["mails"]["unknown"] = post("unknown", "/v1/mails", {"to": "unknown@example.org", "message": "once"})
            served.ask("POST", "/v1/mails", {"to": "slow@example.org", "message": "verification", "variables": variables})
            assert smtp.waiting.wait(PATIENCE)
            served.running.kill()
        known["mails"]["sending"] = next(
            mail["id"] for mail in site.pabal("outbox", "list", "--limit", "100", "--json").json["mails"]
            if mail["status"] == "sending")

        start("waiting", "--queue")
        start("held-mail", "--transport", "held-mail", expected=77)
        start("deferred", "--transport", "deferred", expected=75)
        start("rejected", "--transport", "smtp", expected=69)
        start("held", "--transport", "login", expected=77)
        start("queued-twice", "--queue")
        known["mails"]["superseded"] = known["mails"]["verification queued-twice"]
        start("queued-twice", "--queue")
        start("taken-back", "--queue")
        assert site.pabal("outbox", "cancel", known["mails"]["verification taken-back"]).status == 0

        # Half of it sealed with the previous key.
        assert site.pabal("keys", "rotate").status == 0
        start("pending-after")
        start("waiting-after", "--queue", "--language", "en")

        for name, options in {"fresh": {"refresh_token_expires_in": None}, "dead": {}, "expiring": {
                "refresh_token_expires_in": 86_400 * 6}}.items():
            server.control(**options)
            run = server.log_in(site, name)
            assert run.status == 0, run.errors
        server.control(dead={"error": "invalid_grant", "description": "Token has been expired or revoked."})
        token = json.loads(site.read("tokens/dead.json"))
        site.write("tokens/dead.json", json.dumps({**token, "expiry": "2020-01-01T00:00:00Z"}, indent=2) + "\n")
        site.edit('"plugin": "smtp",\n      "host": "127.0.0.1"', '"plugin": "smtp",\n      "account": "dead",\n      "host": "127.0.0.1"')
        site.pabal("send", "you@example.org", "--transport", "smtp")
        assert (site.path / "tokens/dead.json.state").exists()
        site.edit('"account": "dead",\n      ', "")

        # The required states exist.
        counts = site.pabal("outbox", "list", "--json").json["counts"]
        assert set(counts) == {
            "waiting", "sending", "sent", "rejected", "unknown", "expired", "superseded", "cancelled"}, counts
        # The port is closed now.
        site.write("config.json", site.read("config.json").replace(f'"port": {smtp.port}', '"port": 9'))
        with sqlite3.connect(site.path / "pabal.sqlite") as database:
            states = {state for state, in database.execute("SELECT DISTINCT state FROM verification")}
            assert states == {
                "pending", "approved", "consumed", "exhausted", "expired", "cancelled", "superseded"}, states
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        known["recorded"] = int(time.time())

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (site.path / "messages/README.md").unlink()
        for name in ("config.json", "client.json", "pabal.sqlite", "keys", "tokens", "messages"):
            source = site.path / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        for file in folder.rglob("*.lock"):
            file.unlink()
        (folder / "known.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


# MARK: Continuing


def opened(bin, folder):
    """A copy of the directory in which the programs see a clock 90 seconds after the recording."""
    site = Site(bin, copy=folder)
    for path in site.path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    known = json.loads(site.read("known.json"))
    clock = site.clock(known["recorded"] + 90 - time.time())
    return site, known, clock


def observe(bin, folder):
    """The results of the programs in `bin` on a directory: a transcript and the mails they send."""
    seen, mails = {}, {}
    began = time.time()
    site, known, clock = opened(bin, folder)
    with site:

        def ask(title, *words, only=None):
            run = site.pabal(*words, "--json", **clock)
            answer = run.json
            if only:
                answer = {key: answer.get(key) for key in only}
            seen[title] = {"status": run.status, "answer": answer}
            return run.json

        names = sorted(known["verifications"])
        # Every row.
        ask("outbox list", "outbox", "list", "--limit", "100")
        for name, id in sorted(known["mails"].items()):
            ask(f"outbox show {name}", "outbox", "show", id)
        for name in names:
            ask(f"verify status {name}", "verify", "status", known["verifications"][name])
        ask("account status", "account", "status")
        read = time.time()

        # Codes and proofs.
        def check(title, name, code):
            ask(title, "verify", "check", known["verifications"][name], code, only=("outcome", "attempts_remaining"))

        # A replaced code, before the new one is typed.
        for name in sorted(known["codes"], key=lambda name: (not name.endswith(" before"), name)):
            id = name.removesuffix(" before")
            if name in ("pending", "pending-after", "Pending+Tag", "tried"):
                check(f"wrong code of {name}", id, another_code(known["codes"][name]))
            check(f"code of {name}", id, known["codes"][name])
        ask("the proof", "verify", "redeem", known["proof"])
        ask("the proof again", "verify", "redeem", known["proof"])

        # The stored input of a resend, sealed with the previous and the current key.
        sent = len(site.mails())
        for name in ("notice", "rejected", "held", "waiting-after"):
            ask(f"verify resend {name}", "verify", "resend", known["verifications"][name],
                only=("status", "generation", "to_masked", "language", "purpose", "attempts_remaining", "sends_remaining"))
        seen["the mails of the resends"] = [heads(mail) for mail in site.mails()[sent:]]

        # Repeated requests.
        with Served(site, **clock) as served:
            for request in known["requests"]:
                answer = served.ask("POST", request["path"], request["body"], {"Idempotency-Key": request["key"]})
                seen[f"{request['key']} again"] = [answer.status, answer["id"] == request["id"]]
                other = {**request["body"], "client": {"ip": "192.0.2.9"}} if "mails" not in request["path"] else {
                    **request["body"], "language": "en"}
                answer = served.ask("POST", request["path"], other, {"Idempotency-Key": request["key"]})
                seen[f"{request['key']} with another body"] = [answer.status, answer["type"]]
            served.stop()

        # Limits that earlier mails, codes and clients count against.
        limited = ("limit", "done")
        fresh = site.pabal("verify", "start", "exhausted@example.org", "--json", **clock).json["id"]
        for title in ("the fourth wrong code in a row", "the fifth", "the sixth"):
            ask(title, "verify", "check", fresh, another_code(site.code()), only=("outcome", "limit", "done"))
        good = site.read("config.json")
        for title, old, new, words in [
            ("cooldown", '"cooldown": "0s"', '"cooldown": "1h"', ["PENDING-after+other@example.org"]),
            ("recipient", '"10/24h"', '"1/24h"', ["pending+other@example.org"]),
            ("client", '"50/24h"', '"1/24h"', ["new@example.org", "--client", "192.0.2.1"]),
        ]:
            site.edit(old, new)
            ask(f"a start, limit {title}", "verify", "start", *words, only=limited)
            site.write("config.json", good)

    # Waiting mail is sent once its transport works: the same bytes that the original version sent.
    site, known, clock = opened(bin, folder)
    with site:
        ask("outbox retry --all", "outbox", "retry", "--all")
        with Served(site, "--transport", "file", **clock) as served:
            eventually(lambda: not (set(counts(site, clock)) & {"waiting", "sending"}), lambda: counts(site, clock))
            served.stop()
        seen["afterwards"] = counts(site, clock)
        for file in (site.path / "mail").iterdir():
            mails[file.name] = file.read_bytes()

    # A wrong key opens nothing; without the previous key only what it sealed stays closed.
    site, known, clock = opened(bin, folder)
    with site:
        current = site.read("keys/current.key")
        previous = [file for file in (site.path / "keys").iterdir() if file.name.startswith("previous-")]
        kept = [(file, file.read_bytes()) for file in previous]
        for file in previous:
            file.unlink()
        ask("without the key of before: its code", "verify", "check", known["verifications"]["pending"], known["codes"]["pending"])
        ask("without the key of before: the current one's", "verify", "check", known["verifications"]["pending-after"],
            known["codes"]["pending-after"], only=("outcome",))
        for file, text in kept:
            file.write_bytes(text)
            file.chmod(0o600)
        ask("with it: its code", "verify", "check", known["verifications"]["pending"], known["codes"]["pending"], only=("outcome",))
        for file in previous:
            file.unlink()
        site.write("keys/current.key", "0" * 64 + "\n")
        ask("another key", "outbox", "list")
        (site.path / "keys/current.key").unlink()
        ask("no key", "outbox", "list")
    text = formatted(seen)
    # "Due now" is the time of the command.
    for second in range(int(read - began) + 3):
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(known["recorded"] + 89 + second))
        text = text.replace(f'"{moment}"', '"now"')
    # Sentences have goldens of their own.
    text = re.sub(r'"(what|cure|cause|detail|notes)": "(?:[^"\\]|\\.)*"', r'"\1": "…"', text)
    return re.sub(r"/[^\"]*pabal-golden-[a-z0-9_]+", "SITE", text) + "\n", mails


def counts(site, clock):
    return site.pabal("outbox", "list", "--json", **clock).json["counts"]


def heads(mail):
    """The recipient of a mail and its message."""
    text = mail.decode()
    return [line for line in text.split("\r\n\r\n")[0].split("\r\n") if line.startswith(("To:", "Content-Language:"))]


def formatted(value):
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)


def common(value, earlier):
    """`value` without what later versions added on purpose: keys of objects, and transports that are only paused in the
    list of the outbox, which shows no due time for held mail either."""
    if isinstance(value, dict) and isinstance(earlier, dict):
        value = dict(value)
        if earlier.get("held") and value.get("due_at", "") is None:
            value["due_at"] = earlier["due_at"]
        if isinstance(value.get("transports"), list) and isinstance(earlier.get("transports"), list):
            names = [transport["name"] for transport in earlier["transports"]]
            value["transports"] = [
                transport for transport in value["transports"]
                if transport["name"] in names or transport["status"] != "paused"]
        return {key: common(part, earlier[key]) for key, part in value.items() if key in earlier}
    if isinstance(value, list) and isinstance(earlier, list) and len(value) == len(earlier):
        return [common(*pair) for pair in zip(value, earlier)]
    return value


def check(bin, folder):
    """The lines in which the results differ from those of the original version."""
    text, mails = observe(bin, folder)
    expected = folder / "expected"
    place = f"Tests/Goldens/data/{folder.name}/expected"
    before = (expected / "transcript.json").read_text()
    lines = list(difflib.unified_diff(
        before.splitlines(), formatted(common(json.loads(text), json.loads(before))).splitlines(),
        f"{place}/transcript.json", "as it is now", lineterm=""))
    known = {file.name: file.read_bytes() for file in expected.glob("*.eml")}
    for name in sorted({*known, *mails}):
        if known.get(name) != mails.get(name):
            lines += difflib.unified_diff(
                known.get(name, b"").decode().splitlines(), mails.get(name, b"").decode().splitlines(), f"{place}/{name}",
                "as it is sent now", lineterm="")
            lines.append(f"{name} is sent with other bytes")
    return lines


README = """# Data of an earlier version

Written by `python3 Tests/Goldens/data.py record` with the programs of the commit that the folder is named after, and
never changed since: a database with mail and verifications in every state, the keys it is sealed with (one rotation),
token files, messages and a configuration. `known.json` has the codes, ids and requests; `expected` has what that version
computed from it. `Tests/Goldens/data.py check` continues from here with a later build.

The keys, tokens, codes and the client secret are test values: the accounts are those of
`Tests/Servers/oauth.py`, the addresses are in example.org.
"""


def main(words):
    if words[:1] == ["record"] and len(words) == 3:
        bin, folder = pathlib.Path(words[1]), DATA / words[2]
        make(bin, folder)
        text, mails = observe(bin, folder)
        (folder / "expected").mkdir()
        (folder / "expected/transcript.json").write_text(text)
        for name, mail in mails.items():
            (folder / "expected" / name).write_bytes(mail)
        (folder / "README.md").write_text(README)
        print(f"{folder}: {sum(1 for _ in folder.rglob('*'))} files, {len(mails)} mails sent")
        return 0
    if words[:1] == ["check"] and len(words) == 2:
        bin, status = pathlib.Path(words[1]), 0
        for folder in sorted(folder for folder in DATA.iterdir() if folder.is_dir()):
            if lines := check(bin, folder):
                print("\n".join(lines))
                print(f"\nWhat {folder.name} wrote is not gone on with as it was. That loses data of people who update: change the "
                      "code, not the folder.")
                status = 1
        return status
    print(__doc__, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
