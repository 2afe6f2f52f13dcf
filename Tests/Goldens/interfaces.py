"""Records what other programs rely on: output, exit statuses, logs, metrics and keys, without sentences."""
import email, email.policy, json, re, signal, sqlite3, threading, urllib.parse

from harness import *
from shapes import shape, shapes, without


class Golden:
    """One golden file: text with sections."""

    def __init__(self, about):
        self.parts = [f"# {about}"]

    def add(self, title, text=""):
        self.parts.append(f"== {title}\n{text}".rstrip())

    @property
    def text(self):
        return "\n\n".join(self.parts) + "\n"


def configuration(**more):
    """The default configuration of a site plus `transports`."""
    act = "./faulty/libpabal-faulty.so"
    transports = {
        "console": {"plugin": "console"},
        "file": {"plugin": "file", "directory": "mail"},
        "deferred": {"plugin": act, "act": "deferred:60"},
        "unsuited": {"plugin": act, "act": "unsuited"},
        "rejected": {"plugin": act, "act": "rejected"},
        "held": {"plugin": act, "act": "held:transport"},
        "held-mail": {"plugin": act, "act": "held:mail"},
        "unknown": {"plugin": act, "act": "unknown"},
        "each": {"plugin": act, "act": "each sent rejected deferred unknown held"},
    }
    transports.update(more.pop("transports", {}))
    return {
        "transport": more.pop("transport", "file"), "transports": transports, "from": "파발 <pabal@example.com>",
        "messages": {"directory": "messages", "language": "en", "variables": {"service": "Pabal"}}, **more}


ADDRESS = "you@example.org"


class Answers(Golden):
    """Output of commands with `--json`."""

    def __init__(self, about, site):
        super().__init__(about)
        self.site = site

    def ask(self, *words, title=None, shown=None, **more):
        """Runs a command with `--json`, records its output and returns it."""
        run = self.site.pabal(*words, "--json", **more)
        texts = [shapes(value) for value in run.documents]
        self.add(f"{title or ' '.join(words)} -> {run.status}", "\n  and then\n".join(texts))
        value = run.documents[0] if run.documents else None
        return value


def send(bin):
    with Site(bin, configuration()) as site, SMTPServer() as server:
        site.edit('"transports": {', '"transports": { "smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": %d, '
                  '"security": "none" }, "login": { "plugin": "smtp", "host": "127.0.0.1", "port": %d, "security": '
                  '"none", "user": "me", "password": "wrong" },' % (server.port, server.port))
        golden = Answers("pabal send --json", site)
        golden.ask("send", ADDRESS)
        for name in ("deferred", "unsuited", "rejected", "held", "held-mail", "unknown", "login"):
            golden.ask("send", ADDRESS, "--transport", name)
        golden.ask("send", ADDRESS, "--transport", "deferred", "--transport", "file")
        golden.ask("send", *[f"{name}@example.org" for name in "abcde"], "--transport", "each")
        for name in ("taken", "rejected", "deferred", "unknown"):
            golden.ask("send", f"{name}@example.org", "--transport", "smtp")
        golden.ask("send", ADDRESS, "--dry-run")
        golden.ask("send", ADDRESS, "--count", "4", "--parallel", "2")
        golden.ask("send", ADDRESS, "--count", "2", "--transport", "rejected")
        golden.ask("send", ADDRESS, "--count", "2", "--transport", "login")
        golden.ask("send", "nobody")
        golden.ask("send", ADDRESS, "--transport", "missing")
        golden.ask("send", ADDRESS, "--message", "missing")
        golden.ask("send", ADDRESS, "--count", "2", "--transport", "far", title="send --count to another machine",
                   PABAL_CONFIG=str(far(site)))

        mail = Golden("The fields and parts of the mails that are made")
        for title, words in {
            "a message": ("send", ADDRESS),
            "text alone": ("send", ADDRESS, "--subject", "Hello", "--text", "-"),
            "text and HTML": ("send", ADDRESS, "--subject", "Héllo", "--text", "-", "--html", "page.html"),
        }.items():
            site.write("page.html", "<p>Hello</p>")
            run = site.pabal(*words, "--dry-run", input=b"Hello\n")
            mail.add(title, structure(run.output.encode()))
        return {"send": golden, "mail": mail}


def structure(mail):
    """The header fields of a mail, without volatile values, and its parts."""
    message = email.message_from_bytes(mail, policy=email.policy.compat32)
    lines = []
    for part in message.walk():
        indent = "  " if part is message else "    "
        if part is not message:
            lines.append("  part")
        for name, value in part.items():
            volatile = name in ("Date", "Message-ID", "Subject", "From")
            lines.append(f"{indent}{name}: {'…' if volatile else re.sub(r'=_[0-9A-Z]+', '…', value)}")
    return "\n".join(lines)


def far(site):
    """A configuration whose transport connects to another machine."""
    site.write("far.json", json.dumps(configuration(
        transports={"far": {"plugin": "smtp", "host": "mail.example.com"}})))
    return site.path / "far.json"


