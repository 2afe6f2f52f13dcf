#!/bin/bash
# Starts a real mail server on loopback, prints NAME=VALUE lines and READY, and stops it when its input ends.
#
#   mailserver.sh postfix|modest|dovecot|imap|exim DIRECTORY CERTIFICATE KEY
#
# postfix: Postfix, its logins verified by Dovecot (XOAUTH2, OAUTHBEARER, PLAIN); modest: the same without CHUNKING
# and PIPELINING; dovecot: Dovecot's submission server in front of smtp-sink; imap: Dovecot's IMAP server over a Maildir; exim: Exim with PLAIN and LOGIN.
# User alice@example.test, password app-password-1. With TOKENINFO=URL in the environment, the owner and validity of a
# token are looked up there, as at Google. Needs root and Tests/Servers/install.sh.
set -euo pipefail
kind=$1 run=$(cd "$2" && pwd) certificate=$3 key=$4
root=$(cd "$(dirname "$0")/../.." && pwd)
user=alice@example.test password=app-password-1 issuer=https://issuer.test
chmod 755 "$run"
read -r tls starttls sink < <(python3 - <<'P'
# Below the ephemeral range, so that another test cannot take the port before the server does.
import random, socket
ports = []
while len(ports) < 3:
    port = random.randrange(12_000, 30_000)
    try:
        with socket.socket() as one: one.bind(("127.0.0.1", port))
        ports.append(port)
    except OSError: pass
print(*ports)
P
)
pids=()
stop() {
  [ -d "$run/conf" ] && postfix -c "$run/conf" stop >/dev/null 2>&1 || true
  [ -s "$run/base/master.pid" ] && kill "$(cat "$run/base/master.pid")" 2>/dev/null || true
  for pid in "${pids[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null || true; done
}
trap 'stop; rm -rf "$run"' EXIT

base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
# A JWT as the identity provider would sign it: token SECONDS_TO_LIVE [PADDING]
token() {
  local now header payload pad
  now=$(date +%s)
  pad=$(head -c "${2:-0}" /dev/zero | tr '\0' x)
  header=$(printf '{"typ":"JWT","alg":"HS256"}' | base64url)
  payload=$(printf '{"iss":"%s","sub":"%s","email":"%s","scope":"https://mail.google.com/","iat":%d,"exp":%d,"pad":"%s"}' \
    "$issuer" "$user" "$user" $((now - 3700)) $((now + $1)) "$pad" | base64url)
  printf '%s.%s.%s' "$header" "$payload" "$(printf %s "$header.$payload" |
    openssl dgst -sha256 -mac HMAC -macopt hexkey:"$(od -An -v -tx1 "$run/hs256.key" | tr -d ' \n')" -binary | base64url)"
}

dovecot_auth() {
  mkdir -p "$run"/{base,state,keys/default/HS256}
  openssl rand 32 > "$run/hs256.key"
  base64 -w0 "$run/hs256.key" > "$run/keys/default/HS256/default"
  printf '%s:{PLAIN}%s\n' $user $password > "$run/passwd"
  local check="introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$run/keys/
issuers = $issuer"
  [ -z "${TOKENINFO:-}" ] || check="tokeninfo_url = $TOKENINFO?access_token="
  cat > "$run/oauth2.conf" <<C
$check
scope = https://mail.google.com/
username_attribute = email
active_attribute =
active_value =
C
  cat > "$run/dovecot.conf" <<C
base_dir = $run/base
state_dir = $run/state
log_path = $run/dovecot.log
auth_mechanisms = xoauth2 oauthbearer plain login
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $run/oauth2.conf
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = username_format=%u $run/passwd
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
C
}

# dovecot_service PROTOCOL: with a login, on the port with STARTTLS and the one with TLS.
dovecot_service() {
  dovecot_auth
  cat >> "$run/dovecot.conf" <<C
protocols = $1
listen = 127.0.0.1
hostname = localhost
first_valid_uid = 1
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <$certificate
ssl_key = <$key
disable_plaintext_auth = yes
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$run/home/%u
}
mail_location = maildir:~/Maildir
service $1-login {
  chroot =
  inet_listener $1 {
    address = 127.0.0.1
    port = $starttls
  }
  inet_listener ${1}s {
    address = 127.0.0.1
    port = $tls
    ssl = yes
  }
}
C
}

