#!/usr/bin/env python3
"""Runs the lines of the page "Point your application at Pabal", which relays to a recording SMTP server.

applications.py PABAL DIRECTORY CERTIFICATE KEY AUTHORITY APPLICATION PAGE

Takes the first block of code under the heading APPLICATION, fills in server, port, user and password, runs the application
with it, and prints the mail that arrived as JSON. `--list` for APPLICATION prints the applications that can be run.
"""
import email.message
import json
import os
import re
import smtplib
import ssl
import subprocess
import sys

page = sys.argv.pop()
import submission_clients as clients  # reads the other arguments

NODE, PHP, RUBY = "/usr/bin/node", "/usr/bin/php", "/usr/bin/ruby"
SENDER, RECIPIENT = "shop@example.com", "kim@example.org"


def lines(heading):
    """The first block of code under a heading of the page."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", open(page).read(), re.S | re.M)
    return re.search(r"^```[a-z]*\n(.*?)^```$", section[1], re.S | re.M)[1]


def filled(service, heading, port=None):
    text = lines(heading).replace("mail.example.com", "localhost").replace("587", str(port or service.starttls))
    return re.sub(r"\bPASSWORD\b", service.password, re.sub(r"\bUSER\b", service.user, text))


def run(*command, content=None, **more):
    # How the libraries of these languages find the authority of the test's certificate.
    trust = {"SSL_CERT_FILE": clients.authority, "NODE_EXTRA_CA_CERTS": clients.authority}
    return clients.run(*command, content=content, env={**os.environ, **trust, "HOME": str(clients.directory), **more})


def write(name, text, mode=0o600):
    path = clients.directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def by_django(service):
    write("settings.py", filled(service, "Django"))
    python = clients.run(clients.pathlib.Path(__file__).parent.parent / "python-environment").decode().strip()
    run(python, "-c", f"""
from django.conf import settings
import settings as lines
settings.configure(**{{name: value for name, value in vars(lines).items() if name.isupper()}})
from django.core.mail import send_mail
assert send_mail("Hello", "Hello", None, ["{RECIPIENT}"]) == 1
""", PYTHONPATH=str(clients.directory))


def by_rails(service):
    run(RUBY, "-e", f"""
require "action_mailer"
config = Struct.new(:action_mailer).new(ActionMailer::Base)
{filled(service, "Rails")}
class Greeting < ActionMailer::Base
  def hello = mail(to: "{RECIPIENT}", subject: "Hello", body: "Hello")
end
Greeting.hello.deliver_now
""")


def by_symfony(service):
    dsn = re.fullmatch(r"MAILER_DSN=(.*)\n", filled(service, "Symfony"))[1]
    run(PHP, "-r", f"""
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$mailer = new Symfony\\Component\\Mailer\\Mailer(Symfony\\Component\\Mailer\\Transport::fromDsn($argv[1]));
$mail = (new Symfony\\Component\\Mime\\Email())->from('{SENDER}')->to('{RECIPIENT}')->subject('Hello')->text('Hello');
$mailer->send($mail);
""", "--", dsn)


def by_wordpress(service):
    """What wp_mail() does: the filter for the sender, and the action before PHPMailer sends."""
    script = write("wordpress.php", f"""<?php
