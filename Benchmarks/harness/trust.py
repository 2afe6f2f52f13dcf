"""The system's trust store as it is, with the bench's authority among the others."""

import pathlib
import shutil
import subprocess

SYSTEM = pathlib.Path("/etc/ssl/certs")
BUNDLE = "ca-certificates.crt"


class SystemStore:
    """A copy of the store that a command sees in the original's place, so that each uses its own default rule.

    `around` are the words that put it there: a mount that only this command and its children see.
    """

    def __init__(self, folder, authority):
        self.bundle = SYSTEM / BUNDLE
        self.why_not = None
        self.around = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                       f'mount --bind "{folder}" {SYSTEM} && exec "$@"', "sh"]
        if not self.bundle.exists():
            self.why_not = f"there is no {self.bundle}; install ca-certificates"
            return
        shutil.copytree(SYSTEM, folder, symlinks=True)
        with open(folder / BUNDLE, "ab") as bundle:
            bundle.write(authority.certificate.read_bytes())
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", authority.certificate],
                              capture_output=True, text=True, check=True).stdout.strip()
        shutil.copy(authority.certificate, folder / f"{name}.0")
        tried = subprocess.run([*self.around, "true"], capture_output=True, text=True)
        if tried.returncode != 0:
            self.why_not = f"a mount of its own is not allowed here ({tried.stderr.strip()})"
