"""A certificate authority of the benchmarks and the certificate it issues for the sink."""

import subprocess

HOST_FIELDS = """subjectAltName=DNS:localhost,IP:127.0.0.1
basicConstraints=CA:FALSE
extendedKeyUsage=serverAuth
"""


class Authority:
    """Created with openssl in `folder`, unless one exists that is valid for another day."""

    def __init__(self, folder):
        self.certificate, self.key, self.chain = folder / "ca.pem", folder / "host.key", folder / "chain.pem"
        fresh = ["openssl", "x509", "-checkend", "86400", "-noout", "-in", self.certificate]
        if self.chain.exists() and subprocess.run(fresh, stdout=subprocess.DEVNULL).returncode == 0:
            return
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "host.fields").write_text(HOST_FIELDS)
        openssl = lambda *arguments: subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        for name in ("ca", "host"):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        openssl("req", "-x509", "-new", "-key", "ca.key", "-days", "30", "-subj", "/CN=Pabal bench authority",
                "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", "ca.pem")
        openssl("req", "-new", "-key", "host.key", "-subj", "/CN=localhost", "-out", "host.request")
        openssl("x509", "-req", "-in", "host.request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", "host.fields", "-out", "host.pem")
        self.chain.write_bytes((folder / "host.pem").read_bytes() + self.certificate.read_bytes())
