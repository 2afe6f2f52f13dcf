#!/usr/bin/env python3
"""http_soak.py RELEASE FOLDER DAYS SECONDS: days of SECONDS each under load, with a clock that races. Prints JSON:
memory, mails in the store and the database's size at the end of each day. What is kept for a day is all there after
the second, and the same people come again every day, so that from then on nothing may grow."""

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
asked = [0] * CALLERS
faults = []


def live(number):
    """What a sign-up form's people do: most start and try a code, some ask again, some go away."""
    caller = Caller(service.port)
    while time.monotonic() < deadline and not faults:
        one = asked[number] = asked[number] + 1
        status, body = caller.post("/v1/verifications", to=f"c{number}-{one % PEOPLE}@example.com")
        if status != 202:
            faults.append((status, body))
            return
        path = f"/v1/verifications/{body['id']}"
        caller.post(f"{path}/check", code="000000")
        if one % 4 == 0:
            caller.post(f"{path}/resend")
        if one % 8 == 0:
            caller.post(f"{path}/cancel")
        # So that the days are alike, however fast the machine is.
        time.sleep(0.02)


def state():
    return {"mib": round(service.resident(), 1), "mails": service.ask("rows"),
            "database_mib": round(os.path.getsize(config.parent / "pabal.sqlite") / 2**20, 1)}


threads = [threading.Thread(target=live, args=(number,)) for number in range(CALLERS)]
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
if faults:
    raise SystemExit(f"a start was answered with {faults[0]}")
print(json.dumps({"starts": sum(asked), **{key: [state[key] for state in states] for key in states[0]}}))
