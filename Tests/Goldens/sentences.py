"""Records what people read: help, errors, diagnostics and output, so that a copy-edit is one readable diff."""
import json, re

from harness import *
from interfaces import ADDRESS, Golden, configuration


def plain(text, site):
    """A text without values that vary between runs."""
    text = text.replace(str(site.path), "SITE").replace(str(site.bin), "BIN")
    text = text.replace(f"{site.bin.parent}/lib/pabal", "BIN/../lib/pabal")
    for pattern, instead in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r"<[0-9A-Z]{24}@", "<ID@"), (r"\b[0-9A-Z]{26}\b", "ID"), (r"\b[0-9A-Z]{32}\b", "SECRET"),
        (r"pabal_[0-9A-Z]{26}", "KEY"), (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"), (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\bport \d{4,5}\b", "port PORT"), (r"-L \d+:", "-L PORT:"),
        (r"\b\d+(\.\d+)? ms\b", "N ms"), (r"\b\d+(\.\d+)? s\b", "N s"), (r"in \d+ seconds", "in N seconds"),
        (r"\b[\d,]+(\.\d+)? per second", "N per second"),
        (r"\b\d+[smhd]( \d+[smh])? old\b", "AGE old"), (r"next try (now|in \d+[smh]( \d+[smh])?)", "next try SOON"),
    ]:
        text = re.sub(pattern, instead, text)
    return text


class Sentences(Golden):
    def __init__(self, about, site):
        super().__init__(about)
        self.site = site

    def record(self, *words, title=None, input=b"", **more):
        """Runs a command and records its output."""
        run = self.site.pabal(*words, input=input, **more)
        said = [text for text in (run.output, run.errors) if text.strip()]
        text = plain("".join(text if text.endswith("\n") else text + "\n" for text in said), self.site)
        self.add(f"{title or plain(' '.join(words), self.site)} -> {run.status}",
                 "\n".join(f"  {line}".rstrip() for line in text.splitlines()))
        return run


def help(bin):
    """The help of every command."""
    with Site(bin) as site:
        golden = Sentences("The help texts", site)
        dump = site.pabal("--experimental-dump-help").json

        def walk(command, above):
            words = above + [command["commandName"]]
            if words[1:] != ["help"]:
                golden.record(*words[1:], "--help", title=" ".join(words))
            for part in command.get("subcommands", []):
                walk(part, words)

        walk(dump["command"], [])
        return {"help": golden}


