"""Durable adds by 64 callers compared with single commits to the disk; latency to the transport, claims, memory."""

import pathlib
import tempfile

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    # On a disk: /tmp may be in memory.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-", dir=workspace.release.parent))
    workspace.cleanup_steps.append(lambda: [path.unlink() for path in folder.iterdir()] and folder.rmdir())
    yield Comparison("outbox", [
        Candidate("pabal (SQLite, 64 callers)",
                  ["sh", "-c", f'rm -f {folder}/* && exec {workspace.release / "bench-outbox"} {folder} 6'],
                  reports_figures=True),
    ], rounds=workspace.rounds or 3, warm_up=False)
