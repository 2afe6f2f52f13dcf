"""A minimal app that uses a client generated from /openapi.json with openapi-python-client.

usage: sign_up_over_http.py URL ADDRESS
"""
import sys

from pabal_client import Client
from pabal_client.api.verifications import check_verification, start_verification
from pabal_client.models import Check, Start, Verification

client = Client(base_url=sys.argv[1])
started = start_verification.sync(client=client, body=Start(to=sys.argv[2], language="ko"), prefer="wait=5")
if not isinstance(started, Verification) or started.delivery.status == "rejected":
    sys.exit("The code could not be sent.")
print(f"A code is on its way to {started.to_masked}.")
for code in sys.stdin:
    answer = check_verification.sync(started.id, client=client, body=Check(code=code.strip()))
    print(f"{answer.outcome}, {answer.attempts_remaining} attempts left")
    if answer.outcome == "approved":
        break
