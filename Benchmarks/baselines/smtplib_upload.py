"""smtplib_upload.py PORT COUNT THREADS CA.pem|system MAIL.eml: sends a ready-made mail with Python's smtplib.

One kept connection per thread, TLS from the first byte, XOAUTH2.
"""

import smtplib
import ssl
import sys

from workers import run_workers

SENDER, RECIPIENT = "sender@example.com", "user@example.net"
TOKEN = "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def main():
    port, count, threads, authorities, path = sys.argv[1:]
    context = ssl.create_default_context(cafile=None if authorities == "system" else authorities)
    with open(path, "rb") as file:
        content = file.read()

    def work(turns):
        with smtplib.SMTP_SSL("localhost", int(port), context=context) as server:
            server.ehlo()
            server.auth("XOAUTH2", lambda _=None: f"user={SENDER}\x01auth=Bearer {TOKEN}\x01\x01")
            for _ in turns:
                server.sendmail(SENDER, [RECIPIENT], content)

    run_workers(int(count), int(threads), work)


main()
