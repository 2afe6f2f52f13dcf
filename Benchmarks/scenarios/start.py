"""A cold process that sends one mail through the file transport."""

from harness.contender import Contender
from harness.race import Race


def races(places):
    config = places.config("file", directory=str(places.folder / "mail"))
    yield Race("start", [
        Contender("pabal send (file)", [places.pabal, "send", "you@example.com", "--config", config]),
        Contender("swift hello (FoundationEssentials)", [places.own / "hello"]),
        Contender("python3 -c pass", ["python3", "-c", "pass"]),
    ], rounds=places.rounds or 31, yardstick="swift hello (FoundationEssentials)")
