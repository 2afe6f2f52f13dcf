#!/usr/bin/env python3
"""http_soak.py RELEASE FOLDER DAYS SECONDS: days of SECONDS each under load, with an accelerated clock. Prints JSON:
memory, mails in the store and the size of the database at the end of each day. Everything that is kept for a day is
present after the second day and the same people return every day, so nothing may grow from then on."""

import json
import os
import pathlib
import sys
import threading
import time

from http_service import Caller, Service, configure

DAY, CALLERS, PEOPLE = 86_400, 8, 200
release, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
days, seconds = int(sys.argv[3]), float(sys.argv[4])
config = configure(folder / "soak")
service = Service(release, config, speed=round(DAY / seconds))
deadline = time.monotonic() + days * seconds
request_counts = [0] * CALLERS
failures = []


def simulate_user(number):
    """Acts like the users of a sign-up form: most try a code, some request a new code, some leave."""
    caller = Caller(service.port)
    while time.monotonic() < deadline and not failures:
        sequence = request_counts[number] = request_counts[number] + 1
        status, body = caller.post("/v1/verifications", to=f"c{number}-{sequence % PEOPLE}@example.com")
        if status != 202:
            failures.append((status, body))
            return
        path = f"/v1/verifications/{body['id']}"
        caller.post(f"{path}/check", code="000000")
        if sequence % 4 == 0:
            caller.post(f"{path}/resend")
        if sequence % 8 == 0:
            caller.post(f"{path}/cancel")
        # Keeps the days alike, however fast the machine is.
        time.sleep(0.02)


def state():
    return {"mib": round(service.resident(), 1), "mails": service.command("rows"),
            "database_mib": round(os.path.getsize(config.parent / "pabal.sqlite") / 2**20, 1)}


threads = [threading.Thread(target=simulate_user, args=(number,)) for number in range(CALLERS)]
began = time.monotonic()
for thread in threads:
    thread.start()
states = []
for day in range(1, days + 1):
    time.sleep(max(0, began + day * seconds - time.monotonic()))
    states.append(state())
for thread in threads:
    thread.join()
service.close()
if failures:
    raise SystemExit(f"a start returned {failures[0]}")
print(json.dumps({"starts": sum(request_counts), **{key: [state[key] for state in states] for key in states[0]}}))
