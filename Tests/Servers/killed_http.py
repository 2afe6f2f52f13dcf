#!/usr/bin/env python3
"""killed_http.py PABAL SITE KILLS: clients with an Idempotency-Key each, and a service that is killed meanwhile.

Every client repeats its request until it gets a 202, and sometimes once more. At the end the outbox is drained. Prints
JSON: how many were answered, which keys got more than one verification, which acknowledged mails are missing from the
outbox, which addresses got mails of more than one verification.
"""
import http.client, json, os, random, re, signal, subprocess, sys, threading, time

pabal, site, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.chdir(site)
environment = {k: v for k, v in os.environ.items() if not k.startswith("PABAL_")}
lock = threading.Lock()
answers = {}  # key -> ids in the responses
port = None
finished = False
odd = []


def serve():
    global port
    log = open("log", "wb")
    process = subprocess.Popen([pabal, "serve"], stderr=log, env=environment)
    for _ in range(3000):
        if found := re.search(rb"listening host=\S+ port=(\d+)", open("log", "rb").read()):
            port = int(found[1])
            return process
        if process.poll() is not None:
            raise SystemExit(open("log").read())
        time.sleep(0.005)
    raise SystemExit("the service never listened")


def ask(key, address):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            "POST", "/v1/verifications", json.dumps({"to": address}),
            {"Content-Type": "application/json", "Idempotency-Key": key},
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def caller(number):
    count = 0
    while not finished:
        key = f"{number}-{count}"
        count += 1
        tries = 0
        while not finished:
            tries += 1
            try:
                status, body = ask(key, f"k{key}@example.org")
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.002)
                continue
            if status == 202:
                with lock:
                    answers.setdefault(key, set()).add(body["id"])
                # One in four repeats its request, as a client does that lost the response.
                if tries > 1 or random.random() < 0.75:
                    break
            elif status != 409:
                with lock:
                    odd.append([status, body])
                break


process = serve()
callers = [threading.Thread(target=caller, args=(n,)) for n in range(8)]
for thread in callers:
    thread.start()
for _ in range(kills):
    time.sleep(random.uniform(0.01, 0.15))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = serve()
finished = True
for thread in callers:
    thread.join()
# The outbox drains when the leases of the last killed process have expired.
def outbox():
    run = subprocess.run(
        [pabal, "outbox", "list", "--json", "--limit", "1"], capture_output=True, env=environment
    )
    return json.loads(run.stdout)["counts"]
deadline = time.monotonic() + 150
while (left := outbox()) and any(left.get(s) for s in ("waiting", "sending")) and time.monotonic() < deadline:
    time.sleep(0.5)
missing = []
for key, ids in answers.items():
    for id in ids:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"/v1/verifications/{id}")
        response = connection.getresponse()
        body = json.loads(response.read())
        if response.status != 200 or not body["delivery"] or body["delivery"]["status"] != "sent":
            missing.append([key, body])
process.send_signal(signal.SIGTERM)
process.wait()
codes = {}
for name in os.listdir("mail"):
    if name.endswith(".eml"):
        text = open(f"mail/{name}", encoding="utf-8", errors="replace").read()
        to = re.search(r"^To: (\S+)", text, re.M)[1]
        # A mail whose attempt was interrupted may arrive twice, with the same id.
        codes.setdefault(to, set()).add(re.search(r"^Message-ID: (\S+)", text, re.M | re.I)[1])
print(json.dumps({
    "answered": len(answers), "twice": [k for k, ids in answers.items() if len(ids) > 1], "missing": missing[:5],
    "mailed_twice": [to for to, names in codes.items() if len(names) > 1], "odd": odd[:5], "left": left,
}))
