"""Durable adds by 64 callers against the disk's single commits, latency to the transport, claims, memory."""

import pathlib
import tempfile

from harness.contender import Contender
from harness.race import Race


def races(places):
    # On the disk, not in memory: /tmp may be either.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="outbox-", dir=places.release.parent))
    places.after.append(lambda: [path.unlink() for path in folder.iterdir()] and folder.rmdir())
    yield Race("outbox", [
        Contender("pabal (SQLite, 64 callers)",
                  ["sh", "-c", f'rm -f {folder}/* && exec {places.release / "bench-outbox"} {folder} 6'],
                  own_figures=True),
    ], rounds=places.rounds or 3, warm_up=False)
