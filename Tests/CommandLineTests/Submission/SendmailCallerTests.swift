import Foundation
import PabalTesting
import Testing

extension Trait where Self == ConditionTrait {
  /// Enables a test if a program is installed.
  static func needs(_ program: String) -> Self {
    .enabled("needs \(program): ./dev prepare installs it") {
      ["/usr/bin", "/usr/sbin"].contains { FileManager.default.fileExists(atPath: "\($0)/\(program)") }
    }
  }
}

/// Programs that call sendmail, as Debian has them.
@Suite struct SendmailCallerTests {
  private static let body = "Zeile eins\n.\n..zwei \u{E9}\n" + String(repeating: "lang ", count: 300) + "\n"
  private static let carriedBody = Array(body.replacing("\n", with: "\r\n").utf8)

  /// The command line of this site's sendmail, for a shell.
  private func command(_ site: SubmissionSite) -> String {
    (["\(site.directory.path)/sendmail"] + site.ways).joined(separator: " ")
  }

  /// A script that passes its arguments to this site's sendmail.
  private func script(_ site: SubmissionSite) throws -> String {
    let file = try site.directory.write("#!/bin/sh\nexec \(command(site)) \"$@\"\n", to: "script")
    #expect(chmod(file, 0o755) == 0)
    return file
  }

  @Test(.needs("php"), arguments: ["0", "1"]) func `PHP's mail function`(_ mixed: String) throws {
    let site = try SubmissionSite()
    let code = """
      $body = stream_get_contents(STDIN);
      exit(mail('you@example.com', 'Gruß', $body, ['From' => 'me@example.com', 'Bcc' => 'hidden@example.com'],
        '-fweb@example.com') ? 0 : 1);
      """
    let run = try ChildProcess.run(
      "php",
      ["-d", "sendmail_path=\(command(site)) -t -i", "-d", "mail.mixed_lf_and_crlf=\(mixed)", "-r", code],
      input: Array(Self.body.utf8))
    #expect(run.status == 0, "\(run.errors)\(run.output)")
    let mail = try site.onlyMail()
    #expect(mail.sender == "web@example.com")
    #expect(mail.recipients == ["you@example.com", "hidden@example.com"])
    // PHP adds a line end.
    #expect(mail.body == Self.carriedBody + Array("\r\n".utf8))
  }

  @Test(.needs("php")) func `Symfony's dialogue with -bs`() throws {
    let site = try SubmissionSite()
    // As ProcessStream and SmtpTransport of symfony/mailer do it.
    let code = """
      $p = proc_open($argv[1].' -bs', [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
      $say = function ($line, $code) use ($pipes) {
        if ($line !== '') { fwrite($pipes[0], $line); fflush($pipes[0]); }
        do { $reply = fgets($pipes[1]); } while ($reply !== false && $reply[3] === '-');
        if ((int) $reply !== $code) { fwrite(STDERR, "$line: $reply"); exit(1); }
      };
      $say('', 220); $say("EHLO [127.0.0.1]\\r\\n", 250); $say("MAIL FROM:<me@example.com>\\r\\n", 250);
      $say("RCPT TO:<a@example.com>\\r\\n", 250); $say("RCPT TO:<b@example.com>\\r\\n", 250); $say("DATA\\r\\n", 354);
      $mail = "From: me@example.com\\r\\nSubject: hi\\r\\n\\r\\n".str_replace("\\n", "\\r\\n", stream_get_contents(STDIN));
      fwrite($pipes[0], str_replace("\\r\\n.", "\\r\\n..", $mail));
      $say("\\r\\n.\\r\\n", 250); $say("QUIT\\r\\n", 221);
      exit(proc_close($p));
      """
    let run = try ChildProcess.run("php", ["-r", code, "--", command(site)], input: Array(Self.body.utf8))
    #expect(run.status == 0, "\(run.errors)\(run.output)")
    let mail = try site.onlyMail()
    #expect(mail.sender == "me@example.com")
    #expect(mail.recipients == ["a@example.com", "b@example.com"])
    #expect(mail.body == Self.carriedBody + Array("\r\n".utf8))
  }

