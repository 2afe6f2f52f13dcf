"""Mails submitted by SMTP and sendmail to Pabal and to Postfix, which relay them meanwhile; memory of open sessions."""

import pathlib
import shutil
import sys
import tempfile

from harness.candidate import Candidate
from harness.comparison import Comparison


def comparisons(workspace):
    # On a disk: /tmp may be in memory.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="submission-", dir=workspace.release.parent))
    folder.chmod(0o755)
    workspace.cleanup_steps.append(lambda: shutil.rmtree(folder))
    authority = workspace.authority()

    def figures(name, script, *arguments):
        inside = folder / script
        command = " ".join(map(str, [sys.executable, workspace.baselines / f"{script}.py", workspace.release, inside,
                                     *arguments]))
        return Candidate(name, ["sh", "-c", f"rm -rf {inside} && mkdir {inside} && exec {command}"], reports_figures=True)

    missing = [program for program in ("postfix", "smtp-source", "smtp-sink") if not shutil.which(program)]
    if missing:
        print(f"submission: left out, because {', '.join(missing)} isn't installed", file=sys.stderr)
        return
    for name, candidate in (
        ("submission", figures("smtp-source", "submission_rates", workspace.rounds or 5)),
        ("submission idle", figures("1,000 sessions", "submission_idle", authority.chain, authority.key)),
        ("submission sendmail", figures("a mail per process", "submission_sendmail")),
    ):
        yield Comparison(name, [candidate], rounds=1, warm_up=False)
