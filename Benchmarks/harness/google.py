"""Google's own Python client, in the environment that the tests have it in."""

import subprocess

ENVIRONMENT = "Tests/python-environment"


def google_python():
    """The interpreter that has it, or None and why there is none."""
    installed = subprocess.run([ENVIRONMENT], capture_output=True, text=True)
    if installed.returncode == 0:
        return installed.stdout.strip(), None
    reasons = installed.stderr.strip().splitlines() or ["no reason given"]
    return None, f"{ENVIRONMENT} could not install it: {reasons[-1]}"
