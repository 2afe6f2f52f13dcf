"""Races Pabal against yardsticks in one run, in turn, and prints medians with their spread."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile


class Contender:
    """A program in a race: what it is called, how it is started, how much it does in one run."""

    def __init__(self, name, command, units=1, environment=None, prepare=None, own_figures=False):
        self.name, self.command, self.units = name, command, units
        self.environment, self.prepare, self.own_figures = environment, prepare, own_figures
        self.runs = []

    def run(self, measure):
        if self.prepare:
            self.prepare()
        with tempfile.NamedTemporaryFile("r") as figures, tempfile.TemporaryFile() as errors, \
                tempfile.TemporaryFile() as output:
            subprocess.run([measure, figures.name, *self.command], stdout=output, stderr=errors,
                           env={**os.environ, **(self.environment or {})}, check=True)
            run = json.load(figures)
            if run["status"] != 0:
                errors.seek(0)
                sys.exit(f"bench: {self.name} ended with {run['status']}:\n{errors.read().decode()[-2000:]}")
            if self.own_figures:
                output.seek(0)
                run["own"] = json.loads(output.read())
        self.runs.append(run)

    def figure(self, key):
        values = sorted(run[key] for run in self.runs)
        return {"min": values[0], "median": statistics.median(values), "max": values[-1]}


class Race:
    """Contenders that run in turn; the first is Pabal, the others are its yardsticks."""

    def __init__(self, name, contenders, rounds, note=""):
        self.name, self.contenders, self.rounds, self.note = name, contenders, rounds, note

    def run(self, measure):
        for contender in self.contenders:
            contender.run(measure)
            contender.runs.clear()
        for number in range(self.rounds):
            # The order turns, so that none always runs in another's warm cache.
            turn = number % len(self.contenders)
            for contender in self.contenders[turn:] + self.contenders[:turn]:
                contender.run(measure)
            progress(f"{self.name}: round {number + 1} of {self.rounds}")
        progress("")

    def rows(self):
        ours = self.contenders[0]
        for contender in self.contenders:
            wall, cpu, peak = (contender.figure(key) for key in ("wall", "cpu", "peak_kib"))
            pairs = [a["wall"] / b["wall"] for a, b in zip(ours.runs, contender.runs)]
            yield {
                "race": self.name, "contender": contender.name, "units": contender.units,
                "rounds": len(contender.runs), "wall_s": wall, "cpu_s": cpu, "peak_kib": peak,
                "per_second": contender.units / wall["median"],
                "cpu_ms_a_unit": 1000 * cpu["median"] / contender.units,
                "pabal_wall_over_this": statistics.median(pairs),
                "own": contender.runs[-1].get("own"),
            }


def progress(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def start(places):
    """A cold process that sends one mail through the file transport."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pabal-bench-"))
    places.after.append(lambda: shutil.rmtree(folder))
    config = folder / "config.json"
    config.write_text(json.dumps({
        "transport": "file",
        "transports": {"file": {"plugin": "file", "directory": str(folder / "mail")}},
        "from": "Pabal <pabal@example.com>",
        "messages": {"directory": str(pathlib.Path("Sources/Messages").resolve()), "language": "ko",
                     "variables": {"service": "Pabal"}},
    }))
    return Race("start", [
        Contender("pabal send (file)", [str(places.pabal), "send", "you@example.com", "--config", str(config)]),
        Contender("swift hello (FoundationEssentials)", [str(places.own / "hello")]),
        Contender("python3 -c pass", ["python3", "-c", "pass"]),
    ], rounds=places.rounds or 31)


def render(places):
    """Subject, text and HTML of the Korean verification mail, in one process."""
    return Race("render", [
        Contender("pabal (subject + text + HTML)", [str(places.release / "bench-render"), "200000"],
                  units=200_000, own_figures=True),
    ], rounds=places.rounds or 5)


RACES = {"start": start, "render": render}


class Places:
    def __init__(self, scratch, rounds):
        self.release = scratch / "release"
        self.own = scratch / "bench"
        self.pabal = self.release / "pabal"
        self.rounds = rounds
        self.after = []


def table(rows):
    heads = ["race", "contender", "wall ms", "min–max", "a second", "CPU ms each", "peak MiB", "Pabal ÷ this"]
    lines = [heads]
    for row in rows:
        wall = row["wall_s"]
        lines.append([
            row["race"], row["contender"], f"{1000 * wall['median']:.1f}",
            f"{1000 * wall['min']:.1f}–{1000 * wall['max']:.1f}", f"{row['per_second']:,.0f}",
            f"{row['cpu_ms_a_unit']:.4g}", f"{row['peak_kib']['median'] / 1024:.1f}",
            f"{row['pabal_wall_over_this']:.2f}",
        ])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for number, line in enumerate(lines):
        print("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for row in rows:
        if row["own"]:
            print(f"{row['race']}: {json.dumps(row['own'])}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of {', '.join(RACES)}; all without one")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--json", default=".build-bench/bench.json", help="where the figures go as JSON")
    parser.add_argument("--scratch", type=pathlib.Path, default=".build-bench", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.races if name not in RACES]
    if unknown:
        parser.error(f"no race {', '.join(unknown)}; there are {', '.join(RACES)}")
    places = Places(options.scratch, options.rounds)
    rows = []
    try:
        for name in options.races or RACES:
            race = RACES[name](places)
            race.run(str(places.own / "measure"))
            rows += race.rows()
    finally:
        for step in reversed(places.after):
            step()
    table(rows)
    machine = {"machine": platform.machine(), "system": platform.platform(), "cores": os.cpu_count()}
    pathlib.Path(options.json).write_text(json.dumps({**machine, "rows": rows}, indent=2) + "\n")
    print(f"figures: {options.json}")


if __name__ == "__main__":
    main()
