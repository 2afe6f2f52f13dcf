"""The system's trust store plus the benchmark's certificate authority."""

import pathlib
import shutil
import subprocess

SYSTEM = pathlib.Path("/etc/ssl/certs")
BUNDLE = "ca-certificates.crt"


class SystemStore:
    """A copy of the store, mounted over the original for one command, so that each program uses its own default.

    `command_prefix` is the command that mounts it, visible only to that command and its children.
    """

    def __init__(self, folder, authority):
        self.bundle = SYSTEM / BUNDLE
        self.unavailable_reason = None
        self.command_prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                       f'mount --bind "{folder}" {SYSTEM} && exec "$@"', "sh"]
        if not self.bundle.exists():
            self.unavailable_reason = f"{self.bundle} is missing; install ca-certificates"
            return
        shutil.copytree(SYSTEM, folder, symlinks=True)
        with open(folder / BUNDLE, "ab") as bundle:
            bundle.write(authority.certificate.read_bytes())
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", authority.certificate],
                              capture_output=True, text=True, check=True).stdout.strip()
        shutil.copy(authority.certificate, folder / f"{name}.0")
        attempt = subprocess.run([*self.command_prefix, "true"], capture_output=True, text=True)
        if attempt.returncode != 0:
            self.unavailable_reason = f"private mounts are not permitted ({attempt.stderr.strip()})"
