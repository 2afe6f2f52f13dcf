"""Mails to Microsoft Graph over TLS on kept connections, at most four at once as Graph allows."""

from harness.candidate import Candidate
from harness.workspace import RECIPIENT, SENDER, TOKEN
from harness.comparison import Comparison


def comparisons(workspace, in_flight=4, count=30_000):
    sink = workspace.sink()
    authorities = workspace.authority().certificate
    config = workspace.config("graph", "Benchmarks/messages", endpoint=f"https://localhost:{sink.https}",
                              account="bench", ca_file=str(authorities), parallel=in_flight)
    mail = workspace.mail(config)
    core = workspace.client_core
    arguments = [sink.https, count, in_flight, authorities, mail]
    send = [workspace.pabal, "send", RECIPIENT, "--config", config, "--count", count, "--parallel", in_flight, "--json"]
    bare_libcurl = lambda label, mode: Candidate(
        f"libcurl {label}", [workspace.tools / "curl_rest", *arguments, mode, "graph"], units=count, core=core)
    candidates = [
        Candidate("pabal send --count --eml", [*send, "--eml", mail], units=count, core=core, reports_figures=True),
        Candidate("pabal send --count, composing", send, units=count, core=core, reports_figures=True),
        Candidate("the plugin alone", [
            workspace.tools / "plugin_driver", workspace.release / "libpabal-graph.so", mail, count, in_flight,
            "account=bench", f"endpoint=https://localhost:{sink.https}", f"ca_file={authorities}",
            f"parallel={in_flight}"],
            units=count, core=core, environment={"PABAL_BENCH_TOKEN": TOKEN, "PABAL_BENCH_USER": SENDER}),
        bare_libcurl("HTTP/1.1, a thread each", "threads"),
        bare_libcurl("HTTP/1.1, one thread", "multi"),
    ]
    yield Comparison("graph 4", candidates, workspace.rounds or 7, "libcurl", sink, notes=[
        f"graph 4: the mail has {mail.stat().st_size:,} bytes; libcurl sends it encoded beforehand, Pabal encodes each"])