def errors(bin):
    """Errors of the command line, of mail, of plugins and of the store."""
    with Site(bin, configuration()) as site:
        golden = Sentences("Errors", site)
        site.write("utf16.eml", b"\xff\xfeF\x00")
        site.write("empty.eml", b"")
        site.write("no-date.eml", b"From: a@example.com\r\nSubject: x\r\n\r\nx\r\n")
        site.write("zero.eml", b"From: a@example.com\r\n\r\n\0")
        site.write("broken.json", "{")
        for name in ("no-table", "newer-abi", "no-name", "no-send", "bad-kind", "twice", "bad-default"):
            shutil.copytree(site.path / "faulty", site.path / name)
        id = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        code = site.code()
        for words in [
            ["nothing"], ["sned"], ["--nothing"], ["send"], ["send", ADDRESS, "--nothing"], ["send", ADDRESS, "--transport"],
            ["send", ADDRESS, "--count", "x"], ["send", ADDRESS, "--count", "0"], ["send", ADDRESS, "--parallel", "2"],
            ["send", ADDRESS, "--set", "nothing"], ["send", ADDRESS, "--set", "code=1"],
            ["send", ADDRESS, "--text", "none.txt", "--subject", "x"], ["send", ADDRESS, "--text", "-"],
            ["send", ADDRESS, "--html", "-", "--message", "m"], ["send", ADDRESS, "--subject", "x\ny", "--text", "-"],
            ["send", "--eml", "none.eml"], ["send", "--eml", "empty.eml", ADDRESS], ["send", "--eml", "utf16.eml", ADDRESS],
            ["send", "--eml", "no-date.eml"], ["send", "--eml", "zero.eml", ADDRESS],
            ["send", "kim"], ["send", "a@b@c"], ["send", "a@-.example"], ["send", "a b@example.org"], ["send", "kim@"],
            ["send", "@example.org"], ["send", "Kim <kim@example.org"], ["send", "a@" + "x" * 64 + ".example"],
            ["send", "x" * 65 + "@example.org"], ["send", ADDRESS, "--from", "x"],
            ["send", ADDRESS, "--message", "verificatoin"], ["send", ADDRESS, "--transport", "fiel"],
            ["send", ADDRESS, "--transport", ","], ["send", ADDRESS, "--transport", "deferred"],
            ["send", ADDRESS, "--transport", "rejected"], ["send", ADDRESS, "--transport", "held"],
            ["send", ADDRESS, "--transport", "held-mail"], ["send", ADDRESS, "--transport", "unknown"],
            ["send", "a@example.org", "b@example.org", "c@example.org", "--transport", "each"],
            ["send", ADDRESS, "--config", "none.json"], ["send", ADDRESS, "--config", "broken.json"],
            ["verify", "start"], ["verify", "start", "x"], ["verify", "start", ADDRESS], ["verify", "resend", id],
            ["verify", "start", ADDRESS, "--client", "x"], ["verify", "start", "b@example.org", "--message", "missing"],
            ["verify", "status", "X"], ["verify", "check", id, another_code(code)], ["verify", "check", id, "12"],
            ["verify", "check", id, code], ["verify", "check", id, code], ["verify", "resend", id], ["verify", "redeem", "x"],
            ["verify", "check", "X", "1"],
            ["outbox", "show", "X"], ["outbox", "list", "--state", "x"], ["outbox", "list", "--limit", "0"],
            ["outbox", "list", "--watch"], ["outbox", "list", "--watch", "--json"], ["outbox", "retry"],
            ["outbox", "retry", "--all", "X"], ["outbox", "cancel", "X"],
            ["transports", "show", "missing"], ["transports", "show", "./none.so"], ["transports", "show", "./config.json"],
            *[["transports", "show", f"./{name}/libpabal-faulty.so"] for name in (
                "no-table", "newer-abi", "no-name", "no-send", "bad-kind", "twice", "bad-default")],
            ["messages", "render", "missing"], ["messages", "render", "verification", "--set", "code=x"],
            ["messages", "render", "verification", "--set", "cod=123456"], ["messages", "render", "sign-in-alert", "--set", "time=x"],
            ["messages", "render", "sign-in-alert", "--set", "link=javascript:x"], ["messages", "lint", "missing"],
            ["messages", "preview", "--output", "none/x.html"], ["messages", "preview", "--port", "1"],
            ["account", "login"], ["account", "login", "x"], ["account", "login", "--port", "0"], ["account", "status", "x"],
            ["serve", "--transport", "missing"],
        ]:
            shown = " ".join(words).replace(id, "ID").replace(another_code(code), "WRONG").replace(code, "CODE")
            golden.record(*words, title=shown.replace("\n", "\\n"), input=b"text\n", PABAL_CONFIG=None)

        # The store and its keys.
        key = site.path / "keys/current.key"
        kept = key.read_bytes()
        key.chmod(0o644)
        golden.record("outbox", "list", title="others may read the key")
        key.chmod(0o600)
        key.write_bytes(b"nonsense\n")
        golden.record("outbox", "list", title="an invalid key file")
        key.write_bytes(b"0" * 64 + b"\n")
        golden.record("outbox", "list", title="the key is another")
        key.unlink()
        golden.record("outbox", "list", title="the key is gone")
        site.write("keys/current.key", kept)
        site.lose_tables()
        golden.record("outbox", "list", title="the tables are gone")
        site.write("pabal.sqlite", b"no database" * 500)
        golden.record("outbox", "list", title="the store is another file")
        (site.path / "pabal.sqlite").unlink()
        (site.path / "pabal.sqlite").mkdir()
        golden.record("outbox", "list", title="the store is a folder")
        return {"errors": golden}


