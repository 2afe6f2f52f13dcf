"""Paths, the files made for a comparison, and their clean-up."""

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


class Workspace:
    def __init__(self, scratch, rounds):
        self.release = (scratch / "release").absolute()
        self.tools = (scratch / "bench").absolute()
        self.pabal = self.release / "pabal"
        self.baselines = pathlib.Path(__file__).parent.parent / "baselines"
        self.rounds = rounds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pabal-bench-"))
        self.cleanup_steps = [lambda: shutil.rmtree(self.folder)]
        # The server has a core of its own, if there are two, so as not to slow its clients.
        cores = sorted(os.sched_getaffinity(0))
        self.client_core, self.sink_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)

    def clean_up(self):
        for step in reversed(self.cleanup_steps):
            step()
        self.cleanup_steps = []

    def authority(self):
        return Authority(self.tools / "ca")

    def sink(self, round_trip=0):
        sink = Sink(self.tools / "sink", self.authority(), self.sink_core, round_trip)
        self.cleanup_steps.append(sink.stop)
        return sink

    def config(self, transport, messages="Sources/Messages", **settings):
        """Writes a config.json with one transport of these settings and, if they name one, an account."""
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
        """Writes the verification mail of these comparisons to a file, for candidates that only send."""
        content = subprocess.run([self.pabal, "send", RECIPIENT, "--config", config, "--dry-run"],
                                stdout=subprocess.PIPE, check=True).stdout
        path = self.folder / f"{config.stem}.eml"
        path.write_bytes(content)
        return path
