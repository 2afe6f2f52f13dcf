import Testing

@testable import PabalCore

/// To whom the failure of a submitted mail may be reported.
@Suite struct ReportingTests {
  private func reporting(_ sender: String?, _ header: String = "Subject: x", mayUse: Bool = true) throws
    -> Reporting
  {
    let mail = try SubmittedMail(
      Array((header + "\n\ntext\n").replacing("\n", with: "\r\n").utf8), lineEnds: .crlf)
    return Reporting(sender: try sender.map { try Address($0) }, header: mail.header) { _ in mayUse }
  }

  @Test func `ordinary mail is reported to its sender`() throws {
    #expect(try reporting("kim@example.com") == .sender)
    #expect(try reporting("kim@example.com", "Auto-Submitted: no (a person)") == .sender)
    #expect(
      try reporting("kim@example.com", "Precedence: bulk\nContent-Type: multipart/mixed; boundary=x")
        == .sender)
  }

  @Test func `a null sender gets no report`() throws { #expect(try reporting(nil) == .nullSender) }

  @Test(arguments: [
    "Auto-Submitted: auto-replied", "auto-submitted:\n auto-generated; owner-email=\"x@y\"",
    "AUTO-SUBMITTED: Auto-Notified", "Auto-Submitted: no\nAuto-Submitted: auto-replied",
    "Content-Type: Multipart/Report; report-type=delivery-status; boundary=x", "Precedence: auto_reply",
    "X-Autoreply: yes",
  ])
  func `automatic responses and reports get no report`(_ header: String) throws {
    #expect(try reporting("kim@example.com", header) == .automatic)
  }

  @Test func `the mailbox of a mail system gets no report`() throws {
    #expect(try reporting("MAILER-DAEMON@example.com") == .automatic)
  }

  @Test func `an address that the submitter may not use gets no report`() throws {
    #expect(try reporting("victim@example.com", mayUse: false) == .foreignSender)
  }
}
