"""Subject, text and HTML of the Korean verification mail, in one process."""

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    yield Comparison("render", [
        Candidate("pabal (subject + text + HTML)", [workspace.release / "bench-render", "200000"],
                  units=200_000, reports_figures=True),
    ], rounds=workspace.rounds or 5)
