"""Starts and checks over HTTP against the same service asked in its own process, and memory."""

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
    script = pathlib.Path(__file__).parents[1] / "yardstick/http_rates.py"
    yield Race("http", [
        Contender("pabal (64 callers)",
                  ["sh", "-c", f'rm -rf {folder}/* && exec {sys.executable} {script} {places.release} {places.own} '
                               f'{folder} 3 3'],
                  own_figures=True),
    ], rounds=places.rounds or 1, warm_up=False)
