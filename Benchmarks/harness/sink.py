"""The server of a comparison, on a core of its own."""

import json
import signal
import subprocess
import sys


class Sink:
    """A running sink; `smtp`, `smtps` and `https` are its ports."""

    def __init__(self, program, authority, core=None, round_trip=0):
        pinned = ["taskset", "-c", str(core)] if core is not None else []
        self.process = subprocess.Popen(
            [*pinned, str(program), "--certificate", str(authority.chain), "--key", str(authority.key),
             "--rtt", str(round_trip)], stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        if not ready.startswith("READY "):
            sys.exit("bench: the sink did not start")
        ports = json.loads(ready.removeprefix("READY "))
        self.smtp, self.smtps, self.https = ports["smtp"], ports["smtps"], ports["https"]

    def report(self):
        """What it received since the last report."""
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
