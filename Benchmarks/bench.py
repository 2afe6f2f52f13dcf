"""Compares Pabal with baselines, alternating within one run, and prints medians with their spread."""

import argparse
import importlib
import json
import os
import pathlib
import platform

from harness.workspace import Workspace
from harness.table import table

# Each file of the folder is a scenario.
NAMES = sorted(file.stem for file in (pathlib.Path(__file__).parent / "scenarios").glob("[!_]*.py"))
SCENARIOS = {name: importlib.import_module(f"scenarios.{name}") for name in NAMES}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--rounds", type=int, help="runs of each candidate")
    parser.add_argument("--only", default="", metavar="TEXT", help="only comparisons with TEXT in their name")
    parser.add_argument("--json", default=".build-bench/bench.json", help="file for the figures as JSON")
    parser.add_argument("--scratch", type=pathlib.Path, default=".build-bench", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"unknown scenario {', '.join(unknown)}; choose from {', '.join(SCENARIOS)}")
    workspace = Workspace(options.scratch, options.rounds)
    rows, notes = [], []
    try:
        for name in options.scenarios or SCENARIOS:
            for comparison in SCENARIOS[name].comparisons(workspace):
                if options.only not in comparison.name:
                    continue
                comparison.run(str(workspace.tools / "measure"))
                rows += comparison.rows()
                notes += comparison.notes
    finally:
        workspace.clean_up()
    table(rows, notes)
    machine = {"machine": platform.machine(), "system": platform.platform(), "cores": os.cpu_count(),
               "load": os.getloadavg()}
    pathlib.Path(options.json).write_text(json.dumps({**machine, "notes": notes, "rows": rows}, indent=2) + "\n")
    print(f"figures: {options.json}")


if __name__ == "__main__":
    main()
