"""Subject, text and HTML of the Korean verification mail, in one process."""

from harness.contender import Contender
from harness.race import Race


def races(places):
    yield Race("render", [
        Contender("pabal (subject + text + HTML)", [places.release / "bench-render", "200000"],
                  units=200_000, own_figures=True),
    ], rounds=places.rounds or 5)
