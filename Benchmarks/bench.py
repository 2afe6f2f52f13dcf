"""Races Pabal against yardsticks in one run, in turn, and prints medians with their spread."""

import argparse
import json
import os
import pathlib
import platform

from harness.places import Places
from harness.table import table
from races import cold, gmail, http, outbox, render, smtp, start

RACES = {"start": start, "render": render, "outbox": outbox, "http": http, "smtp": smtp, "gmail": gmail, "cold": cold}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of {', '.join(RACES)}; all without one")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--only", default="", metavar="TEXT", help="of these, only races with TEXT in their name")
    parser.add_argument("--json", default=".build-bench/bench.json", help="where the figures go as JSON")
    parser.add_argument("--scratch", type=pathlib.Path, default=".build-bench", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.races if name not in RACES]
    if unknown:
        parser.error(f"no race {', '.join(unknown)}; there are {', '.join(RACES)}")
    places = Places(options.scratch, options.rounds)
    rows, notes = [], []
    try:
        for name in options.races or RACES:
            for race in RACES[name].races(places):
                if options.only not in race.name:
                    continue
                race.run(str(places.own / "measure"))
                rows += race.rows()
                notes += race.notes
    finally:
        places.clear()
    table(rows, notes)
    machine = {"machine": platform.machine(), "system": platform.platform(), "cores": os.cpu_count(),
               "load": os.getloadavg()}
    pathlib.Path(options.json).write_text(json.dumps({**machine, "notes": notes, "rows": rows}, indent=2) + "\n")
    print(f"figures: {options.json}")


if __name__ == "__main__":
    main()