def verify(bin):
    limits = {"verification": {"cooldown": "0s", "recipient": ["20/1h"], "attempts": 2, "sends": 3}}
    with Site(bin, configuration(**limits)) as site:
        golden = Answers("pabal verify --json", site)
        first = golden.ask("verify", "start", ADDRESS)["id"]
        golden.ask("verify", "start", "queued@example.org", "--queue", "--language", "ko", "--client", "192.0.2.1")
        golden.ask("verify", "start", "known@example.org", "--notice")
        for name in ("deferred", "unsuited", "rejected", "held", "held-mail", "unknown"):
            golden.ask("verify", "start", f"{name}@example.org", "--transport", name)

        def about(command, id, *more, **environment):
            title = " ".join(["verify", command, "ID", *more])
            return golden.ask("verify", command, id, *more, title=title, **environment)

        about("status", first)
        about("resend", first)
        code = site.code()
        golden.ask("verify", "check", first, another_code(code), title="verify check ID WRONG")
        proof = golden.ask("verify", "check", first, code, title="verify check ID CODE")["proof"]
        golden.ask("verify", "check", first, code, title="verify check ID CODE again")
        about("status", first)
        golden.ask("verify", "redeem", proof, title="verify redeem PROOF")
        golden.ask("verify", "redeem", proof, title="verify redeem PROOF again")
        golden.ask("verify", "redeem", "A.B", title="verify redeem UNKNOWN")
        about("status", first)
        about("resend", first)

        second = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        code = site.code()
        about("cancel", second)
        golden.ask("verify", "check", second, code, title="verify check CANCELLED CODE")

        third = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        code = site.code()
        fourth = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        golden.ask("verify", "check", third, code, title="verify check SUPERSEDED CODE")
        golden.ask("verify", "check", fourth, code, title="verify check ID CODE-OF-BEFORE")
        newest = site.code()
        golden.ask("verify", "check", fourth, another_code(newest), title="verify check ID WRONG, the last attempt")
        golden.ask("verify", "check", fourth, newest, title="verify check EXHAUSTED CODE")
        about("status", third)
        about("status", fourth)

        fifth = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        late = site.clock(3_000)
        golden.ask("verify", "check", fifth, site.code(), title="verify check EXPIRED CODE", **late)
        about("status", fifth, **late)
        about("status", "NONE")

        # Each limit with a configuration that sets only this one.
        plain = {"cooldown": "0s", "recipient": [], "clientStarts": [], "clientChecks": []}
        cases = {
            "cooldown": {"cooldown": "1h"}, "recipient": {"recipient": ["1/1h"]}, "client": {"clientStarts": ["1/1h"]},
            "overall": {"quota": 1}}
        for name, policy in cases.items():
            with Site(bin, configuration(verification={**plain, **policy})) as other:
                golden.site = other
                other.pabal("verify", "start", ADDRESS, "--client", "192.0.2.1")
                golden.ask("verify", "start", ADDRESS, "--client", "192.0.2.1", title=f"verify start, limit {name}")
        with Site(bin, configuration(verification={**plain, "sends": 1, "attempts": 10, "failures": 5})) as other:
            golden.site = other
            id = other.pabal("verify", "start", ADDRESS, "--json").json["id"]
            golden.ask("verify", "resend", id, title="verify resend, limit verification")
            wrong = another_code(other.code())
            for _ in range(5):
                other.pabal("verify", "check", id, wrong)
            golden.ask("verify", "check", id, wrong, title="verify check, limit failures")
        return {"verify": golden}


def outbox(bin):
    with Site(bin, configuration()) as site:
        golden = Answers("pabal outbox --json", site)
        golden.ask("outbox", "list", title="outbox list, empty")
        ids = {}
        for name in ("file", "deferred", "rejected", "held-mail", "unknown", "held"):
            answer = site.pabal("verify", "start", f"{name}@example.org", "--transport", name, "--json").json
            ids[name] = answer["delivery"]["mail"]
        queued = site.pabal("verify", "start", "queued@example.org", "--queue", "--json").json["delivery"]["mail"]
        golden.ask("outbox", "list")
        golden.ask("outbox", "list", "--state", "sent", "--limit", "1")
        for name, id in ids.items():
            golden.ask("outbox", "show", id, title=f"outbox show {name.upper()}")
        golden.ask("outbox", "show", queued, title="outbox show QUEUED")
        golden.ask("outbox", "show", "NONE")
        golden.ask("outbox", "retry", ids["deferred"], title="outbox retry DEFERRED")
        golden.ask("outbox", "retry", ids["file"], ids["deferred"], title="outbox retry SENT DEFERRED")
        golden.ask("outbox", "retry", "--all")
        golden.ask("outbox", "cancel", queued, title="outbox cancel QUEUED")
        golden.ask("outbox", "cancel", queued, title="outbox cancel QUEUED again")
        golden.ask("outbox", "show", queued, title="outbox show CANCELLED")
        return {"outbox": golden}


def others(bin):
    """transports, check, messages and keys."""
    result = {}
    with Site(bin, configuration()) as site:
        golden = result["transports"] = Answers("pabal transports --json", site)
        golden.ask("transports", title="transports list")
        for name in ("console", "file", "smtp", "gmail", "graph", "rejected"):
            golden.ask("transports", "show", name)
            shown = site.pabal("transports", "show", name, "--json").json
            golden.parts[-1] += "\n" + "\n".join(
                f"  {setting['key']}: {json.dumps({key: setting[key] for key in sorted(setting) if key not in ('key', 'help')})}"
                for setting in shown["settings"])
        golden.ask("transports", "show", "missing")

        golden = result["check"] = Answers("pabal check --json", site)
        golden.ask("check", "--transport", "file", title="check, all in order")
        for name in ("rejected", "held", "deferred", "unknown", "console"):
            golden.ask("check", "--transport", name)
        golden.ask("check", "--transport", "missing")
        site.pabal("verify", "start", ADDRESS, "--transport", "held")
        golden.ask("check", "--transport", "file", title="check, a transport is held")
        site.write("messages/faulty/message.json", "{")
        golden.ask("check", "--transport", "file", title="check, a message is faulty")
        site.write("broken.json", '{"transport": 7, "transports": {}, "froom": "x"}')
        golden.ask("check", title="check, the configuration is faulty", PABAL_CONFIG="broken.json")
        golden.ask("check", title="check, there is no configuration", PABAL_CONFIG="none.json")

    with Site(bin, configuration()) as site:
        golden = result["messages"] = Answers("pabal messages --json", site)
        golden.ask("messages", "list")
        golden.ask("messages", "render", "verification")
        golden.ask("messages", "render", "verification", "--language", "ko", "--set", "code=424242")
        golden.ask("messages", "render", "missing")
        golden.ask("messages", "render", "verification", "--set", "code=x")
        golden.ask("messages", "lint")
        golden.ask("messages", "preview")
        site.write("messages/faulty/message.json", '{"for": 7, "lane": "quick", "variables": {"a": {"kind": "number"}}}')
        site.write("messages/faulty/en.md", "---\nsubject: {{b}}\n---\n{{c}}\n")
        golden.ask("messages", "list", title="messages list, one is faulty")
        golden.ask("messages", "lint", title="messages lint, one is faulty")
        golden.ask("messages", "preview", "--output", "other.html", title="messages preview, one is faulty")
        golden.ask("messages", "render", "faulty")
        running = site.spawn("messages", "preview", "--watch", "--json")
        try:
            running.wait_for(r"\}\s*$")
            golden.add("messages preview --watch", shape(json.loads(running.output)))
        finally:
            running.kill()

    with Site(bin, configuration()) as site:
        golden = result["keys"] = Answers("pabal keys --json", site)
        golden.ask("keys", "client", "shop")
        golden.ask("keys", "rotate")
        golden.ask("keys", "rotate", title="keys rotate again")
        made = site.pabal("keys", "client", "shop", "--json").json
        names = sorted(re.sub(r"[0-9a-f]{8}", "VERSION", file.name) for file in (site.path / "keys").iterdir())
        golden.add("the forms of keys", "\n".join([
            "  " + re.sub(r"_[0-9A-Z]+", lambda match: f"_ and {len(match.group()) - 1} of [0-9A-Z]", made["key"]),
            "  " + re.sub(r":[0-9a-f]+", lambda match: f": and {len(match.group()) - 1} of [0-9a-f]", made["configured"]),
            f"  {' '.join(names)}",
            f"  {len((site.path / 'keys/current.key').read_bytes())} bytes, mode "
            f"{(site.path / 'keys/current.key').stat().st_mode & 0o777:o}"]))
        golden.add("the database", schema(site))
    return result