def accounts(bin):
    """Logins and their errors."""
    with AuthorizationServer() as server:
        smtp = {"plugin": "smtp", "host": "127.0.0.1", "port": 9, "security": "none", "account": "google"}
        entries = {
            "google": {"provider": "google", "user": server.user, "client": "client.json"},
            "other": {"provider": "token", "user": "bob@example.test", "token": {"env": "TOKEN"}}}
        with Site(bin, configuration(transports={"smtp": smtp}, accounts=entries)) as site:
            golden = Sentences("Accounts", site)
            golden.record("account", "status", title="account status, no client file")
            site.write("client.json", "{}", mode=0o644)
            golden.record("account", "login", "google", title="account login, others may read the client file")
            site.write("client.json", "{}")
            golden.record("account", "login", "google", title="account login, an invalid client file")
            site.write("client.json", server.client_file())
            golden.record("account", "status", title="account status, before a login", TOKEN="x")
            golden.record("send", ADDRESS, "--transport", "smtp", title="send, before a login")
            run = server.log_in(site, "google")
            text = re.sub(r"http://127\.0\.0\.1:\d+/\S+", "ADDRESS", run.output + run.errors)
            golden.add(f"account login -> {run.status}", "\n".join(
                f"  {line}".rstrip() for line in plain(text, site).splitlines()))
            golden.record("account", "status", "google", title="account status, fresh")
            golden.record("account", "logout", "google", title="account logout")
            golden.record("account", "logout", "other", title="account logout of a token", TOKEN="x")
            site.write("tokens/google.json", "{", mode=0o600)
            golden.record("account", "status", "google", title="account status, an invalid token file")
            site.write("tokens/google.json", '{"installed": {}}', mode=0o600)
            golden.record("account", "status", "google", title="account status, the token file is a client")
            site.write("tokens/google.json", '{"token": "x"}', mode=0o644)
            golden.record("account", "status", "google", title="account status, others may read the token file")
            token = {"token": "x", "refresh_token": "y", "client_id": server.client, "expiry": "2020-01-01T00:00:00Z",
                     "scopes": ["https://mail.google.com/"]}
            for error, description in [
                ("invalid_grant", "Token has been expired or revoked."), ("invalid_grant", "Bad Request"),
                ("invalid_client", "The OAuth client was not found."), ("unauthorized_client", "Unauthorized"),
                ("invalid_scope", "x"), ("something_else", "x"),
            ]:
                site.write("tokens/google.json", json.dumps(token), mode=0o600)
                server.control(dead={"error": error, "description": description})
                golden.record("send", ADDRESS, "--transport", "smtp", title=f"send, {error}: {description}")
                golden.record("account", "status", "google", title=f"account status, {error}: {description}")
                (site.path / "tokens/google.json.state").unlink(missing_ok=True)
            return {"accounts": golden}


