"""A program in a race."""

import json
import os
import statistics
import subprocess
import sys
import tempfile


class Contender:
    """What it is called, how it is started, how much it does in one run."""

    def __init__(self, name, command, units=1, own_figures=False, core=None, around=(), input=None,
                 environment=None):
        self.name, self.command, self.units = name, [str(word) for word in command], units
        self.own_figures, self.core, self.around, self.input = own_figures, core, list(around), input
        self.environment = {**os.environ, **(environment or {})}
        self.runs = []

    def run(self, measure, sink=None):
        """Runs it once; what `sink` took meanwhile must be what it was to send."""
        pinned = ["taskset", "-c", str(self.core)] if self.core is not None else []
        with tempfile.NamedTemporaryFile("r") as figures, tempfile.TemporaryFile() as errors, \
                tempfile.TemporaryFile() as output, open(self.input or os.devnull, "rb") as given:
            subprocess.run([*pinned, *self.around, measure, figures.name, *self.command], stdin=given,
                           stdout=output, stderr=errors, env=self.environment, check=True)
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