def schema(site):
    """The tables of a new database."""
    with sqlite3.connect(site.path / "pabal.sqlite") as database:
        lines = [f"PRAGMA {name} = {database.execute(f'PRAGMA {name}').fetchone()[0]}"
                 for name in ("application_id", "user_version", "journal_mode")]
        rows = database.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
        lines += [re.sub(r"\s+", " ", row[0]) for row in rows]
    database.close()
    return "\n".join(f"  {line}" for line in lines)


def account(bin):
    transports = {"smtp": {"plugin": "smtp", "host": "127.0.0.1", "port": 9, "security": "none", "account": "google"}}
    with AuthorizationServer() as server:
        accounts = {
            "google": {"provider": "google", "user": server.user, "client": "client.json"},
            "other": {"provider": "token", "user": "bob@example.test", "token": {"env": "TOKEN"}},
            "oauth2": {
                "provider": "oauth2", "user": "carol@example.test", "token_endpoint": server.url("/token"),
                "authorization_endpoint": server.url("/o/oauth2/auth"), "client_id": server.client,
                "client_secret": server.secret, "scopes": ["mail"]},
        }
        with Site(bin, configuration(transports=transports, accounts=accounts)) as site:
            site.write("client.json", server.client_file())
            golden = Answers("pabal account --json", site)
            golden.ask("account", "status", title="account status, before a login", TOKEN="x")
            run = server.log_in(site, "google", "--json")
            golden.add(f"account login google -> {run.status}", shape(run.json))
            golden.ask("account", "status", "google", title="account status google, fresh")
            token = json.loads(site.read("tokens/google.json"))
            golden.add("the token file", shape(token))
            golden.parts[-1] += "\n  in this order: " + " ".join(token)
            golden.ask("check", "--transport", "file", title="check, with accounts", TOKEN="x")

            server.control(refresh_token_expires_in=86_400 * 6)
            run = server.log_in(site, "google", "--json")
            golden.add(f"account login google, in Testing -> {run.status}", shape(run.json))
            golden.ask("account", "status", "google", title="account status google, expiring")

            server.control(dead={"error": "invalid_grant", "description": "Token has been expired or revoked."})
            token = json.loads(site.read("tokens/google.json"))
            site.write("tokens/google.json", json.dumps({**token, "expiry": "2020-01-01T00:00:00Z"}))
            golden.ask("send", ADDRESS, "--transport", "smtp", title="send by a dead account")
            golden.add("the state file", shape(json.loads(site.read("tokens/google.json.state"))))
            golden.ask("account", "status", "google", title="account status google, dead")
            server.control(dead=None)

            golden.ask("account", "logout", "google", title="account logout google")
            golden.ask("account", "logout", "google", "--yes", title="account logout google --yes")
            run = server.log_in(site, "google", "--json")
            golden.ask("account", "logout", "google", "--only-here")
            run = server.log_in(site, "google", "--json")
            server.control(faults_at={"/revoke": [{"status": 400, "body": {"error": "invalid_token"}}]})
            golden.ask("account", "logout", "google", "--yes", title="account logout google --yes, over before")
            golden.ask("account", "logout", "other", "--yes", TOKEN="x")
            golden.ask("account", "status", "missing")
            golden.ask("account", "login", "missing")
            golden.ask("account", "logout", title="account logout, of which of three")
            for file in ("tokens/google.json", "tokens/google.json.lock"):
                path = site.path / file
                golden.add(f"the file {file}", f"  mode {path.stat().st_mode & 0o777:o}" if path.exists() else "  gone")
            return {"account": golden}


# MARK: The HTTP service


def problems_of(answer):
    """The machine-readable fields of an error."""
    body = answer.json
    text = [f"  {answer.status} {body['type']}"]
    text.append(f"  keys: {' '.join(sorted(body))}; status {body['status']}" + (
        f"; limit {body['limit']}" if "limit" in body else ""))
    if "errors" in body:
        text.append("  errors of: " + " ".join(sorted({json.dumps(fault["field"]) for fault in body["errors"]})) + "; keys: "
                    + " ".join(sorted({key for fault in body["errors"] for key in fault})))
    return "\n".join(text + fields_of(answer))


def fields_of(answer):
    """The header fields of a response, without numbers."""
    lines = []
    for name, value in sorted(answer.headers.items()):
        if name == "date":
            continue
        value = re.sub(r"[0-9A-Z]{26}", "ID", value)
        value = "N" if name in ("content-length", "retry-after") else re.sub(r"\b(r|t)=\d+", r"\1=N", value)
        lines.append(f"  {name}: {value}")
    return lines


