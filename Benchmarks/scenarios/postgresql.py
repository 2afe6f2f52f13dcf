"""PostgreSQL: durable adds and starts by 64 callers on one and two nodes, beside pgbench inserting a row per transaction."""

import pathlib
import sys

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    script = pathlib.Path(__file__).parent.parent / "harness" / "postgresql.py"
    yield Comparison("postgresql", [
        Candidate("pabal (PostgreSQL, 64 callers)",
                  [sys.executable, script, workspace.release / "bench-outbox", str(workspace.rounds or 3)],
                  reports_figures=True),
    ], rounds=1, warm_up=False)