def diagnostics(bin):
    """The catalog of configuration errors, one or a few at a time."""
    good = {
        "transport": "file", "transports": {"file": {"plugin": "file", "directory": "mail"}},
        "from": "pabal@example.com"}

    def but(**more):
        return {key: value for key, value in {**good, **more}.items() if value is not None}

    serve = {"listen": "127.0.0.1:0", "keyless": True}
    smtp = {"plugin": "smtp", "host": "mail.example.com"}
    google = {"provider": "google", "user": "a@example.com", "client": "client.json"}
    oauth2 = {"provider": "oauth2", "user": "a@example.com", "token_endpoint": "https://example.com/token",
              "client_id": "x", "scopes": ["mail"]}
    cases = {
        "empty": "", "no object": "[]", "a comma too many": '{"a": 1,}', "a string that does not end": '{"a": "b',
        "not UTF-8": b'{"a": "\xff"}', "a comment": '{ // x\n}', "a key twice": '{"from": "a", "from": "b"}',
        "something behind it": "{} x", "an invalid number": '{"a": 01}', "an invalid escape": '{"a": "\\x"}',
        "an object": {}, "unknown keys": but(froom="x", Transport="file"), "wrong types": but(transport=7, transports=[], **{"from": 1}),
        "an unknown transport": but(transport="fiel"), "no transport": but(transport=[]), "one twice": but(transport=["file", "file"]),
        "no transports": but(transports={}), "an invalid name": but(transports={"a b": {"plugin": "file"}}, transport="a b"),
        "no plugin": but(transports={"file": {}}), "an unknown plugin": but(transports={"file": {"plugin": "flie"}}),
        "an unknown setting": but(transports={"file": {"plugin": "file", "directroy": "mail"}}),
        "a setting of another type": but(transports={"file": {"plugin": "file", "directory": 7}}),
        "settings out of range": but(transports={"file": {**smtp, "port": 70_000, "timeout": "1ms", "security": "ssl", "parallel": "x"}}),
        "settings that don't go together": but(transports={"file": {**smtp, "user": "me"}}),
        "no encryption to another machine": but(transports={"file": {**smtp, "security": "none"}}),
        "an unknown account": but(transports={"file": {**smtp, "account": "x"}}),
        "from": but(**{"from": "kim"}), "no from": but(**{"from": None}), "a from that is empty": but(**{"from": {"env": "NONE"}}),
        "secrets": but(**{"from": {"env": "A", "file": "b"}}), "an invalid secret": but(**{"from": {"environment": "A"}}),
        "a secret's file": but(**{"from": {"file": "none"}}), "a secret's command": but(**{"from": {"command": ["/nonexistent"]}}),
        "a secret's command that fails": but(**{"from": {"command": ["false"]}}), "no command": but(**{"from": {"command": []}}),
        "accounts": but(accounts={"a": {}, "b": {"provider": "gogle"}, "c": {"provider": "google"}}),
        "accounts of google": but(accounts={"a": {**google, "client": None, "scopes": []}, "b": {**google, "scopes": ["a b"], "user": ""}}),
        "accounts of oauth2": but(accounts={
            "a": {**oauth2, "token_endpoint": "http://example.com/"}, "b": {**oauth2, "flow": "other"},
            "c": {**oauth2, "flow": "app"}, "d": {**oauth2, "flow": "browser"}, "e": {**oauth2, "flow": "device"}}),
        "accounts of microsoft": but(accounts={"a": {"provider": "microsoft", "user": "a@example.com", "tenant": "a b", "client_id": "x"}}),
        "a service account": but(accounts={"a": {"provider": "google-service-account", "user": "a@example.com"}}),
        "messages": but(messages={}), "messages' language": but(messages={"directory": "messages", "language": "english!"}),
        "messages' variables": but(messages={"directory": "messages", "language": "en", "variables": {"a b": "x", "c": 7}}),
        "a messages folder that is missing": but(messages={"directory": "none", "language": "en"}),
        "outbox": but(outbox={"unknown": "x", "parallel": 0, "retention": "1s", "lease": "1", "alertAfter": 7, "more": 1}),
        "pacing": but(outbox={"pacing": {"fiel": {"sends": 1, "per": "1m"}, "file": {"sends": 0, "per": "1d"}, "more": {}}}),
        "storage": but(storage={"path": ""}), "storage of another type": but(storage=7),
        "plugins": but(plugins={"directories": "x"}), "plugins' folders": but(plugins={"directories": [7, ""]}),
        "keys": but(keys={"current": "x"}), "keys of both kinds": but(keys={"directory": "keys", "current": "x"}),
        "keys that are previous": but(keys={"previous": ["x"]}),
        "verification": but(verification={
            "digits": 5, "lifetime": "1s", "attempts": 0, "cooldown": "2h", "sends": 11, "recipient": ["x"], "clientStarts": "5/1h",
            "clientChecks": ["1/0s"], "quota": 0, "failures": 1, "block": "1s", "proofLifetime": "1s", "retention": "1h", "x": 1}),
        "serve": but(serve={"listen": "localhost"}), "serve, a public address": but(serve={"listen": "0.0.0.0:0", "keyless": True}),
        "serve, without keys": but(serve={"listen": "127.0.0.1:0"}), "serve, a name": but(serve={"listen": "shop.example:80"}),
        "serve, a key instead of its digest": but(serve={**serve, "clients": {"shop": "pabal_0123456789"}}),
        "serve, proxies": but(serve={**serve, "proxies": ["10.0.0.0/33", "x"]}), "serve, alert": but(serve={**serve, "alert": []}),
        "serve, alert of another type": but(serve={**serve, "alert": [7]}), "serve, unknown": but(serve={**serve, "port": 80}),
        "a lifetime that is long": but(verification={"lifetime": "1h"}, messages={"directory": "messages", "language": "en"}),
    }
    with Site(bin) as site:
        golden = Sentences("Diagnostics of configurations, by `pabal check`", site)
        for title, content in cases.items():
            site.write("config.json", content if isinstance(content, bytes) else content if isinstance(content, str)
                       else json.dumps({key: value for key, value in content.items() if value is not None}, indent=2))
            golden.record("check", title=title, TOKEN="x")
        (site.path / "config.json").unlink()
        golden.record("check", title="no file")
        return {"diagnostics": golden}