class Service(Golden):
    """Responses of the HTTP API."""

    def __init__(self, about, problems):
        super().__init__(about)
        self.problems = problems

    def ask(self, served, method, path, body=None, headers=None, title=None, **more):
        answer = served.ask(method, path, body, headers, **more)
        title = title or f"{method} {re.sub('/[0-9A-Z]{26}', '/ID', path)}"
        if answer.headers.get("content-type") == "application/problem+json":
            self.problems.add(title, problems_of(answer))
        else:
            text = [f"  {answer.status}", *fields_of(answer)]
            if answer.headers.get("content-type") == "application/json" and answer.body and path != "/openapi.json":
                text.append(shape(answer.json))
            self.add(title, "\n".join(text))
        return answer


def service(bin):
    golden_problems = Golden("The problems of the HTTP service (RFC 9457): type, status, keys and header fields")
    golden = Service("The HTTP service: answers and header fields", golden_problems)
    log = Log()
    alert = ["/bin/true"]
    plain = {"cooldown": "0s", "recipient": [], "clientStarts": [], "clientChecks": [], "sends": 5}
    serve = {"listen": "127.0.0.1:0", "clients": {}, "alert": alert}
    with Site(bin) as site, SMTPServer() as server:
        made = site.pabal("keys", "client", "shop", "--json").json
        serve["clients"]["shop"] = made["configured"]
        smtp = {"plugin": "smtp", "host": "127.0.0.1", "port": server.port, "security": "none"}

        def configure(transport="file", verification=plain, **more):
            site.configure(configuration(
                transport=transport, transports={"smtp": smtp}, serve=serve, verification=verification,
                outbox={"lease": "5s"}, **more))

        configure()
        site.write("messages/broken/message.json", "{")
        site.write("messages/broken/en.md", "---\nsubject: x\n---\nx\n")
        wait = {"Prefer": "wait=30"}
        variables = {"code": "424242", "valid_for": "10m"}
        with Served(site) as served:
            served.key = made["key"]

            def ask(*words, **more):
                return golden.ask(served, *words, **more)

            def reconfigured(count, **more):
                configure(**more)
                served.wait_for("reloaded", count)

            started = ask("POST", "/v1/verifications", {"to": ADDRESS, "language": ["ko"]}, wait)
            id, code = started["id"], site.code()
            ask("GET", f"/v1/verifications/{id}")
            ask("POST", f"/v1/verifications/{id}/resend", None, wait)
            code = site.code()
            ask("POST", f"/v1/verifications/{id}/check", {"code": another_code(code)}, title="POST …/check, wrong")
            checked = ask("POST", f"/v1/verifications/{id}/check", {"code": code}, title="POST …/check, right")
            proof = checked["proof"]
            ask("POST", f"/v1/verifications/{id}/resend", title="POST …/resend, approved")
            ask("POST", "/v1/proofs/redeem", {"proof": proof})
            ask("POST", "/v1/proofs/redeem", {"proof": proof}, title="POST /v1/proofs/redeem again")
            ask("POST", "/v1/proofs/redeem", {"proof": "A.B"}, title="POST /v1/proofs/redeem, unknown")
            other = served.ask("POST", "/v1/verifications", {"to": "other@example.org", "notice": True}, wait)["id"]
            ask("POST", f"/v1/verifications/{other}/cancel")
            ask("GET", "/v1/verifications/4QXJ7M2ZP0R8T6V1W3Y5A9B7CD", title="GET /v1/verifications/UNKNOWN")

            mail = {"to": ["Kim <kim@example.org>", "lee@example.org"], "message": "verification", "variables": variables}
            added = ask("POST", "/v1/mails", mail, {**wait, "Idempotency-Key": "mail"})
            ask("GET", f"/v1/mails/{added['id']}")
            ask("GET", "/v1/mails/NONE")
            ask("POST", "/v1/mails", mail, {"Idempotency-Key": "mail"}, title="POST /v1/mails, the same key again")
            ask("POST", "/v1/mails", {**mail, "to": ADDRESS}, {"Idempotency-Key": "mail"},
                title="POST /v1/mails, the same key, another body")
            ask("POST", "/v1/mails", mail, {"Idempotency-Key": "k" * 256}, title="POST /v1/mails, a key too long")
            ask("POST", "/v1/mails", {**mail, "message": "missing"}, title="POST /v1/mails, an unknown message")
            ask("POST", "/v1/mails", {**mail, "message": "broken"}, title="POST /v1/mails, a broken message")
            ask("POST", "/v1/mails", {"to": [], "mesage": "verification", "variables": {"code": 7}},
                title="POST /v1/mails, wrong in every field")
            ask("POST", "/v1/messages/verification/render", {"variables": variables, "language": "ko"})
            ask("POST", "/v1/messages/missing/render")
            ask("POST", "/v1/verifications", {"to": "nobody", "purpose": 7, "client": {"ip": "x"}, "notice": "yes"},
                title="POST /v1/verifications, wrong in every field")
            ask("POST", "/v1/verifications", {}, title="POST /v1/verifications, nothing")
            ask("POST", "/v1/verifications", raw=b"{", headers={"Content-Type": "application/json"},
                title="POST /v1/verifications, no JSON")
            ask("POST", "/v1/verifications", raw=b"{}", headers={"Content-Type": "text/plain"},
                title="POST /v1/verifications, text")
            ask("POST", "/v1/verifications", raw=b" " * 70_000, headers={"Content-Type": "application/json"},
                title="POST /v1/verifications, too large")
            ask("GET", "/v2")
            ask("DELETE", "/v1/verifications")
            ask("POST", "/healthz")
            ask("POST", "/v1/verifications", {"to": ADDRESS}, key=None, title="POST /v1/verifications, no key")
            ask("POST", "/v1/verifications", {"to": ADDRESS}, key="pabal_X", title="POST /v1/verifications, another key")
            ask("GET", "/healthz", key=None)
            ask("HEAD", "/healthz", key=None)
            ask("GET", "/readyz", key=None, title="GET /readyz, no key")
            ask("GET", "/readyz")
            ask("GET", "/", title="GET /, without --demo")
            ask("GET", "/metrics", key=None, title="GET /metrics, no key")
            head = f"Host: localhost\r\nAuthorization: Bearer {made['key']}\r\n"
            for title, request in {
                "a body that ends early": f"POST /v1/verifications HTTP/1.1\r\n{head}Content-Type: application/json\r\n"
                                          "Content-Length: 20\r\n\r\n{}",
                "not HTTP": "nonsense\r\n\r\n",
                "no host": "GET /healthz HTTP/1.1\r\n\r\n",
                "another version": "GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n",
                "another method": "BREW /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "an invalid target": "GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "a header too large": f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 20_000}\r\n\r\n",
            }.items():
                golden_problems.add(title, problems_of(served.send_raw(request.encode())))

            # Limits, each with a configuration that sets only this one.
            count = 0
            for name, policy in {
                "cooldown": {"cooldown": "1h"}, "recipient": {"recipient": ["1/1h"]}, "client": {"clientStarts": ["1/1h"]},
                "overall": {"quota": 1}, "verification": {"sends": 1},
            }.items():
                count += 1
                reconfigured(count, verification={**plain, **policy})
                body = {"to": f"{name}@example.org", "client": {"ip": "192.0.2.7"}}
                first = served.ask("POST", "/v1/verifications", body, wait)
                if name == "verification":
                    ask("POST", f"/v1/verifications/{first['id']}/resend", title=f"POST …/resend, limit {name}")
                else:
                    ask("POST", "/v1/verifications", body, title=f"POST /v1/verifications, limit {name}")
            count += 1
            reconfigured(count, verification={**plain, "failures": 5, "attempts": 10})
            body = {"to": "failures@example.org"}
            id = served.ask("POST", "/v1/verifications", body, wait)["id"]
            wrong = {"code": another_code(site.code())}
            for _ in range(5):
                served.ask("POST", f"/v1/verifications/{id}/check", wrong)
            ask("POST", f"/v1/verifications/{id}/check", wrong, title="POST …/check, limit failures")
            count += 1
            reconfigured(count, verification={**plain, "attempts": 1})
            id = served.ask("POST", "/v1/verifications", {"to": "exhausted@example.org"}, wait)["id"]
            code = site.code()
            ask("POST", f"/v1/verifications/{id}/check", {"code": another_code(code)}, title="POST …/check, the last attempt")
            ask("POST", f"/v1/verifications/{id}/check", {"code": code}, title="POST …/check, exhausted")

            # Outcomes of attempts.
            for name in ("deferred", "unsuited", "rejected", "held-mail", "unknown", "held"):
                count += 1
                reconfigured(count, transport=name)
                ask("POST", "/v1/verifications", {"to": f"{name}@example.org"}, wait, title=f"POST /v1/verifications, {name}")
            served.wait_for("held", transport="held")
            served.wait_for("alerted", alert="held")
            ask("GET", "/readyz", title="GET /readyz, all transports held")
            # A request repeated while the first one is being processed.
            count += 1
            reconfigured(count, transport="smtp")
            body, keyed = {"to": "slow@example.org"}, {"Idempotency-Key": "slow", **wait}
            thread = threading.Thread(target=lambda: served.ask("POST", "/v1/verifications", body, keyed))
            thread.start()
            assert server.waiting.wait(PATIENCE)
            ask("POST", "/v1/verifications", body, keyed, title="POST /v1/verifications, its key is in flight")

            # The configuration is broken and repaired.
            good = site.read("config.json")
            site.write("config.json", good.replace('"from"', '"frm"'))
            served.wait_for("reload failed")
            ask("GET", "/readyz", title="GET /readyz, the configuration is broken")
            site.write("config.json", good)
            served.wait_for("configuration mended")
            site.write("config.json", good.replace("127.0.0.1:0", "127.0.0.1:1"))
            served.wait_for("restart needed")
            site.write("messages/registered/en.md", "---\nsubject: {{\n---\n")
            served.ask("POST", "/v1/verifications", {"to": "late@example.org", "notice": True})
            # A file that was read a moment ago isn't read again at once, but for readiness.
            eventually(lambda: served.ask("GET", "/readyz") and [
                event for event in served.events()
                if event["event"] == "message failed" and event.get("message") == "registered"], lambda: "no message failed")

            metrics = ask("GET", "/metrics").body.decode()
            document = ask("GET", "/openapi.json", key=None).body.decode()
            served.running.signal(signal.SIGTERM)
            served.wait_for("stopping")
            served.running.signal(signal.SIGTERM)
            run = served.running.end()
            golden.add(f"serve, stopped twice -> {run.status}")
            thread.join()
            log.add(served)

        # Later: expired leases, delayed codes, an expired proof, and stored content that can't be opened.
        proof = site.pabal("verify", "start", "proof@example.org", "--transport", "file", "--json").json["id"]
        proof = site.pabal("verify", "check", proof, site.code(), "--json").json["proof"]
        pending = site.pabal("verify", "start", "pending@example.org", "--transport", "file", "--json").json["id"]
        sealed = site.pabal("verify", "start", "sealed@example.org", "--transport", "file", "--json").json["id"]
        lost = site.pabal("verify", "start", "lost@example.org", "--queue", "--json").json["delivery"]["mail"]
        with sqlite3.connect(site.path / "pabal.sqlite") as database:
            database.execute("UPDATE verification SET recipient = x'00000000' || substr(recipient, 5) WHERE id = ?", [sealed])
            database.execute("UPDATE mail_content SET sealed = x'00000000' || substr(sealed, 5) WHERE mail = "
                             "(SELECT number FROM mail WHERE id = ?)", [lost])
            database.execute("UPDATE mail SET due = 0 WHERE id = ?", [lost])
        database.close()
        serve["alert"] = ["/nonexistent"]
        configure(transport=["held", "smtp"], verification={**plain, "lifetime": "2m", "proofLifetime": "1m"})
        with Served(site, "--verbose", **site.clock(300)) as served:
            served.key = made["key"]
            served.wait_for("unreadable", mail=lost)
            golden.ask(served, "POST", "/v1/verifications", {"to": "reply@example.org"}, wait,
                       title="POST /v1/verifications, sent by SMTP")
            served.wait_for("transport", level="info")
            golden.ask(served, "POST", "/v1/proofs/redeem", {"proof": proof}, title="POST /v1/proofs/redeem, too old")
            golden.ask(served, "POST", f"/v1/verifications/{sealed}/check", {"code": "123456"}, title="POST …/check, no key")
            served.wait_for("refused")
            site.lose_tables()
            golden.ask(served, "POST", "/v1/verifications", {"to": ADDRESS}, title="POST /v1/verifications, no store")
            served.wait_for("refused", 2)
            served.wait_for("storage")
            served.running.kill()
            log.add(served)

        # A code that waits for a held transport until that is corrected.
    with Site(bin, configuration(transport="held", serve={**serve, "clients": {}, "keyless": True})) as site:
        site.pabal("verify", "start", ADDRESS)
        site.pabal("verify", "start", "waits@example.org", "--queue")
        with Served(site, **site.clock(45)) as served:
            served.wait_for("codes wait")
            served.wait_for("alert failed", alert="waiting")
            site.edit('"act": "held:transport"', '"act": "sent"')
            served.wait_for("reloaded")
            served.wait_for("restored")
            served.wait_for("settled", 2, state="sent")
            log.add(served, stop=True)
    golden_demo = demo(bin, golden_problems)
    golden_account, account_events = watched_account(bin)
    log.add_events(account_events)
    golden_metrics = metrics_of(metrics)
    golden_metrics.parts += metrics_of(golden_account, only="pabal_account").parts[1:]
    return {"http": golden, "problems": golden_problems, "log": log, "metrics": golden_metrics,
            "openapi": openapi(document), "demo": golden_demo}