start_postfix() {
  mkdir -p "$run"/{conf,queue,data,mail}
  dovecot_auth
  cat >> "$run/dovecot.conf" <<C
protocols =
ssl = no
disable_plaintext_auth = no
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener $run/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
C
  cat > "$run/conf/main.cf" <<C
compatibility_level = 3.6
queue_directory = $run/queue
data_directory = $run/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $run/postfix.log
maillog_file_prefixes = $run
myhostname = localhost
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
local_header_rewrite_clients =
biff = no
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = regexp:{{/./ OK}}
virtual_mailbox_maps = regexp:{{/./ all/}}
virtual_mailbox_base = $run/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = error:5.7.1 no external mail from the test server
relay_transport = error:5.7.1 no external mail from the test server
message_size_limit = 36700160
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtputf8_enable = yes
smtpd_banner = localhost ESMTP
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_recipient_limit = 5
smtpd_client_connection_rate_limit = 0
smtpd_client_restrictions =
smtpd_helo_required = yes
smtpd_sender_login_maps = regexp:{{/^(.+)\$\$/ \$\$1}}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{{/^unknown@/ 550 5.1.1 no such user} {/^busy@/ 450 4.2.1 try later}}, permit_sasl_authenticated, reject
smtpd_tls_cert_file = $certificate
smtpd_tls_key_file = $key
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
smtpd_sasl_local_domain =
$([ "$kind" = modest ] && echo 'smtpd_discard_ehlo_keywords = chunking, pipelining')
C
  cat > "$run/conf/master.cf" <<C
127.0.0.1:$starttls inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:$tls inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
C
  chown nobody:nogroup "$run/mail"
  chown postfix "$run/data"
  chown root:root "$run/queue"
  postfix -c "$run/conf" start >"$run/start.log" 2>&1 || { cat "$run/start.log" >&2; exit 1; }
  dovecot -c "$run/dovecot.conf" >&2
  echo "mail=$run/mail/all/new"
}

start_imap() {
  mkdir -p "$run/home/$user/Maildir"/{new,cur,tmp} "$run/home/$user/Maildir/.&vBvHQA-"/{new,cur,tmp}
  dovecot_service imap
  chown -R nobody "$run/home"
  dovecot -c "$run/dovecot.conf" >&2
  echo "mail=$run/home/$user/Maildir"
}

start_dovecot() {
  mkdir -p "$run"/{home,sink}
  dovecot_service submission
  cat >> "$run/dovecot.conf" <<C
submission_max_mail_size = 36700160
submission_relay_host = 127.0.0.1
submission_relay_port = $sink
submission_relay_ssl = no
C
  chown nobody "$run/home" "$run/sink"
  smtp-sink -u nobody -d "$run/sink/%M." 127.0.0.1:"$sink" 100 >"$run/sink.log" 2>&1 </dev/null &
  pids+=($!)
  dovecot -c "$run/dovecot.conf" >&2
  echo "mail=$run/sink"
}

start_exim() {
  mkdir -p "$run"/{spool,mail,log}
  # Exim reads these files as its own user.
  cp "$certificate" "$run/certificate.pem"
  cp "$key" "$run/key.pem"
  chmod 644 "$run"/*.pem
  chown Debian-exim "$run"/{spool,mail,log}
  cat > "$run/exim.conf" <<C
exim_user = Debian-exim
exim_group = nogroup
exim_path = $root/.build-servers/usr/sbin/exim4
primary_hostname = localhost
spool_directory = $run/spool
log_file_path = $run/log/%s
pid_file_path = $run/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = $starttls : $tls
tls_on_connect_ports = $tls
tls_advertise_hosts = *
tls_certificate = $run/certificate.pem
tls_privatekey = $run/key.pem
message_size_limit = 36700160
pipelining_advertise_hosts = *
chunking_advertise_hosts = *
smtp_accept_max_per_connection = 3
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
never_users =
domainlist local = *
begin acl
acl_rcpt:
  deny message = no such user
       local_parts = unknown
  deny message = authentication required
       ! authenticated = *
  accept
acl_data:
  deny message = unwanted content
       condition = \${if match{\$h_X-Unwanted:}{yes}}
  accept
begin routers
all:
  driver = accept
  transport = deliver
begin transports
deliver:
  driver = appendfile
  directory = $run/mail
  maildir_format
  user = Debian-exim
  group = nogroup
  check_string =
  escape_string =
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{$user}}{eq{\$auth3}{$password}}}}
  server_set_id = \$auth2
  server_advertise_condition = \${if def:tls_in_cipher}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{\$auth1}{$user}}{eq{\$auth2}{$password}}}}
  server_set_id = \$auth1
  server_advertise_condition = \${if def:tls_in_cipher}
C
  "$root/.build-servers/usr/sbin/exim4" -C "$run/exim.conf" -bdf -q1h >"$run/exim.out" 2>&1 </dev/null &
  pids+=($!)
  echo "mail=$run/mail/new"
}

case $kind in
postfix | modest) start_postfix ;;
dovecot) start_dovecot ;;
imap) start_imap ;;
exim) start_exim ;;
esac
for _ in $(seq 100); do
  if (exec 3<>/dev/tcp/127.0.0.1/"$tls") 2>/dev/null && { [ ! -d "$run/queue" ] || [ -S "$run/queue/private/auth" ]; }; then
    echo "tls=$tls"
    echo "starttls=$starttls"
    if [ -f "$run/hs256.key" ]; then
      echo "token=$(token 3600)"
      echo "expired=$(token -60)"
      echo "long=$(token 3600 1500)"
    fi
    echo READY
    cat >/dev/null || true
    exit 0
  fi
  sleep 0.1
done
echo "$kind did not start" >&2
cat "$run"/*.log "$run"/exim.out 2>/dev/null | tail -20 >&2
exit 1
