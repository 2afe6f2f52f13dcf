"""postgresql.py BENCH-OUTBOX ROUNDS [SECONDS]: starts a PostgreSQL server whose commits wait for the disk, measures nodes of Pabal and
pgbench on it in turns, and prints the medians and ratios as JSON."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

bench, rounds = sys.argv[1], int(sys.argv[2])
seconds = sys.argv[3] if len(sys.argv) > 3 else "4"
root = pathlib.Path(__file__).parent.parent.parent
# On a disk: /tmp may be in memory.
folder = pathlib.Path(tempfile.mkdtemp(prefix="postgresql-", dir=root / ".build-bench"))
folder.chmod(0o755)
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                folder / "certificate.pem", "-subj", "/CN=localhost", "-days", "1"], check=True, capture_output=True)
(folder / "server").mkdir()
server = subprocess.Popen(["bash", root / "Tests/Servers/postgresql.sh", folder / "server", folder / "certificate.pem",
                           folder / "key.pem"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "DURABLE": "1"})
values = {}
for line in server.stdout:
    if line == "READY\n":
        break
    name, _, value = line.strip().partition("=")
    values[name] = value
address = ["-h", values["socket"], "-p", values["port"], "-U", "postgres"]
parameters = f"host={values['socket']} port={values['port']} user=postgres dbname=bench"


def sql(text, database="bench"):
    return subprocess.run(["psql", "-XqAt", *address, "-d", database, "-c", text], check=True, capture_output=True,
                          text=True).stdout.strip()


def pgbench(clients):
    script = folder / "insert.sql"
    script.write_text("INSERT INTO single (text) VALUES ('" + "x" * 200 + "');\n")
    output = subprocess.run(["/usr/lib/postgresql/15/bin/pgbench", *address, "-n", "-f", script, "-c", str(clients), "-j", "2",
                             "-T", seconds, "-M", "prepared", "bench"], check=True, capture_output=True, text=True).stdout
    return next(float(line.split()[2]) for line in output.splitlines() if line.startswith("tps"))


def nodes(kind, count, *more):
    processes = [subprocess.Popen([bench, "postgresql", kind, parameters, str(64 // count), seconds, *more],
                                  stdout=subprocess.PIPE, text=True) for _ in range(count)]
    figures = [json.loads(process.communicate()[0]) for process in processes]
    return figures[0] if kind == "latency" else sum(figure["a_second"] for figure in figures)


def costs(work):
    """The rate, and commits and bytes of the write-ahead log for each unit."""
    select = "SELECT xact_commit, pg_current_wal_lsn() - '0/0' FROM pg_stat_database WHERE datname = 'bench'"
    commits, wal = map(int, sql(select).split("|"))
    rate = work()
    after_commits, after_wal = map(int, sql(select).split("|"))
    units = rate * float(seconds)
    return rate, (after_commits - commits) / units, (after_wal - wal) / units


try:
    sql("CREATE DATABASE bench", "postgres")
    sql("CREATE TABLE single (number BIGSERIAL PRIMARY KEY, text TEXT)")
    runs = []
    for _ in range(rounds):
        run = {"pgbench_64": pgbench(64), "pgbench_1": pgbench(1)}
        run["adds"], run["commits_an_add"], run["wal_an_add"] = costs(lambda: nodes("adds", 1))
        run["adds_two_nodes"] = nodes("adds", 2)
        run["starts"], run["commits_a_start"], run["wal_a_start"] = costs(lambda: nodes("starts", 1))
        run["starts_two_nodes"] = nodes("starts", 2)
        sql("TRUNCATE pabal.mail, pabal.mail_content")
        run["sent"] = nodes("sent", 1)
        latency = nodes("latency", 1, str(max(run["sent"] / 2, 1)))
        run["half_load_median_ms"], run["half_load_p99_ms"] = latency["median_ms"], latency["p99_ms"]
        for name in ("adds", "starts", "sent"):
            run[f"{name}_times_pgbench"] = run[name] / run["pgbench_64"]
        for name in ("adds", "starts"):
            run[f"{name}_two_nodes_times_one"] = run[f"{name}_two_nodes"] / run[name]
        runs.append(run)
    print(json.dumps({name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}))
finally:
    server.stdin.close()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)