def demo(bin, problems):
    """The demo page: its forms and errors."""
    golden = Golden("The page of pabal serve --demo: forms, and header fields")
    with Site(bin, configuration(serve={"listen": "127.0.0.1:0", "keyless": True})) as site:
        with Served(site, "--demo") as served:

            def form(path, fields, **headers):
                raw = urllib.parse.urlencode(fields).encode()
                return served.ask("POST", path, raw=raw, headers={
                    "Content-Type": "application/x-www-form-urlencoded", **headers})

            def page(title, answer):
                text = answer.body.decode()
                lines = [f"  {answer.status}", *fields_of(answer)]
                for match in re.finditer(r'<form method="(\w+)" action="([^"]+)".*?</form>', text, re.S):
                    names = re.findall(r'name="(\w+)"', match.group(0))
                    lines.append(f"  form {match.group(1)} {match.group(2)}: {' '.join(names)}")
                golden.add(title, "\n".join(lines))
                return text

            page("GET /", served.ask("GET", "/"))
            text = page("POST /demo/start", form("/demo/start", {"address": ADDRESS, "language": "en", "once": "1" * 40}))
            id = re.search(r'name="verification" value="(\w+)"', text).group(1)
            page("POST /demo/show", form("/demo/show", {"verification": id}))
            page("POST /demo/resend", form("/demo/resend", {"verification": id}))
            wrong = another_code(site.code())
            page("POST /demo/check, wrong", form("/demo/check", {"verification": id, "code": wrong}))
            page("POST /demo/check, right", form("/demo/check", {"verification": id, "code": site.code()}))
            text = page("POST /demo/start, another", form("/demo/start", {"address": "other@example.org"}))
            id = re.search(r'name="verification" value="(\w+)"', text).group(1)
            page("POST /demo/cancel", form("/demo/cancel", {"verification": id}))
            page("POST /demo/start, nothing", form("/demo/start", {}))
            page("GET /demo/start", served.ask("GET", "/demo/start"))
            for path in ("/demo/verify.css", "/demo/verify.js", f"/demo/mail/{id}"):
                answer = served.ask("GET", path)
                golden.add(f"GET {path.replace(id, 'ID')}", "\n".join([f"  {answer.status}", *fields_of(answer)]))
            problems.add("a form of another site", problems_of(form("/demo/start", {}, **{"Sec-Fetch-Site": "cross-site"})))
            problems.add("not a form", problems_of(served.ask("POST", "/demo/start", {})))
            problems.add("another host", problems_of(served.ask("GET", "/", headers={"Host": "shop.example"})))
    return golden


