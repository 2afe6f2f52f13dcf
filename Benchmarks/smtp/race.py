#!/usr/bin/env python3
"""Races the SMTP transport, through its real plug-in boundary, against libcurl's own upload and smtplib.

race.py LIBPABAL-SMTP.so [--rounds N] [--work DIRECTORY] [--json FILE]

The contenders take turns in one run, over TLS on loopback; the sink has a core of its own. Ratios are of neighbours,
medians over the rounds. Needs clang or gcc, libcurl4-openssl-dev, libssl-dev and openssl.
"""
import argparse
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENT = {**os.environ, "PABAL_BENCH_USER": "sender@example.com", "PABAL_BENCH_TOKEN": "ya29.bench-" + "0123456789" * 6}


def build(work):
    compiler = shutil.which("clang") or "gcc"
    flags = [compiler, "-O2", "-Wall", "-Wextra", "-Werror"]
    for name, more in {
        "sink": ["-lssl", "-lcrypto"], "upload": ["-lcurl", "-lpthread"],
        "drive": [f"-I{ROOT}/Sources/CPabalTransport/include", "-ldl", "-lpthread"],
    }.items():
        subprocess.run([*flags, "-o", work / name, HERE / f"{name}.c", *more], check=True)


def certificates(work):
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (work / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    for command in (
        ["req", "-x509", *curve, "-days", "30", "-subj", "/CN=bench", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *curve, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"],
        ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
         "-extfile", "extensions", "-out", "leaf.pem"],
    ):
        subprocess.run(["openssl", *command], cwd=work, check=True, capture_output=True)
    (work / "chain.pem").write_text((work / "leaf.pem").read_text() + (work / "ca.pem").read_text())


def write_mail(work):
    """Two kilobytes: a Korean verification mail, text and HTML in base64."""
    lines = ["From: =?utf-8?b?7YyM67Cc?= <sender@example.com>", "To: user@example.net",
             "Subject: =?utf-8?b?7ZqM7JuQ6rCA7J6FIOyduOymneuyiO2YuA==?=", "Message-ID: <482913@pabal.example>",
             "Date: Mon, 23 Nov 2026 04:30:00 +0900", "MIME-Version: 1.0",
             "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: base64", ""]
    lines += ["7JWI64WV7ZWY7IS47JqULCDquYDtlZjripjri5guIO2ajOybkOqwgOyehSDsnbjspp3rsojtmLjripQg" [:76]] * 22
    (work / "mail.eml").write_bytes("\r\n".join(lines + [""]).encode())


def run(command, core):
    """Runs a client on its core: its own JSON, with its CPU seconds and peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.run(["taskset", "-c", core, *map(str, command)], env=ENVIRONMENT, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode:
        sys.exit(f"{command[0]} ended with {child.returncode}: {child.stderr}{child.stdout}")
    figures = json.loads(child.stdout)
    figures["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return figures


def race(work, plugin, connections, delay, rounds, count):
    cores = sorted(os.sched_getaffinity(0))
    sink = subprocess.Popen(
        ["taskset", "-c", str(cores[0]), str(work / "sink"), "0", str(work / "chain.pem"), str(work / "key.pem"), str(delay)],
        stdout=subprocess.PIPE, text=True)
    port = sink.stdout.readline().split()[1]
    rest = [port, work / "ca.pem", work / "mail.eml"]
    contenders = {
        "libcurl upload": lambda: [work / "upload", *rest, count, connections],
        "pabal-smtp": lambda: [work / "drive", plugin, work / "mail.eml", count, connections, "host=127.0.0.1",
                               f"port={port}", "account=bench", f"ca_file={work / 'ca.pem'}", f"parallel={connections}"],
        "python smtplib": lambda: ["python3", HERE / "smtplib_client.py", *rest, count, connections],
    }
    figures = {name: [] for name in contenders}
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
        for name in order:
            figures[name].append(run(contenders[name](), str(cores[-1])))
    sink.send_signal(signal.SIGTERM)
    sink_says = json.loads(sink.stdout.read())
    sink.wait()
    base = figures["libcurl upload"]
    rows = []
    for name, runs in figures.items():
        rows.append({
            "contender": name, "connections": connections, "round_trip_ms": delay,
            "rate": statistics.median(one["rate"] for one in runs),
            "cpu_ms": statistics.median(1000 * one["cpu"] / count for one in runs),
            "rate_ratio": statistics.median(one["rate"] / other["rate"] for one, other in zip(runs, base)),
            "cpu_ratio": statistics.median(one["cpu"] / other["cpu"] for one, other in zip(runs, base)),
            "rate_ratio_range": [f(one["rate"] / other["rate"] for one, other in zip(runs, base)) for f in (min, max)],
        })
    return rows, sink_says


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugin", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="pabal-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    build(work)
    certificates(work)
    write_mail(work)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, {options.rounds} rounds")
    print(f"{'conn':>4} {'RTT ms':>6}  {'contender':<16} {'mails/s':>9} {'CPU ms':>8} {'× rate':>7} {'(min–max)':>13} {'× CPU':>6}")
    everything = []
    for connections, delay, count in ((1, 0, 4_000), (8, 0, 16_000), (8, 25, 1_200)):
        rows, sink_says = race(work, options.plugin.resolve(), connections, delay, options.rounds, count)
        everything.append({"rows": rows, "sink": sink_says})
        for row in rows:
            low, high = row["rate_ratio_range"]
            print(f"{connections:>4} {delay:>6}  {row['contender']:<16} {row['rate']:>9,.0f} {row['cpu_ms']:>8.3f} "
                  f"{row['rate_ratio']:>7.2f} {f'{low:.2f}–{high:.2f}':>13} {row['cpu_ratio']:>6.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))
    if not options.work:
        shutil.rmtree(work)


main()
