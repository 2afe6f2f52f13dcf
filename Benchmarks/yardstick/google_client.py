"""Google's Python client as the first version of Pabal used it: a service built anew for each send, MIME, base64url.

google_client.py PORT COUNT CA.pem [once]      once: one service for all sends
"""
import base64
import datetime
import os
import pickle
import sys
import tempfile
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

os.environ["HTTPLIB2_CA_CERTS"] = sys.argv[3]
# The first version imported all of these.
from google.auth.transport.requests import Request  # noqa: E402, F401
from google.oauth2.credentials import Credentials  # noqa: E402
from google_auth_oauthlib.flow import InstalledAppFlow  # noqa: E402, F401
from googleapiclient.discovery import build  # noqa: E402

TOKEN = "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
port, count, once = sys.argv[1], int(sys.argv[2]), sys.argv[4:] == ["once"]
text = "안녕하세요.\n\n인증번호는 482913입니다. 10분 안에 입력해 주세요.\n"
html = "<p>안녕하세요.</p><p>인증번호는 <b>482913</b>입니다. 10분 안에 입력해 주세요.</p>"


def authenticate(path):
    with open(path, "rb") as file:
        credentials = pickle.load(file)
    return build("gmail", "v1", credentials=credentials, client_options={"api_endpoint": f"https://localhost:{port}"})


def message():
    mail = MIMEMultipart("alternative")
    mail["to"], mail["from"], mail["subject"] = "user@example.net", "sender@example.com", "회원가입 인증번호"
    mail.attach(MIMEText(text, "plain", "utf-8"))
    mail.attach(MIMEText(html, "html", "utf-8"))
    return {"raw": base64.urlsafe_b64encode(mail.as_bytes()).decode()}


with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
    pickle.dump(Credentials(
        TOKEN, refresh_token="r", token_uri=f"https://localhost:{port}/token", client_id="i",
        client_secret="s", scopes=["https://www.googleapis.com/auth/gmail.send"],
        expiry=datetime.datetime(2099, 1, 1)), file)
    file.flush()
    service = authenticate(file.name)
    for number in range(count):
        if number and not once:
            service = authenticate(file.name)
        assert service.users().messages().send(userId="me", body=message()).execute()["id"]