def watched_account(bin):
    """A service whose account login expires while it runs: metrics and log."""
    with AuthorizationServer() as server:
        smtp = {"plugin": "smtp", "host": "127.0.0.1", "port": 9, "security": "none", "account": "google"}
        accounts = {"google": {"provider": "google", "user": server.user, "client": "client.json"}}
        with Site(bin, configuration(
            transport="smtp", transports={"smtp": smtp}, accounts=accounts,
            serve={"listen": "127.0.0.1:0", "keyless": True},
        )) as site:
            site.write("client.json", server.client_file())
            server.control(refresh_token_expires_in=86_400 * 6)
            server.log_in(site, "google")
            token = json.loads(site.read("tokens/google.json"))
            site.write("tokens/google.json", json.dumps({**token, "expiry": "2020-01-01T00:00:00Z"}))
            server.control(dead={"error": "invalid_grant", "description": "Token has been expired or revoked."})
            with Served(site) as served:
                served.wait_for("account")
                metrics = served.ask("GET", "/metrics").body.decode()
                served.stop()
                return metrics, served.events()


class Log(Golden):
    """The events of logs and their fields."""

    def __init__(self):
        super().__init__("The log of pabal serve --json: events, their fields, and words of a fixed set")
        self.events = {}

    def add(self, served, stop=False):
        if stop:
            served.stop()
        self.add_events(served.events())

    def add_events(self, events):
        for line in events:
            event = line.pop("event")
            self.events.setdefault(event, []).append(line)

    @property
    def text(self):
        words = {"outcome", "level", "limit", "alert", "purpose", "client"}
        parts = [self.parts[0]]
        for event in sorted(self.events):
            parts.append(f"== {event}\n{shape(*self.events[event], words=words)}")
        return "\n\n".join(parts) + "\n"