  @Test(
    .enabled("needs git send-email: ./dev prepare installs it") {
      FileManager.default.fileExists(atPath: "/usr/lib/git-core/git-send-email")
    }) func `git send-email`() throws
  {
    let site = try SubmissionSite()
    let patch = """
      From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
      From: Me <me@example.com>
      Date: Thu, 1 Jan 2026 00:00:00 +0000
      Subject: [PATCH] change

      ---
       file | 2 +-
      """
    let file = try site.directory.write("\(patch)\n", to: "0001.patch")
    let run = try ChildProcess.run(
      "git",
      [
        "send-email", "--smtp-server=\(try script(site))", "--from=Me <me@example.com>", "--to=a@example.com",
        "--cc=b@example.com", "--bcc=c@example.com", "--envelope-sender=bounce@example.com",
        "--confirm=never", "--suppress-cc=all", file,
      ],
      environment: [
        "HOME": site.directory.path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_NAME": "Me",
        "GIT_COMMITTER_EMAIL": "me@example.com", "GIT_AUTHOR_NAME": "Me",
        "GIT_AUTHOR_EMAIL": "me@example.com",
      ], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)\(run.output)")
    let mail = try site.onlyMail()
    #expect(mail.sender == "bounce@example.com")
    #expect(Set(mail.recipients) == ["a@example.com", "b@example.com", "c@example.com"])
    #expect(mail.text.hasSuffix("---\r\n file | 2 +-\r\n"))
  }

  @Test(.needs("bsd-mailx")) func `bsd-mailx, which smartd runs`() throws {
    let site = try SubmissionSite()
    let settings = try site.directory.write("set sendmail=\(try script(site))\n", to: "mailrc")
    let run = try ChildProcess.run(
      "bsd-mailx", ["-s", "SMART error", "-b", "hidden@example.com", "you@example.com"],
      input: Array("first\n\nlast\n".utf8), environment: ["MAILRC": settings])
    #expect(run.status == 0, "\(run.errors)\(run.output)")
    // mailx doesn't wait for sendmail.
    try eventually { try !site.mails().isEmpty }
    let mail = try site.onlyMail()
    #expect(mail.recipients == ["you@example.com", "hidden@example.com"])
    #expect(mail.body == Array("first\r\n\r\nlast\r\n".utf8))
  }

  @Test(
    .needs("cron"),
    .enabled("needs root and a /usr/sbin/sendmail to replace") {
      getuid() == 0 && FileManager.default.fileExists(atPath: "/usr/sbin/sendmail")
    }) func `Debian's cron`() throws
  {
    let site = try SubmissionSite()
    let job = try site.directory.write("printf '50%%\\rdone\\n.\\nend\\n'\n", to: "job")
    // A mount namespace in which /usr/sbin/sendmail and the socket are those of this test.
    let setup = """
      set -e
      mount --make-rprivate /
      mount -t tmpfs tmpfs /var/spool/cron/crontabs
      echo "@reboot sh $3" >/var/spool/cron/crontabs/root
      chmod 600 /var/spool/cron/crontabs/root
      chgrp crontab /var/spool/cron/crontabs/root
      mount -t tmpfs tmpfs /run
      mkdir /run/pabal
      ln -s "$1/submit" /run/pabal/submit
      mount --bind "$2" "$(readlink -f /usr/sbin/sendmail)"
      exec timeout 60 cron -f
      """
    let server = try SpawnedProcess(
      "unshare",
      ["-m", "sh", "-c", setup, "sh", site.directory.path, "\(BuiltProducts.directory)/pabal", job])
    defer { server.signal(SIGTERM) }
    try eventually { try !site.mails().isEmpty }
    let mail = try site.onlyMail()
    #expect(mail.recipients == ["root@\(try SendmailArgumentTests.domain())"])
    #expect(mail.text.contains("Subject: Cron <root@"))
    let text = try #require(
      Data(base64Encoded: String(decoding: mail.body, as: UTF8.self), options: .ignoreUnknownCharacters))
    #expect(text == Data("50%\rdone\r\n.\r\nend\r\n".utf8))
  }
}