require '/usr/share/php/libphp-phpmailer/autoload.php';
function add_filter($name, $do) {{ $GLOBALS['hooks'][$name] = $do; }}
function add_action($name, $do) {{ $GLOBALS['hooks'][$name] = $do; }}
{filled(service, "WordPress")}
$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);
$mail->isMail();
$mail->setFrom($hooks['wp_mail_from']('wordpress@localhost'), 'WordPress', false);
$mail->addAddress('{RECIPIENT}');
$mail->Subject = 'Hello';
$mail->Body = 'Hello';
$hooks['phpmailer_init']($mail);
$mail->send();
""")
    run(PHP, script)


def by_nodemailer(service):
    run(NODE, write("send.js", filled(service, "Nodemailer")), NODE_PATH="/usr/share/nodejs")


def message():
    mail = email.message.EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, RECIPIENT, "Hello"
    mail.set_content("Hello\n")
    return mail


def by_python(service):
    script = f"import email\nmail = email.message_from_string({message().as_string()!r})\n" + filled(service, "Python")
    run(sys.executable, "-c", script)


def sendmail_command(service):
    """The line that runs `pabal` as sendmail, with the socket of the service."""
    link = clients.directory / "sendmail"
    link.exists() or link.symlink_to(clients.pabal)
    return f"{link} --socket {service.socket} --drop /nonexistent"


def by_php(service):
    settings = filled(service, "PHP").replace("/usr/sbin/sendmail", sendmail_command(service))
    run(PHP, "-c", write("php.ini", settings), "-r",
        f"exit(mail('{RECIPIENT}', 'Hello', 'Hello', ['From' => '{SENDER}'], '-f{SENDER}') ? 0 : 1);")


def by_cron(service):
    """Debian's cron in a mount namespace, in which /usr/sbin/sendmail and the socket are those of this test."""
    job = write("job", "echo Hello\n")
    table = write("crontab", filled(service, "cron").replace("@daily", "@reboot").replace("/usr/local/bin/report", f"sh {job}"))
    daemon = subprocess.Popen(["unshare", "-m", "sh", "-c", """
      set -e
      mount --make-rprivate /
      mount -t tmpfs tmpfs /var/spool/cron/crontabs
      install -m 600 -o root -g crontab "$1" /var/spool/cron/crontabs/root
      mount -t tmpfs tmpfs /run
      mkdir /run/pabal
      ln -s "$2" /run/pabal/submit
      mount --bind "$3" "$(readlink -f /usr/sbin/sendmail)"
      exec timeout 60 cron -f
    """, "sh", table, service.socket, clients.pabal])
    try:
        recorder.wait()
    finally:
        daemon.terminate()
        daemon.wait()


def by_git(service):
    write(".gitconfig", "[user]\n    name = Shop\n    email = shop@example.com\n" + filled(service, "git send-email"))
    write("0001-hello.patch", "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n" + str(message()))
    run("git", "send-email", "--quiet", "--confirm=never", f"--from={SENDER}", f"--to={RECIPIENT}", "--suppress-cc=all",
        "0001-hello.patch", GIT_CONFIG_NOSYSTEM="1")


def by_msmtp(service):
    run("msmtp", f"--file={write('msmtprc', filled(service, 'msmtp'))}", f"--tls-trust-file={clients.authority}", RECIPIENT,
        content=message().as_bytes())


def by_printer(service):
    fields = dict(line.split(": ") for line in filled(service, "A printer").splitlines())
    assert fields["Encryption"] == "STARTTLS"
    with smtplib.SMTP(fields["Server"], int(fields["Port"])) as smtp:
        smtp.starttls(context=clients.trust())
        smtp.ehlo()
        smtp.user, smtp.password = fields["User"], fields["Password"]
        mechanisms = {"LOGIN": smtp.auth_login, "PLAIN": smtp.auth_plain}
        smtp.auth(fields["Authentication"], mechanisms[fields["Authentication"]])
        smtp.send_message(message(), fields["Sender"])


APPLICATIONS = {
    "Django": by_django, "Rails": by_rails, "Symfony": by_symfony, "WordPress": by_wordpress, "Nodemailer": by_nodemailer,
    "Python": by_python, "PHP": by_php, "cron": by_cron, "git send-email": by_git, "msmtp": by_msmtp,
    "A printer": by_printer,
}

if clients.client == "--list":
    print(json.dumps(list(APPLICATIONS)))
    sys.exit()
recorder = clients.Recorder()
service = clients.Service({"plugin": "smtp", "host": "127.0.0.1", "port": recorder.port, "security": "none"}, {})
try:
    APPLICATIONS[clients.client](service)
    recorder.wait()
    submitter = service.mails(1)[0]["submitter"]
finally:
    service.stop()
sender, recipients, content = recorder.mails[0]
print(json.dumps({"mails": len(recorder.mails), "sender": sender, "recipients": recipients, "submitter": submitter,
                  "content": content.decode("utf-8", "backslashreplace")}))