def metrics_of(text, only=None):
    """Names, types, labels and label values, without numbers and help; with `only`, names with that prefix."""
    golden = Golden("The metrics: names, types, labels and their values")
    types, labels = {}, {}
    for line in text.splitlines():
        if match := re.match(r"# TYPE (\S+) (\S+)", line):
            types[match.group(1)] = match.group(2)
            labels[match.group(1)] = {}
        elif match := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line):
            name = match.group(1)
            base = next(known for known in types if name == known or name.removesuffix("_bucket") == known
                        or name.removesuffix("_sum") == known or name.removesuffix("_count") == known)
            for label, value in re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""):
                labels[base].setdefault(label, set()).add("…" if label == "version" else value)
    for name in types:
        if not (name.startswith(only) if only else not name.startswith("pabal_account")):
            continue
        golden.add(f"{name} {types[name]}", "\n".join(
            f"  {label}: {' '.join(sorted(values, key=rank))}" for label, values in sorted(labels[name].items())))
    return golden


def rank(value):
    """Sort key of label values: numbers first, by value."""
    try:
        return (0, float(value), value)
    except ValueError:
        return (1, 0, value)


def openapi(text):
    """The OpenAPI document without sentences."""
    golden = Golden("")
    document = without(json.loads(text), {"description", "summary", "title", "detail", "example", "examples"})
    golden.parts = [json.dumps(document, indent=1, ensure_ascii=False)]
    return golden


# MARK: The command


def commands(bin):
    """The subcommands with their arguments and flags, without sentences."""
    golden = Golden("The command: subcommands, their arguments and flags")
    with Site(bin) as site:
        dump = site.pabal("--experimental-dump-help").json

    def show(argument):
        names = ["-" * (1 + (name["kind"].startswith("long") and name["kind"] != "longWithSingleDash")) + name["name"]
                 for name in argument.get("names") or []]
        notes = [argument["kind"], "optional" if argument["isOptional"] else "required"]
        if argument["isRepeating"]:
            notes.append("repeating")
        if argument.get("defaultValue") is not None:
            notes.append(f"default {argument['defaultValue']}")
        if argument.get("allValues"):
            notes.append("|".join(argument["allValues"]))
        return f"  {' '.join(names) or '…'}: {', '.join(notes)}"

    def walk(command, above):
        name = f"{above} {command['commandName']}".strip()
        lines = [show(argument) for argument in command.get("arguments", [])]
        if command.get("defaultSubcommand"):
            lines.append(f"  default: {command['defaultSubcommand']}")
        golden.add(name, "\n".join(lines))
        for part in command.get("subcommands", []):
            walk(part, name)

    walk(dump["command"], "")
    golden.add("the format of the dump", f"  {dump['serializationVersion']}")
    return {"commands": golden}


def statuses(bin):
    """Exit statuses of command lines, and whether they print to standard output."""
    golden = Golden("Command lines: exit status, and where what they say goes")
    with Site(bin, configuration()) as site:
        site.write("mail.eml", "From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\n\r\nx\r\n")
        site.write("broken.json", "{")
        id = site.pabal("verify", "start", ADDRESS, "--json").json["id"]
        for words in [
            [], ["--help"], ["--version"], ["help"], ["help", "send"], ["nothing"], ["--nothing"], ["send"],
            ["send", "--help"], ["send", "-h"], ["send", "--version"], ["send", ADDRESS, "-v"],
            ["send", ADDRESS, "--nothing"], ["send", ADDRESS, "--transport"], ["send", ADDRESS, "--transport=file"],
            ["send", ADDRESS, "--language=ko"], ["send", ADDRESS, "--set", "nothing"], ["send", ADDRESS, "--count", "x"],
            ["send", ADDRESS, "--count", "0"], ["send", ADDRESS, "--parallel", "2"], ["send", "--eml", "mail.eml"],
            ["send", "--eml", "none.eml"], ["send", ADDRESS, "--text", "-"], ["send", ADDRESS, "--text", "-", "--message", "m"],
            ["send", ADDRESS, "--from", "x"], ["send", ADDRESS, "--config", "none.json"],
            ["send", ADDRESS, "--config", "broken.json"], ["send", ADDRESS, "--config=config.json"],
            ["send", "--", ADDRESS], ["send", ADDRESS, "--transport", "file,console"], ["send", ADDRESS, "--transport", ","],
            ["verify"], ["verify", "start"], ["verify", "start", "x"], ["verify", "status", id], ["verify", "status", "X"],
            ["verify", "check", id, "x"], ["verify", "check", id, "-"], ["verify", "redeem", "x"],
            ["verify", "start", ADDRESS], ["verify", "resend", id], ["verify", "cancel", id], ["verify", "nothing"],
            ["outbox"], ["outbox", "list"], ["outbox", "list", "--state", "x"], ["outbox", "list", "--limit", "0"],
            ["outbox", "list", "--watch"], ["outbox", "list", "--watch", "--json"], ["outbox", "retry"],
            ["outbox", "retry", "--all", "X"], ["outbox", "cancel"], ["outbox", "cancel", "X"],
            ["transports"], ["transports", "list"], ["transports", "show"], ["transports", "show", "./none.so"],
            ["messages"], ["messages", "list"], ["messages", "lint", "missing"],
            ["messages", "render", "verification", "--part", "text"], ["messages", "render", "verification", "--part", "x"],
            ["messages", "preview", "--output", "-"], ["messages", "preview", "--output", "-", "--json"],
            ["messages", "preview", "--watch", "--output", "x"], ["messages", "preview", "--port", "1"],
            ["account"], ["account", "status"], ["account", "login"], ["account", "login", "--port", "0"],
            ["keys"], ["keys", "client"], ["keys", "client", "shop"], ["keys", "rotate"], ["check"],
            ["check", "--transport", "file"], ["check", "extra"], ["serve", "--transport", "missing"],
            ["serve", "--config", "none.json"], ["serve", "--nothing"],
        ]:
            run = site.pabal(*words, input=b"text\n")
            said = [name for name, text in (("output", run.output), ("errors", run.errors)) if text]
            shown = " ".join(words).replace(id, "ID")
            golden.add(f"pabal {shown}".rstrip(), f"  {run.status}, {' and '.join(said) or 'nothing'}")
        golden.parts = [golden.parts[0], "\n".join(
            f"{part.split(chr(10))[1].strip():28} {part.split(chr(10))[0][3:]}" for part in golden.parts[1:])]
        lines = []
        for title, words in {
            "serve --json without a configuration": ("serve", "--json", "--config", "none.json"),
            "serve --json with a transport that is missing": ("serve", "--json", "--transport", "missing"),
        }.items():
            run = site.pabal(*words)
            golden.add(f"{title} -> {run.status}, {len(run.output.splitlines())} line", shape(run.json))
    return {"statuses": golden}


