"""smtplib_upload.py PORT COUNT THREADS CA.pem|system MAIL.eml: sends a ready-made mail by Python's own smtplib.

Kept connections, one a thread, TLS from the first octet, XOAUTH2.
"""

import smtplib
import ssl
import sys
import threading

SENDER, RECIPIENT = "sender@example.com", "user@example.net"
TOKEN = "bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def main():
    port, count, threads, authorities, path = sys.argv[1:]
    context = ssl.create_default_context(cafile=None if authorities == "system" else authorities)
    with open(path, "rb") as file:
        octets = file.read()
    numbers = iter(range(int(count)))
    lock, failures = threading.Lock(), []

    def work():
        try:
            with smtplib.SMTP_SSL("localhost", int(port), context=context) as server:
                server.ehlo()
                server.auth("XOAUTH2", lambda _=None: f"user={SENDER}\x01auth=Bearer {TOKEN}\x01\x01")
                while True:
                    with lock:
                        if next(numbers, None) is None:
                            return
                    server.sendmail(SENDER, [RECIPIENT], octets)
        except Exception as error:
            failures.append(error)

    team = [threading.Thread(target=work) for _ in range(int(threads) - 1)]
    for thread in team:
        thread.start()
    work()
    for thread in team:
        thread.join()
    if failures:
        sys.exit(f"{failures[0]!r}")


main()
