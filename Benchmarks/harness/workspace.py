"""Where things are, what was made for a race, and how it goes away again."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from harness.authority import Authority
from harness.sink import Sink

SENDER, RECIPIENT = "sender@example.com", "user@example.net"
TOKEN = "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


class Places:
    def __init__(self, scratch, rounds):
        self.release = (scratch / "release").absolute()
        self.own = (scratch / "bench").absolute()
        self.pabal = self.release / "pabal"
        self.yardsticks = pathlib.Path(__file__).parent.parent / "yardstick"
        self.rounds = rounds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pabal-bench-"))
        self.after = [lambda: shutil.rmtree(self.folder)]
        # The far side must not take its clients' time, as far as there are cores.
        cores = sorted(os.sched_getaffinity(0))
        self.client_core, self.sink_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)

    def clear(self):
        for step in reversed(self.after):
            step()
        self.after = []

    def authority(self):
        return Authority(self.own / "ca")

    def sink(self, round_trip=0):
        sink = Sink(self.own / "sink", self.authority(), self.sink_core, round_trip)
        self.after.append(sink.stop)
        return sink

    def config(self, transport, messages="Sources/Messages", **settings):
        """A config.json whose one transport has these settings and, where it takes one, an account."""
        path = self.folder / f"{transport}-{len(list(self.folder.iterdir()))}.json"
        config = {
            "transport": transport,
            "transports": {transport: {"plugin": transport, **settings}},
            "from": f"Pabal <{SENDER}>",
            "messages": {"directory": str(pathlib.Path(messages).absolute()), "language": "ko",
                         "variables": {"service": "Pabal"}},
        }
        if "account" in settings:
            config["accounts"] = {settings["account"]: {"provider": "token", "user": SENDER, "token": TOKEN}}
        path.write_text(json.dumps(config, indent=2))
        return path

    def mail(self, config):
        """The verification mail that Pabal sends in these races, ready-made for those who don't make it."""
        octets = subprocess.run([self.pabal, "send", RECIPIENT, "--config", config, "--dry-run"],
                                stdout=subprocess.PIPE, check=True).stdout
        path = self.folder / f"{config.stem}.eml"
        path.write_bytes(octets)
        return path