def variables(bin):
    """The environment variables that the command reads."""
    import pty

    golden = Golden("Variables of the environment: what is otherwise with them")
    with Site(bin, configuration()) as site:
        site.write("elsewhere/config.json", site.read("config.json").replace('"messages"', '"messages"'))
        shutil.copytree(site.path / "messages", site.path / "elsewhere/messages")

        def send(**environment):
            run = site.pabal("send", ADDRESS, "--json", **environment)
            answer = run.json
            return f"{run.status} {answer.get('transport') or answer['errors'][0]['path'] or 'an error'}"

        golden.add("PABAL_CONFIG", "\n".join([
            f"  elsewhere: {send(PABAL_CONFIG='elsewhere/config.json')}, {len(site.mails('elsewhere/mail'))} mail there",
            f"  none.json: {send(PABAL_CONFIG='none.json')}", f"  empty: {send(PABAL_CONFIG='')}"]))
        golden.add("PABAL_TRANSPORT", "\n".join(
            f"  {value or 'empty'}: {send(PABAL_TRANSPORT=value)}" for value in ("rejected", "deferred,file", "missing", "")))
        (site.path / "plugins").mkdir()
        shutil.copy(site.bin / FAULTY, site.path / "plugins/libpabal-faulty.so")
        names = [[plugin["name"] for plugin in site.pabal("transports", "--json", **more).json["plugins"]]
                 for more in ({}, {"PABAL_PLUGIN_PATH": "plugins"}, {"PABAL_PLUGIN_PATH": "none:plugins"})]
        # Not recorded by name, because a new transport doesn't change the interface.
        shipped = {folder.name.lower() for folder in (ROOT / "Plugins").iterdir()}
        golden.add("PABAL_PLUGIN_PATH", "\n".join("  " + " ".join(
            ["Plugins/*" if shipped <= set(found) else "not all of Plugins/*"]
            + [name for name in found if name not in shipped]) for found in names))

        def coloured(**environment):
            primary, secondary = pty.openpty()
            subprocess.run([str(site.bin / PROGRAM), "send", "x"], cwd=site.path, stdin=subprocess.DEVNULL, stderr=secondary,
                           stdout=subprocess.DEVNULL, env=globals()["environment"](**environment), timeout=PATIENCE)
            os.close(secondary)
            text = b""
            try:
                while data := os.read(primary, 4096):
                    text += data
            except OSError:
                pass
            os.close(primary)
            return "coloured" if b"\x1b[" in text else "plain"

        golden.add("NO_COLOR and TERM, on a terminal", "\n".join([
            f"  TERM=xterm: {coloured(TERM='xterm')}", f"  TERM=dumb: {coloured(TERM='dumb')}",
            f"  NO_COLOR=1: {coloured(TERM='xterm', NO_COLOR='1')}"]))
    with AuthorizationServer() as server:
        accounts = {"google": {"provider": "google", "user": server.user, "client": "client.json"}}
        with Site(bin, configuration(accounts=accounts)) as site:
            site.write("client.json", server.client_file())
            browser = site.path / "browser"
            site.write("browser", "#!/bin/sh\nprintf %s \"$1\" >opened.new && mv opened.new opened\n", mode=0o700)
            for name, more in {"BROWSER": {"BROWSER": str(browser)},
                               "DISPLAY": {"DISPLAY": ":9", "BROWSER": str(browser)},
                               "nothing": {}}.items():
                running = site.spawn("account", "login", "google", **more)
                try:
                    if more:
                        eventually(lambda: (site.path / "opened").exists(), "no browser was opened")
                        (site.path / "opened").unlink()
                        golden.add(f"{name}, at a login", "  the browser is opened")
                    else:
                        running.wait_for(r"http://127\.0\.0\.1:\d+/o/")
                        golden.add(f"{name}, at a login", "  the address is shown")
                finally:
                    running.kill()
    with Site(bin, configuration(transport="secret", transports={
        "secret": {"plugin": "./faulty/libpabal-faulty.so", "act": {"env": "MY_ACT"}}})) as site:
        lines = [f"  {value}: {site.pabal('send', ADDRESS, '--json', MY_ACT=value).status}" for value in ("sent", "rejected")]
        golden.add('{"env": …} of the configuration', "\n".join(lines))
    return {"environment": golden}


# MARK: Files of the checkout


def files(bin):
    """The keys of config.json from its schema, and the plugin header without comments."""
    schema = Golden("")
    names = {"description", "title", "examples", "$comment", "markdownDescription"}
    schema.parts = [json.dumps(without(json.loads(SCHEMA.read_text()), names), indent=1, ensure_ascii=False)]
    header = Golden("pabal_transport.h without its comments")
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", PLUGIN_HEADER.read_text(), flags=re.S)
    header.add("pabal_transport.h", "\n".join(f"  {' '.join(line.split())}" for line in text.splitlines() if line.strip()))
    return {"configuration": schema, "plugin": header}


# Longest first, because two run at a time.
ALL = [service, verify, account, statuses, send, others, outbox, variables, commands, files]
