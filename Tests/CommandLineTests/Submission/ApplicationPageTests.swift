import Foundation
import PabalTesting
import Testing

/// The page "Point your application at Pabal", whose lines are run as they are; see `Tests/Servers/applications.py`.
@Suite struct ApplicationPageTests {
  private static let page =
    "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/Point-your-application-at-Pabal.md"
  private static let script = "\(BuiltProducts.root)/Tests/Servers/applications.py"
  private static let applications =
    [
      "Django", "Rails", "Symfony", "WordPress", "Nodemailer", "Python", "PHP", "git send-email", "msmtp",
      "A printer",
    ] + (canRunCron ? ["cron"] : [])
  private static let canRunCron =
    getuid() == 0
    && ["/usr/sbin/cron", "/usr/sbin/sendmail"].allSatisfy { FileManager.default.fileExists(atPath: $0) }
  private static let usesSendmail: Set = ["PHP", "cron"]

  @Test(arguments: applications)
  func `the lines for an application send its mail`(application: String) throws {
    let directory = try TemporaryDirectory()
    let authority = try TestAuthority.shared.get()
    let run = try ChildProcess.run(
      "python3",
      [
        Self.script, "\(BuiltProducts.directory)/pabal", directory.path, authority.good, authority.key,
        authority.authority, application, Self.page,
      ])
    try #require(run.status == 0, "\(run.errors)")
    let result = try run.json
    #expect(result["mails"] as? Int == 1 && result["recipients"] as? [String] == ["kim@example.org"])
    let content = try #require(result["content"] as? String)
    #expect(content.contains("Hello"))
    let submitter = try #require(result["submitter"] as? String)
    if Self.usesSendmail.contains(application) {
      #expect(submitter.hasPrefix("local:"))
    } else {
      // It logged in, over TLS.
      #expect(submitter == "user:printer" && content.contains(" with ESMTPSA "), "\(content)")
    }
    if application != "cron" { #expect(result["sender"] as? String == "shop@example.com") }
  }

  @Test(arguments: [
    (
      "Laravel",
      [
        "MAIL_MAILER": "smtp", "MAIL_HOST": "mail.example.com", "MAIL_PORT": "587", "MAIL_USERNAME": "USER",
        "MAIL_PASSWORD": "PASSWORD", "MAIL_FROM_ADDRESS": "shop@example.com",
      ]
    ),
    (
      "Spring",
      [
        "spring.mail.host": "mail.example.com", "spring.mail.port": "587", "spring.mail.username": "USER",
        "spring.mail.password": "PASSWORD", "spring.mail.properties.mail.smtp.auth": "true",
        "spring.mail.properties.mail.smtp.starttls.enable": "true",
        "spring.mail.properties.mail.smtp.starttls.required": "true",
      ]
    ),
    (
      "Grafana",
      [
        "enabled": "true", "host": "mail.example.com:587", "user": "USER", "password": "PASSWORD",
        "from_address": "shop@example.com", "startTLS_policy": "MandatoryStartTLS",
      ]
    ),
    (
      "Keycloak",
      [
        "smtpServer.host": "mail.example.com", "smtpServer.port": "587", "smtpServer.starttls": "true",
        "smtpServer.ssl": "false", "smtpServer.auth": "true", "smtpServer.user": "USER",
        "smtpServer.password": "PASSWORD", "smtpServer.from": "shop@example.com",
      ]
    ),
    (
      "GitLab",
      [
        "smtp_enable": "true", "smtp_address": "mail.example.com", "smtp_port": "587",
        "smtp_user_name": "USER",
        "smtp_password": "PASSWORD", "smtp_authentication": "login", "smtp_enable_starttls_auto": "true",
        "gitlab_email_from": "shop@example.com",
      ]
    ),
  ])
  func `the lines for an application that isn't run can be parsed and name the server`(
    application: String, settings: [String: String]
  ) throws {
    let run = try ChildProcess.run(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/application_lines.py", application, Self.page])
    try #require(run.status == 0, "\(run.errors)")
    let parsed = try #require(
      JSONSerialization.jsonObject(with: Data(run.bytes)) as? [String: String])
    #expect(parsed == settings)
  }

  @Test func `each application of the page has lines with the server, and the page says which are run`()
    throws
  {
    let listed = try ChildProcess.run("python3", [Self.script, "-", "-", "-", "-", "-", "--list", Self.page])
    let names = try #require(JSONSerialization.jsonObject(with: Data(listed.bytes)) as? [String])
    #expect(Set(names) == Set(Self.applications).union(["cron"]))
    let page = try String(contentsOfFile: Self.page, encoding: .utf8)
    let sections = page.split(separator: "\n## ").dropFirst().filter { !$0.hasPrefix("Overview") }
    let headings = sections.map { String($0.prefix { $0 != "\n" }) }
    #expect(Set(names).isSubset(of: headings))
    for (heading, section) in zip(headings, sections) {
      let blocks = section.split(separator: "```", omittingEmptySubsequences: false)
      #expect(blocks.count == 3, "\(heading)")
      #expect(
        (1...9).contains(blocks[1].split(separator: "\n").dropFirst(heading == "msmtp" ? 0 : 1).count),
        "\(heading)")
      guard !Self.usesSendmail.contains(heading) else { continue }
      for value in ["mail.example.com", "587", "USER", "PASSWORD"] {
        #expect(blocks[1].contains(value), "\(heading) has no \(value)")
      }
    }
    // The sentences that name the applications that are run, and the others.
    let run = try #require(page.firstMatch(of: /A test takes the lines from this page[^\n]*?: ([^.]+)\./)?.1)
    let others = try #require(
      page.firstMatch(of: /The others use the setting names of ([^.]+), and aren't run by a test\./)?.1)
    for heading in headings {
      let isRun = names.contains(heading)
      let name = heading == "A printer" ? "the printer" : heading
      #expect(run.contains(name) == isRun && (isRun || others.contains(name)), "\(heading)")
    }
  }

  @Test func `the README and the page on SMTP lead to it`() throws {
    for path in [
      "README.md", "Sources/PabalCore/PabalCore.docc/Submission.md",
      "Sources/PabalCore/PabalCore.docc/PabalCore.md",
    ] {
      let text = try String(contentsOfFile: "\(BuiltProducts.root)/\(path)", encoding: .utf8)
      #expect(text.contains("Point-your-application-at-Pabal"), "\(path)")
    }
  }
}
