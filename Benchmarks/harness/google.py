"""Google's own Python client, from the Python environment of the tests."""

import subprocess

ENVIRONMENT = "Tests/python-environment"


def google_python():
    """The interpreter that has it, or None and the reason."""
    installed = subprocess.run([ENVIRONMENT], capture_output=True, text=True)
    if installed.returncode == 0:
        return installed.stdout.strip(), None
    reasons = installed.stderr.strip().splitlines() or ["no reason given"]
    return None, f"{ENVIRONMENT} could not install it: {reasons[-1]}"
