"""Gmail's REST API: Pabal from its own message to the answer, beside those who do less or the same."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOKEN = "ya29.bench-" + "0123456789" * 6


class FarSide:
    """The sink, with an authority of its own, in a folder that goes with it."""

    def __init__(self, places):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pabal-bench-"))
        places.after.append(lambda: shutil.rmtree(self.folder))
        flags = ["clang", "-O2", "-Wall", "-Wextra", "-Werror"]
        for name, more in {"sink": ["-lssl", "-lcrypto", "-lnghttp2"], "post": ["-lcurl"]}.items():
            subprocess.run([*flags, "-o", places.own / f"gmail-{name}", HERE / f"{name}.c", *more], check=True)
        self._certify()
        self._trust()
        sink = subprocess.Popen([places.own / "gmail-sink", "0", self.folder / "chain.pem", self.folder / "key.pem"],
                                stdout=subprocess.PIPE, text=True)
        places.after.append(lambda: (sink.send_signal(signal.SIGTERM), sink.wait()))
        self.port = sink.stdout.readline().split()[1]
        self.url = f"https://localhost:{self.port}"
        self.send = f"{self.url}/upload/gmail/v1/users/me/messages/send?uploadType=media"
        self.config = self._config({"ca_file": str(self.folder / "ca.pem")})
        self.cold = self._config({"ca_directory": str(self.folder / "certs")})
        self.mail = self.folder / "mail.eml"
        self.mail.write_bytes(subprocess.run(
            [places.pabal, "send", "you@example.com", "--config", self.config, "--dry-run"],
            stdout=subprocess.PIPE, check=True).stdout)
        self.large = self.folder / "large.eml"
        line = b"the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
        head = b"From: sender@example.com\r\nTo: you@example.com\r\nSubject: large\r\n\r\n"
        self.large.write_bytes(head + line * (34_000_000 // len(line)))

    def _certify(self):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        (self.folder / "extensions").write_text(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        for command in (
            ["req", "-x509", *curve, "-days", "30", "-subj", "/CN=bench", "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", *curve, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"],
            ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
             "30", "-extfile", "extensions", "-out", "leaf.pem"],
        ):
            subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)
        (self.folder / "chain.pem").write_text(
            (self.folder / "leaf.pem").read_text() + (self.folder / "ca.pem").read_text())

    def _trust(self):
        """The system's store with the bench's authority added: the bundle, and the directory of hashes."""
        bundle = pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text()
        (self.folder / "bundle.pem").write_text(bundle + (self.folder / "ca.pem").read_text())
        certs = self.folder / "certs"
        certs.mkdir()
        for entry in pathlib.Path("/etc/ssl/certs").glob("*.0"):
            (certs / entry.name).symlink_to(entry.resolve())
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.folder / "ca.pem"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        (certs / f"{name}.0").symlink_to(self.folder / "ca.pem")

    def _config(self, trust):
        file = self.folder / f"{next(iter(trust))}.json"
        file.write_text(json.dumps({
            "transport": "gmail",
            "transports": {"gmail": {"plugin": "gmail", "account": "bench", "endpoint": self.url, "parallel": 32,
                                     **trust}},
            "accounts": {"bench": {"provider": "token", "user": "sender@example.com",
                                   "token": {"env": "PABAL_BENCH_TOKEN"}}},
            "from": "Pabal <sender@example.com>",
            "messages": {"directory": str(ROOT / "Sources/Messages"), "language": "ko",
                         "variables": {"service": "Pabal"}},
        }))
        return file

    def curl(self, *more):
        return ["curl", "-sSf", "--http1.1", "-o", os.devnull, "-H", "Content-Type: message/rfc822",
                "-H", f"Authorization: Bearer {TOKEN}", "-H", "Expect:", *map(str, more), self.send]


def races(places, Contender, Race):
    """Throughput at 8 and 32 in flight, a cold process, a mail of 34 MB."""
    os.environ["PABAL_BENCH_TOKEN"] = TOKEN
    side = FarSide(places)
    google = [ROOT / "Tests/Servers/google", HERE / "google_client.py", side.port, side.folder / "ca.pem"]
    subprocess.run([ROOT / "Tests/Servers/google"], check=True)
    rounds, count, few = places.rounds or 5, 20_000, 60
    all_races = []
    for flight in (8, 32):
        def post(version):
            return [places.own / "gmail-post", version, side.port, side.folder / "ca.pem", side.mail, count, flight]
        all_races.append(Race(f"gmail {flight}", [
            Contender("pabal send --transport gmail",
                      [places.pabal, "send", "you@example.com", "--config", side.config, "--count", count,
                       "--parallel", flight, "--json"], units=count, own_figures=True),
            Contender("bare libcurl, HTTP/1.1, no rendering", post(1), units=count),
            Contender("bare libcurl, HTTP/2, no rendering", post(2), units=count),
            *([Contender("Google's Python client, a service a send", [*google, few], units=few),
               Contender("Google's Python client, one service", [*google, 4 * few, "once"], units=4 * few)]
              if flight == 8 else []),
        ], rounds=rounds))
    all_races.append(Race("gmail cold", [
        Contender("pabal send --transport gmail",
                  [places.pabal, "send", "you@example.com", "--config", side.cold]),
        Contender("curl, system bundle", side.curl("--cacert", side.folder / "bundle.pem", "--data-binary",
                                                   f"@{side.mail}")),
        Contender("curl, one authority", side.curl("--cacert", side.folder / "ca.pem", "--data-binary",
                                                   f"@{side.mail}")),
        Contender("Google's Python client", [*google, 1]),
    ], rounds=places.rounds or 15))
    all_races.append(Race("gmail 34 MB", [
        Contender("pabal send --eml", [places.pabal, "send", "--eml", side.large, "--config", side.config]),
        Contender("curl -T", side.curl("--cacert", side.folder / "ca.pem", "-X", "POST", "-T", side.large)),
    ], rounds=rounds))
    return all_races
