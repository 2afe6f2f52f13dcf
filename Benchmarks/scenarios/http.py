"""Starts and checks over HTTP against the same service asked in its own process; the first answer after a start;
whether time tells notices from starts; days in fast motion."""

import pathlib
import shutil
import sys
import tempfile

from harness.contender import Contender
from harness.race import Race


def races(places):
    # On the disk, not in memory: /tmp may be either.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="http-", dir=places.release.parent))
    places.after.append(lambda: shutil.rmtree(folder))

    def figures(name, script, *words):
        inside = folder / script
        command = " ".join(map(str, [sys.executable, places.yardsticks / f"{script}.py", *words]))
        return Contender(name, ["sh", "-c", f"rm -rf {inside} && mkdir {inside} && exec {command}"], own_figures=True)

    yield Race("http", [
        figures("64 callers", "http_rates", places.release, places.own, folder / "http_rates", 3, 3),
    ], rounds=places.rounds or 1, warm_up=False)
    yield Race("http first", [
        figures("first 202", "http_first", places.pabal, folder / "http_first", 9),
    ], rounds=places.rounds or 1, warm_up=False)
    yield Race("http notices", [
        figures("notice or not", "http_notices", places.release, folder / "http_notices", 2000),
    ], rounds=places.rounds or 1, warm_up=False)
    yield Race("http soak", [
        figures("six days", "http_soak", places.release, folder / "http_soak", 6, 15),
    ], rounds=places.rounds or 1, warm_up=False)
