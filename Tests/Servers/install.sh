#!/bin/bash
# Installs the mail servers that the SMTP tests start on loopback; for root on Debian 12, in CI.
# Debian allows one installed mail server, so Exim is only unpacked, into .build-servers of the checkout.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export DEBIAN_FRONTEND=noninteractive
packages="postfix dovecot-core dovecot-submissiond openssl python3"
if ! dpkg -s $packages >/dev/null 2>&1; then
  echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
  apt-get install -y -q --no-install-recommends $packages
fi
# Needs a mail server, so it comes after Postfix: apt would otherwise choose Exim.
dpkg -s bsd-mailx cron >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends bsd-mailx cron
if [ ! -x "$root/.build-servers/usr/sbin/exim4" ]; then
  apt-get install -y -q --no-install-recommends libdb5.3 libgnutls-dane0 libidn12 libnsl2 libpcre2-8-0
  work=$(mktemp -d)
  (cd "$work" && apt-get download -q exim4-daemon-light)
  dpkg-deb -x "$work"/exim4-daemon-light*.deb "$root/.build-servers"
  rm -r "$work"
fi
# Exim looks up its user at start, regardless of its configuration.
getent passwd Debian-exim >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim
