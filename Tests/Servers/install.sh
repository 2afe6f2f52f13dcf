#!/bin/bash
# Installs the mail servers that the SMTP tests start on loopback; for root on Debian 12, in CI.
# Debian allows one installed mail server, so Exim is only unpacked, into .build-servers of the checkout; so is fail2ban,
# whose installation would begin to ban.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export DEBIAN_FRONTEND=noninteractive
packages="postfix dovecot-core dovecot-submissiond dovecot-imapd openssl python3"
if ! dpkg -s $packages >/dev/null 2>&1; then
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  apt-get install -y -q --no-install-recommends $packages
fi
# Needs a mail server, so it comes after Postfix: apt would otherwise choose Exim.
dpkg -s bsd-mailx cron >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends bsd-mailx cron
unpack() {
  local work
  work=$(mktemp -d)
  (cd "$work" && apt-get download -q "$1")
  dpkg-deb -x "$work/$1"*.deb "$root/.build-servers"
  rm -r "$work"
}
if [ ! -x "$root/.build-servers/usr/sbin/exim4" ]; then
  apt-get install -y -q --no-install-recommends libdb5.3 libgnutls-dane0 libidn12 libnsl2 libpcre2-8-0
  unpack exim4-daemon-light
fi
[ -x "$root/.build-servers/usr/bin/fail2ban-regex" ] || unpack fail2ban
# Without a cluster of its own, which the package would create and start.
if ! dpkg -s postgresql-15 >/dev/null 2>&1; then
  apt-get install -y -q --no-install-recommends postgresql-common
  echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
  apt-get install -y -q --no-install-recommends postgresql-15
fi
# Only unpacked, because the package would start it.
if [ ! -x "$root/.build-servers/usr/sbin/pgbouncer" ]; then
  apt-get install -y -q --no-install-recommends libevent-2.1-7 libc-ares2
  unpack pgbouncer
fi
# Exim looks up its user at start, regardless of its configuration.
getent passwd Debian-exim >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim
