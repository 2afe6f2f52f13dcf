"""The server side of a sign-up form, with the terminal in place of the form: sends a code, checks what is typed, and
redeems the proof. It uses a client that is generated from the service's description:

    pip install openapi-python-client
    openapi-python-client generate --url http://127.0.0.1:8025/openapi.json --output-path pabal-client
    pip install ./pabal-client

usage: sign_up_over_http.py URL ADDRESS CLIENT-IP

CLIENT-IP is the address of the person's browser, which the limits per client count. A key, if the service asks for one,
is read from PABAL_KEY.
"""
import os
import sys
import time
import uuid

import httpx
from pabal_client import AuthenticatedClient, Client
from pabal_client.api.verifications import check_verification, redeem_proof, start_verification
from pabal_client.models import Check, CheckClient, Problem, Redeem, Start, StartClient


class Refused(Exception):
    """An answer other than success: what to tell the person, and after how many seconds to try again, if that helps."""

    def __init__(self, response):
        problem = response.parsed
        wait = response.headers.get("Retry-After", "")
        self.retry_after = int(wait) if wait.isdigit() else None
        text = f"The service answered {int(response.status_code)}."
        if isinstance(problem, Problem):
            # `detail` is for developers; where waiting helps, a person needs to know only for how long.
            has_detail = isinstance(problem.detail, str) and self.retry_after is None
            text = problem.detail if has_detail else f"{problem.title}."
        super().__init__(text)


def call(operation, *arguments, **fields):
    """Calls an operation of the API; if the connection fails, two more times."""
    for last in (False, False, True):
        try:
            response = operation.sync_detailed(*arguments, client=client, **fields)
        except httpx.TransportError as error:
            if last:
                sys.exit(f"The service can't be reached: {error}")
            time.sleep(1)
            continue
        if response.status_code < 300:
            return response.parsed
        raise Refused(response)


def explain(refusal):
    again = f" Try again in {refusal.retry_after} seconds." if refusal.retry_after is not None else ""
    return f"{refusal}{again}"


if len(sys.argv) != 4:
    sys.exit(__doc__)
url, address, ip = sys.argv[1:]
key = os.environ.get("PABAL_KEY")
client = AuthenticatedClient(base_url=url, token=key) if key else Client(base_url=url)

try:
    started = call(
        start_verification,
        body=Start(to=address, purpose="sign-up", language="ko", client=StartClient(ip=ip)),
        # The same key when the call is repeated, so that a lost answer doesn't send a second mail.
        idempotency_key=str(uuid.uuid4()),
        prefer="wait=5",
    )
except Refused as refusal:
    # 429 and 503 say in Retry-After when it is worth trying again; a form shows that next to its button.
    sys.exit(f"No code was sent. {explain(refusal)}")
if started.delivery and started.delivery.status == "rejected":
    sys.exit("The mail can't be delivered to this address.")
print(f"A code is on its way to {started.to_masked}.", flush=True)

for code in sys.stdin:
    try:
        checked = call(check_verification, started.id, body=Check(code=code.strip(), client=CheckClient(ip=ip)))
    except Refused as refusal:
        print(f"The code was not checked. {explain(refusal)}", flush=True)
        continue
    print(f"{checked.outcome}, {checked.attempts_remaining} attempts left", flush=True)
    if checked.outcome == "approved":
        # Store this address, and not the one from the form: the proof says which one was verified.
        proven = call(redeem_proof, body=Redeem(proof=checked.proof, purpose="sign-up"))
        print(f"Verified: {proven.address}")
        break
    if checked.outcome != "mismatch" and checked.outcome != "superseded":
        sys.exit("This code can't be used any more. Start over.")
else:
    sys.exit("No code was entered.")
