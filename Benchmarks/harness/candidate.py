"""A program in a comparison."""

import json
import os
import statistics
import subprocess
import sys
import tempfile


class Candidate:
    """A program with its name, its command and the units of work of one run."""

    def __init__(self, name, command, units=1, reports_figures=False, core=None, command_prefix=(), input=None,
                 environment=None):
        self.name, self.command, self.units = name, [str(argument) for argument in command], units
        self.own_figures, self.core, self.command_prefix, self.input = reports_figures, core, list(command_prefix), input
        self.environment = {**os.environ, **(environment or {})}
        self.runs = []

    def run(self, measure, sink=None):
        """Runs it once and requires that `sink` received as many mails as it had to send."""
        pinned = ["taskset", "-c", str(self.core)] if self.core is not None else []
        with tempfile.NamedTemporaryFile("r") as figures, tempfile.TemporaryFile() as errors, \
                tempfile.TemporaryFile() as output, open(self.input or os.devnull, "rb") as input_file:
            subprocess.run([*pinned, *self.command_prefix, measure, figures.name, *self.command], stdin=input_file,
                           stdout=output, stderr=errors, env=self.environment, check=True)
            run = json.load(figures)
            if run["status"] != 0:
                errors.seek(0)
                sys.exit(f"bench: {self.name} ended with {run['status']}:\n{errors.read().decode()[-2000:]}")
            if self.own_figures:
                output.seek(0)
                run["reported"] = json.loads(output.read())
        if sink:
            run["sink"] = sink.report()
            if run["sink"]["messages"] != self.units:
                sys.exit(f"bench: {self.name} had to send {self.units} mails; the sink reports {run['sink']}")
        self.runs.append(run)

    def figure(self, key):
        values = sorted(run[key] for run in self.runs)
        return {"min": values[0], "median": statistics.median(values), "max": values[-1]}

    def each(self, key):
        """The cost of one unit in each run."""
        return [run[key] / self.units for run in self.runs]
