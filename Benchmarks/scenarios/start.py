"""A cold process that sends one mail through the file transport."""

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    config = workspace.config("file", directory=str(workspace.folder / "mail"))
    yield Comparison("start", [
        Candidate("pabal send (file)", [workspace.pabal, "send", "you@example.com", "--config", config]),
        Candidate("swift hello (FoundationEssentials)", [workspace.tools / "hello"]),
        Candidate("python3 -c pass", ["python3", "-c", "pass"]),
    ], rounds=workspace.rounds or 31, baseline="swift hello (FoundationEssentials)")
