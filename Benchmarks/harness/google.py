"""Google's own Python client, in an environment of its own."""

import pathlib
import subprocess

INSTALL = "Tests/Servers/google"
PYTHON = ".build-google/bin/python"


def google_python():
    """The interpreter that has it, or None and why there is none."""
    installed = subprocess.run([INSTALL], capture_output=True, text=True)
    if installed.returncode == 0:
        return str(pathlib.Path(PYTHON).absolute()), None
    reasons = installed.stderr.strip().splitlines() or ["no reason given"]
    return None, f"{INSTALL} could not install it: {reasons[-1]}"
