#!/bin/bash
# Starts PostgreSQL 15 with PgBouncer in front of it in a directory, prints NAME=VALUE lines and READY, and stops both when its
# input ends.
#
#   postgresql.sh DIRECTORY CERTIFICATE KEY
#
# A superuser `postgres` without a password on the Unix sockets (`socket`: PostgreSQL's, `pooled`: PgBouncer's, in transaction
# mode), and a user `pabal` with the password `horse battery` on 127.0.0.1:`port`, with TLS. Commits aren't synced to the disk
# unless DURABLE is set in the environment. As root, the servers run as the user postgres. The input may have lines:
#   restart immediate|fast    stops the server that way and starts it again; prints RESTARTED
#   stop | start              prints STOPPED, STARTED
set -euo pipefail
run=$(cd "$1" && pwd) certificate=$2 key=$3
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=/usr/lib/postgresql/15/bin
pooler=$root/.build-servers/usr/sbin/pgbouncer
as=()
mkdir -p "$run"/{socket,pooled}
cp "$certificate" "$run/certificate.pem"
cp "$key" "$run/key.pem"
chmod 600 "$run/key.pem"
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --init-groups)
  chown -R postgres "$run"
fi
port=$(python3 - <<'P'
# Below the ephemeral range, so that another test cannot take the port before the server does.
import random, socket
while True:
    port = random.randrange(12_000, 30_000)
    try:
        with socket.socket() as one: one.bind(("127.0.0.1", port))
        print(port)
        break
    except OSError: pass
P
)
pooler_pid=
stop() {
  [ -z "$pooler_pid" ] || kill "$pooler_pid" 2>/dev/null || true
  "${as[@]}" $bin/pg_ctl -D "$run/data" -m immediate stop >/dev/null 2>&1 || true
}
trap 'stop; rm -rf "$run"' EXIT
start() { (cd "$run" && "${as[@]}" $bin/pg_ctl -D "$run/data" -l "$run/log" -w start) >/dev/null || { cat "$run/log" >&2; exit 1; }; }

(cd "$run" && "${as[@]}" $bin/initdb -D "$run/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) >/dev/null
cat >>"$run/data/postgresql.conf" <<C
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$run/socket'
max_connections = 400
shared_buffers = 64MB
fsync = $([ -n "${DURABLE-}" ] && echo on || echo off)
ssl = on
ssl_cert_file = '$run/certificate.pem'
ssl_key_file = '$run/key.pem'
log_min_messages = fatal
C
cat >"$run/data/pg_hba.conf" <<C
local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
C
start
psql -q -h "$run/socket" -p "$port" -U postgres -c "CREATE ROLE pabal LOGIN CREATEDB PASSWORD 'horse battery'"

if [ -x "$pooler" ]; then
  cat >"$run/pgbouncer.ini" <<C
[databases]
* = host=$run/socket port=$port user=postgres
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $run/pooled
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 400
logfile = $run/pgbouncer.log
C
  # It refuses to run as root.
  "${as[@]}" "$pooler" -q "$run/pgbouncer.ini" >/dev/null 2>&1 </dev/null &
  pooler_pid=$!
  for _ in $(seq 100); do [ -S "$run/pooled/.s.PGSQL.$port" ] && break; sleep 0.1; done
  echo "pooled=$run/pooled"
fi
echo "socket=$run/socket"
echo "port=$port"
echo READY
while read -r command way; do
  case $command in
  restart)
    "${as[@]}" $bin/pg_ctl -D "$run/data" -m "$way" -w stop >/dev/null
    start
    echo RESTARTED
    ;;
  stop)
    "${as[@]}" $bin/pg_ctl -D "$run/data" -m fast -w stop >/dev/null
    echo STOPPED
    ;;
  start)
    start
    echo STARTED
    ;;
  esac
done
