"""Contenders that run in turn, and the figures that come of it."""

import statistics
import sys


class Race:
    """The first contender is Pabal; ratios are to the fastest of those whose names begin with `yardstick`."""

    def __init__(self, name, contenders, rounds, yardstick=None, sink=None, warm_up=True, notes=()):
        self.name, self.contenders, self.rounds, self.sink = name, contenders, rounds, sink
        self.warm_up, self.notes = warm_up, list(notes)
        self.yardsticks = [one for one in contenders if one.name.startswith(yardstick or "")]

    def run(self, measure):
        if self.warm_up:
            for contender in self.contenders:
                contender.run(measure, self.sink)
                contender.runs.clear()
        for number in range(self.rounds):
            # The order turns, so that none always runs in another's warm cache.
            turn = number % len(self.contenders)
            for contender in self.contenders[turn:] + self.contenders[:turn]:
                progress(f"{self.name}: round {number + 1} of {self.rounds}, {contender.name}")
                contender.run(measure, self.sink)
        progress("")

    @property
    def yardstick(self):
        return min(self.yardsticks, key=lambda one: statistics.median(one.each("wall")))

    def rows(self):
        for contender in self.contenders:
            wall, cpu, peak = (contender.figure(key) for key in ("wall", "cpu", "peak_kib"))
            row = {
                "race": self.name, "contender": contender.name, "units": contender.units,
                "rounds": len(contender.runs), "wall_s": wall, "cpu_s": cpu, "peak_kib": peak,
                "per_second": contender.units / wall["median"],
                "cpu_ms_a_unit": 1000 * cpu["median"] / contender.units,
                "yardstick": self.yardstick.name,
                "times_rate": ratio(self.yardstick.each("wall"), contender.each("wall")),
                "times_cpu": ratio(contender.each("cpu"), self.yardstick.each("cpu")),
                "own": contender.runs[-1].get("own"),
            }
            if self.sink:
                taken = [run["sink"] for run in contender.runs]
                row["sink"] = {
                    "connections": statistics.median(run["connections"] for run in taken),
                    "flights_a_unit": statistics.median(run["flights"] for run in taken) / contender.units,
                    "cpu_ms_a_unit": 1000 * statistics.median(run["cpu"] for run in taken) / contender.units,
                }
            yield row


def ratio(upper, lower):
    """The median over the rounds: neighbours in time are compared, not runs minutes apart."""
    return statistics.median(a / b for a, b in zip(upper, lower))


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)