def answers(bin):
    """The output of commands for people."""
    with Site(bin, configuration()) as site, SMTPServer() as server:
        site.edit('"transports": {', '"transports": { "smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": %d, '
                  '"security": "none" },' % server.port)
        golden = Sentences("Answers", site)
        golden.record("--version")
        golden.record("send", ADDRESS)
        golden.record("send", "taken@example.org", "deferred@example.org", "rejected@example.org", "--transport", "smtp")
        golden.record("send", ADDRESS, "--count", "2", "--transport", "rejected")
        golden.record("transports")
        shown = ("console", "file", "smtp", "gmail", "graph")
        # Further transports of Plugins need no record.
        golden.parts[-1] = "\n".join(
            line for line in golden.parts[-1].split("\n")
            if not (found := re.match(r"    (\S+) \(\S+\): ", line)) or found[1] in shown)
        for name in shown:
            golden.record("transports", "show", name)
        golden.record("messages", "list")
        golden.record("messages", "lint")
        golden.record("messages", "preview")
        golden.record("messages", "render", "verification", "--set", "code=424242", "--part", "text")
        ids = {}
        for name in ("file", "deferred", "rejected", "unsuited", "unknown", "held-mail", "held"):
            run = golden.record("verify", "start", f"{name}@example.org", "--transport", name)
            ids[name] = re.search(r"\b[0-9A-Z]{26}\b", run.output).group(0)
        queued = golden.record("verify", "start", "queued@example.org", "--queue")
        queued = re.search(r"\b[0-9A-Z]{26}\b", queued.output).group(0)
        golden.record("outbox", "list")
        mail = site.pabal("verify", "status", ids["deferred"], "--json").json["delivery"]["mail"]
        golden.record("outbox", "show", mail)
        golden.record("outbox", "retry", mail)
        golden.record("outbox", "retry", "--all")
        golden.record("outbox", "cancel", mail)
        golden.record("verify", "cancel", queued)
        golden.record("verify", "status", queued)
        golden.record("check")
        code = site.code()
        checked = golden.record("verify", "check", ids["file"], code, title="verify check ID CODE")
        golden.record("verify", "redeem", checked.output.split()[-1], title="verify redeem PROOF")
        golden.record("keys", "rotate")
        golden.record("keys", "client", "shop")
        return {"answers": golden}


ALL = [errors, diagnostics, accounts, answers, help]
