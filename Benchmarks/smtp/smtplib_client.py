"""Python's smtplib with kept connections: smtplib_client.py PORT AUTHORITY.pem MAIL.eml COUNT THREADS"""
import itertools
import json
import os
import smtplib
import ssl
import sys
import threading
import time

port, authority, mail, total, threads = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], "rb").read(), int(sys.argv[4]), int(sys.argv[5])
numbers, sent = itertools.count(), []


def work():
    server = smtplib.SMTP_SSL("127.0.0.1", port, context=ssl.create_default_context(cafile=authority))
    server.ehlo()
    response = f"user={os.environ['PABAL_BENCH_USER']}\1auth=Bearer {os.environ['PABAL_BENCH_TOKEN']}\1\1"
    server.auth("XOAUTH2", lambda challenge=None: response)
    while next(numbers) < total:
        server.sendmail("sender@example.com", ["user@example.net"], mail)
        sent.append(1)
    server.quit()


start = time.monotonic()
team = [threading.Thread(target=work) for _ in range(threads)]
for one in team:
    one.start()
for one in team:
    one.join()
seconds = time.monotonic() - start
print(json.dumps({"sent": len(sent), "other": total - len(sent), "seconds": seconds, "rate": len(sent) / seconds}))
