"""The servers of the submission benchmark: Pabal and Postfix, each relaying over SMTP to a sink of its own."""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: {what} after {seconds} s")
        time.sleep(0.02)


def answers(port):
    import socket
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as one:
            return one.recv(3) == b"220"
    except OSError:
        return False


def start_sink(port):
    """Postfix's smtp-sink, which discards what it receives."""
    process = subprocess.Popen(["smtp-sink", "-u", "postfix", f"127.0.0.1:{port}", "1024"], stdout=subprocess.DEVNULL)
    wait_until(lambda: answers(port), "smtp-sink didn't answer")
    return process


class ProcessTree:
    """The processor time of a process, its children and those that have ended."""

    def __init__(self, root):
        self.root = root

    def seconds(self):
        parents, times = {}, {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            # utime, stime, and those of ended children.
            times[int(entry.name)] = sum(map(int, fields[11:15]))
        def below(pid):
            while pid and pid != self.root:
                pid = parents.get(pid, 0)
            return pid == self.root
        return sum(ticks for pid, ticks in times.items() if below(pid)) / TICK


class PostfixServer:
    name = "Postfix"

    def __init__(self, folder, sink):
        self.port, self.folder = free_port(), folder
        (folder / "conf").mkdir(parents=True)
        for name in ("queue", "data"):
            (folder / name).mkdir()
        subprocess.run(["chown", "postfix", folder / "data"], check=True)
        folder.chmod(0o755)
        (folder / "conf/main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_recipient_limit = 10000
smtp_tls_security_level = none
disable_dns_lookups = yes
smtpd_peername_lookup = no
default_process_limit = 100
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
alias_maps =
""")
        (folder / "conf/master.cf").write_text(f"""\
127.0.0.1:{self.port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 20 smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")
        subprocess.run(["postfix", "-c", folder / "conf", "start"], check=True, capture_output=True)
        wait_until(lambda: answers(self.port), "Postfix didn't answer")
        self.tree = ProcessTree(int((folder / "queue/pid/master.pid").read_text()))

    def queued(self):
        return sum(len(files) for queue in ("maildrop", "incoming", "active", "deferred")
                   for _, _, files in os.walk(self.folder / "queue" / queue))

    def sendmail(self):
        return ["/usr/sbin/sendmail", "-C", str(self.folder / "conf"), "-i", "-f", "from@example.com"]

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder / "conf", "stop"], capture_output=True)


class PabalServer:
    name = "Pabal"

    def __init__(self, release, folder, sink, tls=None):
        """`tls`: the files of a certificate and its key, for TLS from the first byte."""
        self.port, self.folder = free_port(), folder
        folder.mkdir(parents=True)
        self.socket = folder / "submit"
        secured = ({"security": "tls", "certificate": str(tls[0]), "key": str(tls[1])} if tls
                   else {"security": "none"})
        (folder / "config.json").write_text(json.dumps({
            "transport": "smtp",
            "transports": {"smtp": {"plugin": "smtp", "host": "127.0.0.1", "port": sink, "security": "none",
                                    "parallel": 20}},
            "from": "Pabal <from@example.com>",
            "outbox": {"parallel": 20},
            "serve": {"submission": {"listen": [f"127.0.0.1:{self.port}"], **secured,
                                     "networks": ["127.0.0.1"], "socket": str(self.socket),
                                     "limits": {"connections": 2000, "perAddress": 2000}}},
        }, indent=2))
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen([release / "pabal-main", "serve", "--config", folder / "config.json"],
                                        stderr=self.log, cwd=folder)
        wait_until(lambda: " submission listening" in (folder / "log").read_text() if tls else answers(self.port),
                   "pabal serve didn't answer")
        self.tree = ProcessTree(self.process.pid)

    def queued(self):
        with sqlite3.connect(f"file:{self.folder}/pabal.sqlite?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM mail WHERE state IN ('waiting', 'sending')").fetchone()[0]

    def resident(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()
