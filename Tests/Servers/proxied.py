#!/usr/bin/env python3
"""proxied.py PABAL SITE PROXY: runs `pabal serve` behind a proxy, set up as in Examples/Proxies; prints the results as JSON.

SITE has config.json with "listen": "LISTEN"; PROXY is nginx, haproxy or caddy."""
import collections, fcntl, http.client, json, os, pathlib, random, re, shutil, signal, socket, ssl, subprocess, sys, threading, time

pabal, site, kind = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
examples = pathlib.Path(__file__).resolve().parents[2] / "Examples/Proxies"
HOST = "shop.example.com"
# An hour in fast motion: what are 60 and 75 seconds in the example are one and two here.
FAST = [("keepalive_timeout 60s", "keepalive_timeout 1s"), ("pool-purge-delay 30s", "pool-purge-delay 500ms"), ("keepalive 60s", "keepalive 1s")]


reserved = []


def free_port():
    """A port for this run alone, also while nothing listens there: the kernel chooses no port of this range, and
    other runs find its file locked."""
    for port in random.sample(range(20_000, 30_000), 1_000):
        lock = open(f"/tmp/pabal-test-port-{port}", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        reserved.append(lock)
        return port
    raise SystemExit("no free port from 20000 to 29999")


first, second, front = free_port(), free_port(), free_port()
folder = site / "proxy"
folder.mkdir()
folder.chmod(0o755)
certificate, key, both = folder / "shop.crt", folder / "shop.key", folder / "shop.pem"
subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
     "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key, "-out", certificate],
    check=True, capture_output=True)
both.write_bytes(certificate.read_bytes() + key.read_bytes())


def configuration(name):
    text = (examples / name).read_text()
    for old, new in [("127.0.0.1:8025", f"127.0.0.1:{first}"), ("127.0.0.1:8026", f"127.0.0.1:{second}"), *FAST]:
        text = text.replace(old, new)
    return text


def replaced(text, old, new):
    assert old in text, old
    return text.replace(old, new)


if kind == "nginx":
    text = configuration("nginx.conf")
    for old, new in [("listen 443", f"listen 127.0.0.1:{front}"), ("/etc/ssl/shop.pem", str(certificate)), ("/etc/ssl/shop.key", str(key))]:
        text = replaced(text, old, new)
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{paths}{text}}}\n")
    command = ["nginx", "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
elif kind == "haproxy":
    text = replaced(configuration("haproxy.cfg"), "bind :443 ssl crt /etc/ssl/shop.pem", f"bind 127.0.0.1:{front} ssl crt {both}")
    (folder / "haproxy.cfg").write_text(text)
    command = ["haproxy", "-db", "-f", folder / "haproxy.cfg"]
else:
    text = replaced(configuration("Caddyfile"), f"{HOST} {{", f"https://{HOST}:{front} {{\n\ttls {certificate} {key}")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]

written = (site / "config.json").read_text()
(site / "config.json").write_text(written.replace("LISTEN", f"127.0.0.1:{first}"))
(site / "second.json").write_text(written.replace("LISTEN", f"127.0.0.1:{second}"))


def serve(name="config.json"):
    """Starts `pabal serve` and returns once it listens."""
    log = site / f"{name}.{time.monotonic_ns()}.log"
    process = subprocess.Popen([pabal, "serve", "--config", site / name], stderr=open(log, "w"), cwd=site)
    while " listening " not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


context = ssl.create_default_context(cafile=certificate)


class Client(http.client.HTTPSConnection):
    """A client with an address of its own, over TLS that it verifies."""

    def __init__(self, address="127.0.0.2"):
        super().__init__(HOST, front, context=context, timeout=30)
        self.address = address

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", front), timeout=30, source_address=(self.address, 0))
        self.sock = context.wrap_socket(raw, server_hostname=HOST)

    def ask(self, path, body, repeats=0, **headers):
        """Returns the status; connects again if the proxy has closed the connection in between. A 502 is repeated, up to
        `repeats` times."""
        for _ in range(3 + repeats):
            try:
                self.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
                answer = self.getresponse()
                answer.read()
                if answer.status != 502 or not repeats:
                    return answer.status
                repeats -= 1
                time.sleep(0.1)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
        return -1


def load(count, pause, until, repeats=0):
    """Statuses of POST requests from `count` clients, with `pause()` seconds between them."""
    statuses, lock = collections.Counter(), threading.Lock()

    def run(number):
        client = Client(f"127.0.1.{number + 1}")
        while not until.is_set():
            status = client.ask("/v1/proofs/redeem", {"proof": "x"}, repeats)
            with lock:
                statuses[str(status)] += 1
            until.wait(pause())

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return statuses, threads


server = serve()
output = open(folder / "output", "w")
proxy = subprocess.Popen([str(part) for part in command], stdout=output, stderr=output, cwd=folder, env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
result = {}
try:
    deadline = time.monotonic() + 20
    while True:
        try:
            Client().connect()
            break
        except OSError:
            assert proxy.poll() is None and time.monotonic() < deadline, (folder / "output").read_text()
            time.sleep(0.05)
    start = "/v1/verifications"
    # One start per address and hour is configured.
    result["addresses"] = [
        Client("127.0.0.2").ask(start, {"to": "a@example.com"}),
        Client("127.0.0.2").ask(start, {"to": "b@example.com"}),
        Client("127.0.0.3").ask(start, {"to": "c@example.com"}),
        # What the client claims doesn't count.
        Client("127.0.0.3").ask(start, {"to": "d@example.com"}, **{"X-Forwarded-For": "203.0.113.9"}),
        Client("127.0.0.4").ask(start, {"to": "e@example.com"}, **{"X-Forwarded-For": "127.0.0.2"}),
    ]
    # Pauses around the idle times of both sides.
    until = threading.Event()
    statuses, threads = load(40, lambda: random.uniform(0.8, 3.3), until)
    time.sleep(15)
    until.set()
    for thread in threads:
        thread.join()
    result["idle"] = statuses

    until = threading.Event()
    # Caddy 2.6 closes the body of a request when it can't connect, and then can't send it again. An app repeats the
    # request, with its Idempotency-Key, until the new process listens.
    statuses, threads = load(8, lambda: random.uniform(0, 0.02), until, repeats=100 if kind == "caddy" else 0)
    time.sleep(1)
    for _ in range(3):
        if kind == "nginx":
            other = serve("second.json")
        stop(server)
        server = serve()
        if kind == "nginx":
            stop(other)
        time.sleep(1)
    until.set()
    for thread in threads:
        thread.join()
    result["restarts"] = statuses
finally:
    proxy.terminate()
    proxy.wait()
    if server.poll() is None:
        stop(server)
result["warnings"] = [line for log in site.glob("*.log") for line in log.read_text().splitlines() if " warning " in line]
print(json.dumps(result))
