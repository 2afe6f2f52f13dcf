"""Candidates that run alternately, and the resulting figures."""

import statistics
import sys


class Comparison:
    """The first candidate is Pabal; ratios are to the fastest candidate whose name begins with `baseline`."""

    def __init__(self, name, candidates, rounds, baseline=None, sink=None, warm_up=True, notes=()):
        self.name, self.candidates, self.rounds, self.sink = name, candidates, rounds, sink
        self.warm_up, self.notes = warm_up, list(notes)
        self.baselines = [candidate for candidate in candidates if candidate.name.startswith(baseline or "")]

    def run(self, measure):
        if self.warm_up:
            for candidate in self.candidates:
                candidate.run(measure, self.sink)
                candidate.runs.clear()
        for number in range(self.rounds):
            # The order rotates so that no candidate always profits from the warm cache of another.
            offset = number % len(self.candidates)
            for candidate in self.candidates[offset:] + self.candidates[:offset]:
                progress(f"{self.name}: round {number + 1} of {self.rounds}, {candidate.name}")
                candidate.run(measure, self.sink)
        progress("")

    @property
    def baseline(self):
        return min(self.baselines, key=lambda candidate: statistics.median(candidate.each("wall")))

    def rows(self):
        for candidate in self.candidates:
            wall, cpu, peak = (candidate.figure(key) for key in ("wall", "cpu", "peak_kib"))
            row = {
                "scenario": self.name, "candidate": candidate.name, "units": candidate.units,
                "rounds": len(candidate.runs), "wall_s": wall, "cpu_s": cpu, "peak_kib": peak,
                "per_second": candidate.units / wall["median"],
                "cpu_ms_a_unit": 1000 * cpu["median"] / candidate.units,
                "baseline": self.baseline.name,
                "times_rate": ratio(self.baseline.each("wall"), candidate.each("wall")),
                "times_cpu": ratio(candidate.each("cpu"), self.baseline.each("cpu")),
                "reported": candidate.runs[-1].get("reported"),
            }
            if self.sink:
                taken = [run["sink"] for run in candidate.runs]
                row["sink"] = {
                    "connections": statistics.median(run["connections"] for run in taken),
                    "flights_a_unit": statistics.median(run["flights"] for run in taken) / candidate.units,
                    "cpu_ms_a_unit": 1000 * statistics.median(run["cpu"] for run in taken) / candidate.units,
                }
            yield row


def ratio(upper, lower):
    """The median over the rounds, because only runs close in time are comparable."""
    return statistics.median(a / b for a, b in zip(upper, lower))


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)
