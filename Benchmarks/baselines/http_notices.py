#!/usr/bin/env python3
"""http_notices.py RELEASE FOLDER PAIRS: whether response times distinguish notices from ordinary starts. Prints JSON
with the medians and the z of a Mann-Whitney test (two-sided; |z| < 3.29 means indistinguishable at p = 0.001), and the
same for two groups of ordinary starts as a control."""

import json
import math
import pathlib
import random
import statistics
import sys
import time

from http_service import Caller, Service, configure

release, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
pairs = int(sys.argv[3])


def z(first, second):
    """The z of the rank sums; ties are ignored because nanosecond times are hardly ever equal."""
    ranks = {id(time): rank for rank, time in enumerate(sorted(first + second), 1)}
    m, n = len(first), len(second)
    u = sum(ranks[id(time)] for time in first) - m * (m + 1) / 2
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


service = Service(release, configure(folder / "notices"))
caller = Caller(service.port)
kinds = {"notice": {"notice": True, "message": "registered"}, "start": {}, "another": {}}
times = {kind: [] for kind in kinds}
for number in range(pairs + 100):
    for kind in random.sample(list(kinds), len(kinds)):
        began = time.perf_counter_ns()
        status, _ = caller.post("/v1/verifications", to=f"{kind[0]}{number:06}@example.com", **kinds[kind])
        took = (time.perf_counter_ns() - began) / 1e6
        if status != 202:
            raise SystemExit(f"{kind} returned {status}")
        # The first 100 rounds are the warm-up.
        if number >= 100:
            times[kind].append(took)
service.close()
print(json.dumps({
    "notice_p50_ms": round(statistics.median(times["notice"]), 3),
    "start_p50_ms": round(statistics.median(times["start"]), 3),
    "z": round(z(times["notice"], times["start"]), 2),
    "z_of_two_alike": round(z(times["another"], times["start"]), 2),
}))
