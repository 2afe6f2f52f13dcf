#!/usr/bin/env bash
# Installs the Debian packages of a directory in a fresh Debian 12 without Swift, uses them, and removes them; for root.
# chroot.sh DIRECTORY [BASE.tar]: the base system is made by mmdebstrap unless a tar file of one is given.
set -euo pipefail
packages=$(realpath "$1")
root=$(mktemp -d)
stop() {
  status=$?
  for place in dev/pts proc; do mountpoint -q "$root/$place" && umount "$root/$place"; done
  rm -rf "$root"
  exit $status
}
trap stop EXIT
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
expect() { # WHAT COMMAND …
  local what=$1
  shift
  "$@" >"$root/tmp/output" 2>&1 || { echo "FAILED: $what"; sed 's/^/  /' "$root/tmp/output"; exit 1; }
  echo "ok: $what"
}
refuse() { # WHAT COMMAND …
  local what=$1
  shift
  if "$@" >"$root/tmp/output" 2>&1; then echo "FAILED: $what"; exit 1; fi
  echo "ok: $what"
}

if [ -n "${2-}" ]; then
  tar -C "$root" -xf "$2"
else
  mmdebstrap --quiet --variant=minbase bookworm "$root" http://deb.debian.org/debian
fi
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/pts"
mount -t devpts devpts "$root/dev/pts"
[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
mkdir "$root/packages"
cp "$packages"/pabal_*.deb "$packages"/pabal-mta_*.deb "$root/packages/"
inside apt-get update -qq
cat >"$root/tmp/as-user" <<'END'
exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
END

began=$SECONDS
expect 'apt installs pabal with everything it needs' inside sh -c 'apt-get install -y -qq /packages/pabal_*.deb'
expect 'the first mail is sent by the file transport' inside pabal send you@example.com
expect 'the mail is in the directory of the configuration' inside sh -c 'grep -q "^To: you@example.com" /var/lib/pabal/mail/*.eml'
echo "seconds from apt to the first mail: $((SECONDS - began))"
refuse 'Swift is not installed' inside sh -c 'command -v swift'
expect 'pabal check finds nothing wrong' inside pabal check
expect 'a file of the site takes the place of one message in one language' inside sh -c '
  mkdir -p /etc/pabal/messages/verification
  printf "Subject: Ours\n\n\`{{code}}\`\n\n{{service}} {{valid_for}}\n" >/etc/pabal/messages/verification/en.md
  pabal messages render verification --language en | grep -q "^Subject: Ours"
  pabal messages render verification --language ko | grep -q "^Subject: .*인증번호"'
expect 'the key and the database belong to the user of the service' \
  inside sh -c '[ "$(stat -c "%U %a" /var/lib/pabal/keys/current.key /var/lib/pabal/pabal.sqlite | sort -u)" = "pabal 600" ]'
expect 'the completions are installed' inside bash -c '. /usr/share/bash-completion/completions/pabal && complete -p pabal'
expect 'every plugin can be loaded' inside sh -c '[ "$(pabal transports | grep -c -E "^ *(console|file|gmail|graph|smtp)\b")" -ge 5 ]'
expect 'the service starts, and ends at SIGTERM' inside sh -c '
  pabal verify start kim@example.com
  setpriv --reuid=pabal --regid=pabal --clear-groups pabal serve --config /etc/pabal/config.json 2>/tmp/serve.log &
  for attempt in $(seq 300); do grep -q " listening " /tmp/serve.log && break; kill -0 $! || exit 1; sleep 0.1; done
  kill $! && wait $! && grep -q " listening " /tmp/serve.log && grep -l "^To: kim@example.com" /var/lib/pabal/mail/*.eml'

expect 'apt installs pabal-mta' inside sh -c 'apt-get install -y -qq /packages/pabal-mta_*.deb'
expect 'any user can hand over a mail while the service is down' inside sh /tmp/as-user \
  sh -c 'printf "Subject: Hello\n\nHello.\n" | /usr/lib/sendmail you@example.com'
expect 'it waits in the drop directory' inside sh -c '[ "$(ls /var/spool/pabal/drop | grep -vc "^limits\$")" = 1 ]'
refuse 'another user does not see it' inside sh /tmp/as-user ls /var/spool/pabal/drop
expect 'the service delivers it' inside sh -c '
  setpriv --reuid=pabal --regid=pabal --clear-groups pabal serve --config /etc/pabal/config.json 2>/tmp/serve2.log &
  for attempt in $(seq 200); do grep -q "^Subject: Hello" /var/lib/pabal/mail/*.eml && break; sleep 0.1; done
  kill $! && wait $!
  [ "$(ls /var/spool/pabal/drop | grep -vc "^limits\$")" = 0 ] && grep -q "^Subject: Hello" /var/lib/pabal/mail/*.eml'
expect 'another mail transport agent takes its place' inside apt-get install -y -qq --no-install-recommends nullmailer
expect 'pabal stays' inside pabal --version

inside sh -c 'cp /var/lib/pabal/keys/current.key /tmp/key; echo >>/etc/pabal/config.json'
expect 'apt removes pabal' inside apt-get remove -y -qq pabal
refuse 'its program is gone' inside test -e /usr/bin/pabal
expect 'the key, the database and the edited configuration stay' \
  inside sh -c 'cmp /tmp/key /var/lib/pabal/keys/current.key && test -s /var/lib/pabal/pabal.sqlite && test -s /etc/pabal/config.json'
expect 'apt installs it again with them' inside sh -c 'apt-get install -y -qq -o Dpkg::Options::=--force-confold /packages/pabal_*.deb && cmp /tmp/key /var/lib/pabal/keys/current.key'
expect 'purge asks, and keeps the state if that is the answer' inside sh -c '
  echo "pabal pabal/purge boolean false" | debconf-set-selections
  apt-get purge -y -qq pabal && cmp /tmp/key /var/lib/pabal/keys/current.key && test ! -e /etc/pabal/config.json'
expect 'apt installs it once more' inside sh -c 'apt-get install -y -qq /packages/pabal_*.deb'
expect 'purge removes keys and state together' inside sh -c '
  apt-get purge -y -qq pabal && test ! -e /var/lib/pabal && test ! -e /var/spool/pabal && test ! -e /etc/pabal/config.json'
expect 'the messages of the site stay' inside test -s /etc/pabal/messages/verification/en.md
echo 'all is well'
