"""Starts and checks over HTTP compared with the same service called in its own process; the first response after a
start; whether response times reveal notices; several days with an accelerated clock."""

import pathlib
import shutil
import sys
import tempfile

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    # On a disk: /tmp may be in memory.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="http-", dir=workspace.release.parent))
    workspace.cleanup_steps.append(lambda: shutil.rmtree(folder))

    def figures(name, script, *arguments):
        inside = folder / script
        command = " ".join(map(str, [sys.executable, workspace.baselines / f"{script}.py", *arguments]))
        return Candidate(name, ["sh", "-c", f"rm -rf {inside} && mkdir {inside} && exec {command}"], reports_figures=True)

    yield Comparison("http", [
        figures("64 callers", "http_rates", workspace.release, workspace.tools, folder / "http_rates", 3, 3),
    ], rounds=workspace.rounds or 1, warm_up=False)
    yield Comparison("http first", [
        figures("first 202", "http_first", workspace.pabal, folder / "http_first", 9),
    ], rounds=workspace.rounds or 1, warm_up=False)
    yield Comparison("http notices", [
        figures("notice or not", "http_notices", workspace.release, folder / "http_notices", 2000),
    ], rounds=workspace.rounds or 1, warm_up=False)
    yield Comparison("http soak", [
        figures("six days", "http_soak", workspace.release, folder / "http_soak", 6, 15),
    ], rounds=workspace.rounds or 1, warm_up=False)
