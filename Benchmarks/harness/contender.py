"""A program in a race."""

import json
import os
import statistics
import subprocess
import sys
import tempfile


class Contender:
    """What it is called, how it is started, how much it does in one run."""

    def __init__(self, name, command, units=1, environment=None, prepare=None, own_figures=False, core=None):
        self.name, self.command, self.units = name, [str(word) for word in command], units
        self.environment, self.prepare, self.own_figures, self.core = environment, prepare, own_figures, core
        self.runs = []

    def run(self, measure, sink=None):
        """Runs it once; what `sink` took meanwhile must be what it was to send."""
        if self.prepare:
            self.prepare()
        pinned = ["taskset", "-c", str(self.core)] if self.core is not None else []
        with tempfile.NamedTemporaryFile("r") as figures, tempfile.TemporaryFile() as errors, \
                tempfile.TemporaryFile() as output:
            subprocess.run([*pinned, measure, figures.name, *self.command], stdout=output, stderr=errors,
                           stdin=subprocess.DEVNULL, env={**os.environ, **(self.environment or {})}, check=True)
            run = json.load(figures)
            if run["status"] != 0:
                errors.seek(0)
                sys.exit(f"bench: {self.name} ended with {run['status']}:\n{errors.read().decode()[-2000:]}")
            if self.own_figures:
                output.seek(0)
                run["own"] = json.loads(output.read())
        if sink:
            run["sink"] = sink.report()
            if run["sink"]["messages"] != self.units:
                sys.exit(f"bench: {self.name} was to send {self.units} mails; the sink says: {run['sink']}")
        self.runs.append(run)

    def figure(self, key):
        values = sorted(run[key] for run in self.runs)
        return {"min": values[0], "median": statistics.median(values), "max": values[-1]}

    def each(self, key):
        """What one unit took, run by run."""
        return [run[key] / self.units for run in self.runs]
