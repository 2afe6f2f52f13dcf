"""Shared by the recorders: sites with a configuration, the program under test, and servers for it."""
import http.client, json, os, pathlib, re, select, shutil, signal, socket, socketserver, subprocess, sys, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDENS = pathlib.Path(__file__).resolve().parent
# Files of the checkout that the recorders read.
MESSAGES = ROOT / "Sources/Messages"
SCHEMA = ROOT / "config.schema.json"
PLUGIN_HEADER = ROOT / "Sources/CPabalTransport/include/pabal_transport.h"
AUTHORIZATION_SERVER = ROOT / "Tests/Servers/oauth.py"
# File names in the directory of the programs.
PROGRAM, FAULTY, CLOCK = "pabal", "libfixture-faulty.so", "libfixture-clock.so"

# A limit for every wait, generous because many tests run at once.
PATIENCE = int(os.environ.get("PABAL_TEST_PATIENCE", "240"))


def environment(**more):
    """A clean environment; `None` removes a variable."""
    plain = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent", "COLUMNS": "80"}
    for name in ("LD_LIBRARY_PATH", "TMPDIR"):
        if name in os.environ:
            plain[name] = os.environ[name]
    plain.update(more)
    return {name: value for name, value in plain.items() if value is not None}


class Run:
    """A finished process."""

    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors

    @property
    def documents(self):
        """The JSON documents of its output, in order."""
        decoder, rest, found = json.JSONDecoder(), self.output.strip(), []
        try:
            while rest:
                value, end = decoder.raw_decode(rest)
                found.append(value)
                rest = rest[end:].strip()
        except ValueError as error:
            raise AssertionError(f"no JSON: {self.output!r} {self.errors!r}") from error
        return found

    @property
    def json(self):
        documents = self.documents
        assert len(documents) == 1, (self.output, self.errors)
        return documents[0]


class Site:
    """A temporary directory with a configuration, as an operator has it."""

    def __init__(self, bin, configuration=None, faulty=True, copy=None):
        self.bin = pathlib.Path(bin).resolve()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pabal-golden-")).resolve()
        if copy:
            shutil.copytree(copy, self.path, dirs_exist_ok=True)
        else:
            shutil.copytree(MESSAGES, self.path / "messages")
        if configuration is not None:
            self.configure(configuration)
        if faulty:
            (self.path / "faulty").mkdir(exist_ok=True)
            shutil.copy(self.bin / FAULTY, self.path / "faulty/libpabal-faulty.so")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def configure(self, configuration):
        """Writes config.json as editors do: to a temporary file, then by rename."""
        text = configuration if isinstance(configuration, str) else json.dumps(configuration, indent=2)
        self.write("config.json", text)

    def edit(self, old, new):
        text = self.read("config.json")
        assert old in text, (old, text)
        self.write("config.json", text.replace(old, new))

    def write(self, name, text, mode=0o600):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.new")
        beside.write_bytes(text if isinstance(text, bytes) else text.encode())
        beside.chmod(mode)
        beside.rename(file)

    def read(self, name):
        return (self.path / name).read_text()

    def lose_tables(self):
        """Creates a corrupt store."""
        import sqlite3

        with sqlite3.connect(self.path / "pabal.sqlite", timeout=PATIENCE) as database:
            names = [name for name, in database.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
            for name in names:
                database.execute(f"ALTER TABLE {name} RENAME TO away_{name}")
        database.close()

    def clock(self, seconds):
        """An environment whose clock is advanced."""
        return {"LD_PRELOAD": str(self.bin / CLOCK), "PABAL_TEST_CLOCK": str(int(seconds))}

    def pabal(self, *words, input=b"", **more):
        run = subprocess.run(
            [str(self.bin / PROGRAM), *map(str, words)], input=input, capture_output=True, cwd=self.path,
            env=environment(**more), timeout=PATIENCE)
        return Run(run.returncode, run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace"))

    def spawn(self, *words, **more):
        return Running([str(self.bin / PROGRAM), *map(str, words)], self.path, environment(**more))

    def mails(self, folder="mail"):
        """The mails that the file transport wrote, oldest first."""
        try:
            files = [file for file in (self.path / folder).iterdir() if not file.name.startswith(".")]
        except FileNotFoundError:
            return []
        return [file.read_bytes() for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))]

    def code(self, mail=None):
        """The code in a mail, by default the newest one."""
        return code_of(mail if mail is not None else self.mails()[-1])


def code_of(mail):
    import email, email.policy

    message = email.message_from_bytes(mail, policy=email.policy.default)
    return re.search(r"^\s*(\d{6})\s*$", message.get_body(("plain",)).get_content(), re.M).group(1)


