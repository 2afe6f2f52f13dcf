"""google_client.py PORT COUNT THREADS CA.pem MAIL.eml each|once: sends a mail with Google's own Python client.

As the first version of this project used it: credentials from a pickle, the service built from the discovery
document for each mail or once per thread, the mail as base64url in JSON. Only the endpoint differs.
"""

import base64
import datetime
import os
import pickle
import sys
import tempfile

port, count, threads, authorities, path, mode = sys.argv[1:]
os.environ["HTTPLIB2_CA_CERTS"] = authorities

from google.oauth2.credentials import Credentials  # noqa: E402
from google_auth_oauthlib.flow import InstalledAppFlow  # noqa: E402, F401 (importing it is part of the cost)
from googleapiclient.discovery import build  # noqa: E402
from workers import run_workers  # noqa: E402

SCOPES = ["https://www.googleapis.com/auth/gmail.send"]
TOKEN = "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def authenticate(pickled):
    with open(pickled, "rb") as token:
        credentials = pickle.load(token)
    if not credentials or not credentials.valid:
        sys.exit("the token is not valid")
    endpoint = {"api_endpoint": f"https://localhost:{port}"}
    return build("gmail", "v1", credentials=credentials, client_options=endpoint)


def main():
    with open(path, "rb") as file:
        content = file.read()
    with tempfile.NamedTemporaryFile() as pickled:
        pickle.dump(Credentials(TOKEN, scopes=SCOPES, expiry=datetime.datetime(2099, 1, 1)), pickled)
        pickled.flush()

        def work(turns):
            service = None
            for _ in turns:
                if service is None or mode == "each":
                    service = authenticate(pickled.name)
                body = {"raw": base64.urlsafe_b64encode(content).decode()}
                service.users().messages().send(userId="me", body=body).execute()

        run_workers(int(count), int(threads), work)


main()
