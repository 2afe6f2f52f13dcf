#!/usr/bin/env bash
# Makes the root file system of the container image from PABAL.deb and runs it as an engine would: as another user, with a
# read-only root, /data as the only place to write, without capabilities; for root on Debian 12.
# container.sh PABAL.deb [MEGABYTES]: the root file system may have at most MEGABYTES.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
root=$work/root
server=
stop() {
  status=$?
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  for place in data proc ''; do mountpoint -q "$root/$place" && umount -l "$root/$place"; done
  rm -rf "$work"
  exit $status
}
trap stop EXIT
fail() { echo "FAILED: $1"; exit 1; }

"$here/../../Packaging/container/assemble" "$1" "$root"
size=$(du -sm --apparent-size "$root" | cut -f1)
echo "size: $size MB"
[ -z "${2-}" ] || [ "$size" -le "$2" ] || fail "more than $2 MB"
! find "$root" -type f -perm /111 \( -name '*sh' -o -name busybox -o -name perl -o -name 'python*' \) | grep . || fail 'it has a shell'
! find "$root" -perm /6000 ! -type d | grep . || fail 'it has set-id programs'
echo 'ok: neither a shell nor set-id programs'
python3 - "$root" <<'END'
import json, pathlib, subprocess, sys
root = pathlib.Path(sys.argv[1])
bill = json.loads((root / "usr/share/sbom/pabal.spdx.json").read_text())
names = {entry["name"] for entry in bill["packages"]}
assert {"pabal", "libc6", "libcurl4", "libsqlite3-0", "ca-certificates"} <= names, names
for path in root.rglob("*.so*"):
    if path.is_file() and "pabal" not in path.parts[-2]:
        found = "/" + str(path.relative_to(root))
        owner = subprocess.run(["dpkg-query", "-S", str(pathlib.Path(found).resolve())], capture_output=True, text=True)
        if owner.returncode:
            owner = subprocess.run(["dpkg-query", "-S", str(pathlib.Path(found).resolve()).removeprefix("/usr")], capture_output=True, text=True)
        assert owner.stdout.split(":")[0] in names, (found, owner.stdout)
END
echo 'ok: the bill of materials has every library'

mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o uid=65532,gid=65532,mode=700 tmpfs "$root/data"
mount -t proc -o ro proc "$root/proc"
# The program has no capability, because it is another user than root.
inside() { chroot --userspec=65532:65532 --groups= "$root" "$@"; }

inside /usr/bin/pabal send you@example.com --json >"$work/sent" || fail 'pabal send'
grep -q '"outcome" : "sent"' "$work/sent" || fail "sent: $(cat "$work/sent")"
grep -q '^To: you@example.com' "$root"/data/mail/*.eml || fail 'the mail is not in /data'
echo 'ok: a mail is sent by the file transport'
sed 's/^  "keys".*/&,\n  "serve": { "listen": "127.0.0.1:0", "keyless": true }/' "$root/etc/pabal/config.json" >"$root/data/config.json"
chown 65532:65532 "$root/data/config.json"
(exec chroot --userspec=65532:65532 --groups= "$root" /usr/bin/pabal serve --json --config /data/config.json) \
  >"$work/log" 2>&1 &
server=$!
for _ in $(seq 300); do grep -q '"listening"' "$work/log" && break; kill -0 $server || fail "serve: $(cat "$work/log")"; sleep 0.1; done
port=$(sed -n 's/.*"listening".*"port":"\([0-9]*\)".*/\1/p' "$work/log" | head -1)
[ -n "$port" ] || fail "no port: $(cat "$work/log")"
curl -sS --fail "http://127.0.0.1:$port/readyz" >/dev/null || fail '/readyz'
curl -sS --fail "http://127.0.0.1:$port/v1/verifications" -H 'content-type: application/json' \
  -d '{"to":"kim@example.com"}' >/dev/null || fail 'a verification'
# It is sent after the answer.
for _ in $(seq 300); do grep -q '^To: kim@example.com' "$root"/data/mail/*.eml && break; sleep 0.1; done
grep -q '^To: kim@example.com' "$root"/data/mail/*.eml || fail "the code is not in /data: $(cat "$work/log")"
echo 'ok: the service is ready and verifies an address'
kill -TERM $server
wait $server || fail "SIGTERM: status $?"
server=
echo 'ok: SIGTERM ends it'
! inside /usr/bin/pabal send you@example.com --config /data/config.json --transport nowhere >"$work/wrong" 2>&1 || fail 'a wrong transport'
[ -z "$(find "$root" -xdev -newer "$work/sent" -type f | head -1)" ] || fail 'something was written outside /data'
echo 'all is well'