def another_code(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


def eventually(condition, what):
    """Waits until `condition` returns a true value, and returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"not within {PATIENCE} s: {what() if callable(what) else what}")


class Running:
    """A running process whose output is read continuously."""

    def __init__(self, words, folder, environment):
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.parts = {"output": b"", "errors": b""}
        self.threads = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("output", self.process.stdout), ("errors", self.process.stderr))]
        for thread in self.threads:
            thread.start()

    def _read(self, name, stream):
        while data := stream.read1(65536):
            self.parts[name] += data

    @property
    def output(self):
        return self.parts["output"].decode(errors="replace")

    @property
    def errors(self):
        return self.parts["errors"].decode(errors="replace")

    def wait_for(self, pattern, count=1):
        """Waits for `count` matches of the pattern; returns the last one."""

        def found():
            matches = list(re.finditer(pattern, self.output + self.errors))
            if len(matches) < count and self.process.poll() is not None:
                raise AssertionError(f"it ended without {pattern!r}: {self.output}{self.errors}")
            return matches[count - 1] if len(matches) >= count else None

        return eventually(found, lambda: f"{pattern!r} x{count} in {self.output}{self.errors}")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, number=None):
        """Sends a signal, if given, and waits for the exit."""
        if number is not None:
            self.signal(number)
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        status = self.process.wait(timeout=PATIENCE)
        for thread in self.threads:
            thread.join(timeout=PATIENCE)
        return Run(status, self.output, self.errors)

    def kill(self):
        if self.process.poll() is None:
            self.end(signal.SIGKILL)


class Served:
    """`pabal serve` on a site, with its log in JSON."""

    def __init__(self, site, *words, **more):
        self.site, self.key = site, None
        self.running = site.spawn("serve", "--json", *words, **more)
        try:
            self.port = int(self.running.wait_for(r'"event":"listening".*?"port":"(\d+)"').group(1))
        except BaseException:
            self.running.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.kill()

    def wait_for(self, event, count=1, **fields):
        """Waits for `count` log lines of an event with these fields; returns the last one."""

        def found():
            lines = [
                line for line in self.events()
                if line["event"] == event and all(line.get(name) == value for name, value in fields.items())]
            return lines[count - 1] if len(lines) >= count else None

        return eventually(found, lambda: f"{event} {fields} x{count} in {self.running.output}{self.running.errors}")

    def events(self):
        whole = self.running.output
        return [json.loads(line) for line in whole[: whole.rfind("\n") + 1].splitlines()]

    def stop(self):
        run = self.running.end(signal.SIGTERM)
        assert run.status == 0, (run.status, run.output, run.errors)
        return run

    def ask(self, method, path, body=None, headers=None, key="own", raw=None):
        """Sends one request; `body` as JSON, `raw` unchanged."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        fields = dict(headers or {})
        if key == "own":
            key = self.key
        if key:
            fields.setdefault("Authorization", f"Bearer {key}")
        if raw is not None:
            data = raw
        elif body is not None:
            data = json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        else:
            data = None
        connection.request(method, path, data, fields)
        answer = connection.getresponse()
        text = answer.read()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        connection.close()
        return found

    def send_raw(self, request):
        """Sends raw bytes and returns the response."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            whole = b""
            try:
                while data := connection.recv(65536):
                    whole += data
            except ConnectionResetError:
                pass
        head, _, body = whole.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Answer(int(lines[0].split(" ")[1]), headers, body)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __getitem__(self, key):
        return self.json[key]


class SMTPServer:
    """An SMTP server on loopback whose behavior depends on the recipient's name.

    `rejected…@` is rejected permanently, `deferred…@` temporarily; for `unknown…@` the connection is closed after the
    mail, `slow…@` is never answered; all others are accepted. Logins are rejected.
    """

    def __init__(self):
        server = self
        self.waiting = threading.Event()

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")
                self.wfile.flush()

            def handle(self):
                try:
                    self.talk()
                except (OSError, EOFError):
                    pass

            def line(self):
                line = self.rfile.readline()
                if not line:
                    raise EOFError
                return line

            def talk(self):
                self.say("220 sink.test ESMTP")
                names = []
                while True:
                    line = self.line()
                    verb = line[:4].upper()
                    if verb == b"EHLO":
                        self.say("250-sink.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH PLAIN\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES")
                    elif verb == b"AUTH":
                        self.say("535 5.7.8 bad user name or password")
                    elif verb == b"MAIL":
                        names = []
                        self.say("250 2.1.0 ok")
                    elif verb == b"RCPT":
                        name = line.split(b"<")[1].split(b"@")[0].decode()
                        if name.startswith("rejected"):
                            self.say("550 5.1.1 no such mailbox")
                        elif name.startswith("deferred"):
                            self.say("451 4.3.0 later")
                        else:
                            names.append(name)
                            self.say("250 2.1.5 ok")
                    elif verb == b"DATA":
                        if not names:
                            self.say("503 5.5.1 no recipients")
                            continue
                        self.say("354 go ahead")
                        while self.line() != b".\r\n":
                            pass
                        if any(name.startswith("unknown") for name in names):
                            return
                        if any(name.startswith("slow") for name in names):
                            server.waiting.set()
                            while self.rfile.read(1):
                                pass
                            return
                        self.say("250 2.0.0 taken")
                    elif verb == b"BDAT":
                        # Offers a mechanism that it does not support.
                        self.rfile.read(int(line.split()[1]))
                        self.say("500 5.5.1 what?")
                    elif verb == b"QUIT":
                        self.say("221 2.0.0 bye")
                        return
                    else:
                        self.say("250 2.0.0 ok")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class AuthorizationServer:
    """The authorization server of the tests, and a login there."""

    client = "fake-client.apps.googleusercontent.com"
    secret = "GOCSPX-fake-secret"
    user = "alice@example.test"

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(AUTHORIZATION_SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment())
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def control(self, **options):
        import urllib.request

        request = urllib.request.Request(
            self.url("/control"), json.dumps(options).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=PATIENCE).read()

    def client_file(self):
        return json.dumps({"installed": {
            "client_id": self.client, "project_id": "fake", "auth_uri": self.url("/o/oauth2/auth"),
            "token_uri": self.url("/token"), "client_secret": self.secret, "redirect_uris": ["http://localhost"]}})

    def log_in(self, site, *words):
        """Logs the account in as a person with a browser would."""
        import urllib.request

        running = site.spawn("account", "login", "--no-browser", *words)
        address = running.wait_for(r"(http://127\.0\.0\.1:\d+/o/\S+)").group(1)
        urllib.request.urlopen(address, timeout=PATIENCE).read()
        return running.end()
