#!/usr/bin/env python3
"""Signs mails and verifies their signatures with dkimpy, an implementation of DKIM (RFC 6376) of its own.

Reads a list of objects from standard input. With `sign`, `mail` gets a signature for each element of `signatures`
(`domain`, and `fields`, the names it covers). With `verify`, the result is the domains of its valid signatures and those of
the others. Prints a list. The key is in the file `dkim.key`; its public part stands in for DNS.
"""
import base64, json, subprocess, sys
import dkim

with open("dkim.key", "rb") as file:
    key = file.read()
public = base64.b64encode(
    subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=key, check=True, capture_output=True).stdout)


def lookup(name, timeout=5):
    return b"v=DKIM1; k=rsa; p=" + public


def sign(case):
    mail = case["mail"].encode()
    for signature in case["signatures"]:
        signer = dkim.DKIM(mail)
        # Some signers cover fields that this one warns of, such as Bcc.
        signer.should_not_sign = set()
        header = signer.sign(
            b"test", signature["domain"].encode(), key, canonicalize=(b"simple", b"simple"),
            include_headers=[name.encode() for name in signature["fields"]])
        mail = header + mail
    return mail.decode()


def verify(case):
    mail = dkim.DKIM(case["mail"].encode())
    count = sum(1 for name, _ in mail.headers if name.lower() == b"dkim-signature")
    valid, others = [], []
    for index in range(count):
        verifier = dkim.DKIM(case["mail"].encode())
        try:
            is_valid = verifier.verify(idx=index, dnsfunc=lookup)
        except dkim.DKIMException:
            is_valid = False
        (valid if is_valid else others).append(verifier.domain.decode())
    return {"valid": valid, "others": others}


print(json.dumps([{"sign": sign, "verify": verify}[sys.argv[1]](case) for case in json.load(sys.stdin)]))
