import PabalTesting
import Testing

@testable import PabalCore

/// Reports go through servers without 8BITMIME and SMTPUTF8, whatever the mail contains.
@Suite struct SevenBitReportTests {
  private static let long = String(repeating: "0123456789", count: 120)
  private static let multipart = """
    Subject: x
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary=b
    Content-Transfer-Encoding: 8bit

    --b
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 8bit

    본문
    --b
    Content-Type: text/plain

    plain
    --b--

    """

  private static func report(
    of content: [UInt8], whole: Bool = false, to recipient: String = "bob@example.org"
  ) async throws -> (mail: Mail, parsed: ParsedReport) {
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: recipient)
    site.transport.answer(.sent, reply: "550 5.1.1 없는 사용자")
    var parameters = ReportParameters()
    if whole { parameters.returned = .full }
    try await site.submit(to: [recipient], parameters, content: content)
    for _ in 0..<2 { await site.fixture.advance() }
    let mail = try #require(site.reports.first)
    let parsed = try #require(try await site.parsedReports().first)
    #expect(!mail.needs8BitMIME && !mail.needsSMTPUTF8)
    #expect(mail.bytes.allSatisfy { (0x20..<0x7F).contains($0) || [0x09, 0x0D, 0x0A].contains($0) })
    let lines = mail.bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
    #expect(lines.allSatisfy { $0.last == 0x0D && $0.count <= 999 && !$0.dropLast().contains(0x0D) })
    // Python doesn't decode this type.
    #expect(parsed.defects == [] || parsed.parts.last == "message/global")
    #expect(parsed.firstLine == "Your mail to \(recipient) could not be delivered.")
    return (mail, parsed)
  }

  private static func lines(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

  @Test func `a header that isn't ASCII is returned byte for byte`() async throws {
    let latin = Array("Subject: caf".utf8) + [0xE9] + lines(" = x \nFrom: a@example.org\n\ntext\n")
    let (_, first) = try await Self.report(of: latin)
    #expect(first.parts.last == "text/rfc822-headers")
    #expect(first.returnedBytes == Array(latin.dropLast(8)))
    // One byte that isn't UTF-8 doesn't hide the subject.
    #expect(first.headers["subject"] == "Not delivered: caf\u{FFFD} = x")
    let korean = Self.lines("Subject: 안녕하세요 \(Self.long)\nTo: 김@example.org\n\n본문\n")
    let (_, second) = try await Self.report(of: korean)
    #expect(second.parts.last == "text/rfc822-headers")
    #expect(second.returnedBytes == Array(korean.dropLast(10)))
    let (_, other) = try await Self.report(
      of: Array("X: ".utf8) + [0xFF] + Self.lines("\nSubject: fine\n\nx\n"))
    #expect(other.headers["subject"] == "Not delivered: fine")
  }

  private func lines(_ text: String) -> [UInt8] { Self.lines(text) }

  @Test func `the whole mail is returned with its parts encoded, so that any program reads it`() async throws
  {
    let plain =
      "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    for text in [
      plain + "Subject: x\n\n본문\n", "Subject: x\n\n\(Self.long)\n", "Subject: x\n\n본문\n", Self.multipart,
    ] {
      let (mail, parsed) = try await Self.report(of: lines(text), whole: true)
      #expect(parsed.parts.last == "message/rfc822")
      let returned: [[String: String]] = try await ExternalMailParser.python.run(
        """
        cases = []
        for content in mails():
            report = email.message_from_bytes(content, policy=email.policy.default)
            inner = report.get_payload()[2].get_payload()[0]
            first = next(part for part in inner.walk() if not part.is_multipart())
            cases.append(dict(subject=str(inner["subject"]), text=first.get_payload(decode=True).decode().strip()))
        json.dump(cases, sys.stdout)
        """, over: [mail.bytes])
      #expect(returned == [["subject": "x", "text": text.contains("본문") ? "본문" : Self.long]])
    }
  }

  @Test func `a whole mail whose header isn't ASCII is returned by the types that allow it`() async throws {
    let korean = lines("Subject: 안녕\n\n본문\n")
    let (_, global) = try await Self.report(of: korean, whole: true)
    #expect(global.parts.last == "message/global")
    #expect(global.returnedBytes == korean)
    let latin = Array("Subject: caf".utf8) + [0xE9] + lines("\n\ntext\n")
    let (_, headers) = try await Self.report(of: latin, whole: true)
    #expect(headers.parts.last == "text/rfc822-headers")
    #expect(headers.returnedBytes == Array(latin.dropLast(8)))
    // A signature covers the part as it is.
    let signed = """
      Subject: x
      MIME-Version: 1.0
      Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"

      --b
      Content-Type: text/plain; charset=utf-8
      Content-Transfer-Encoding: 8bit

      본문
      --b
      Content-Type: application/pgp-signature

      x
      --b--

      """
    let (_, whole) = try await Self.report(of: lines(signed), whole: true)
    #expect(whole.parts.last == "message/rfc822" || whole.returnedBytes == lines(signed))
  }

  @Test func `whatever the mail contains, the report is legal and returns its header`() async throws {
    var generator = SeededGenerator(seed: 17)
    let pieces: [[UInt8]] =
      [
        "Subject: ", "X: ", "안", " ", "=", "=3D", "\t", "From ", ".", "--", "a", "\r\n", "\r\n", "\r\n ",
        "\n", "\r",
        "\0", "\r\n\r\n", "Content-Type: multipart/mixed; boundary=b\r\n", "\r\n--b\r\n", "--b--\r\n",
        "Content-Transfer-Encoding: 8bit\r\n", "Content-Type: message/rfc822\r\n\r\n",
        String(repeating: "x", count: 75), String(repeating: "y", count: 998), " \r\n",
      ].map { Array($0.utf8) } + [[0xE9], [0x80], [0xFF]]
    let originals = (0..<600).map { _ in
      (0..<Int.random(in: 0...20, using: &generator)).flatMap { _ in
        pieces[Int.random(in: 0..<pieces.count, using: &generator)]
      }
    }
    let now = Timestamp(milliseconds: 0)
    let recipients = [DeliveryReport.Recipient("bob@example.org", cause: .rejected, reply: "550 5.1.1 no")]
    let address = try Address("kim@example.org")
    for isWhole in [false, true] {
      let mails = try originals.map { original in
        var report = DeliveryReport(
          .failed, recipients, to: address, id: "A", original: original, arrival: now, now: now)
        report.returnsMail = isWhole
        return try #require(report.finish(DeliveryReportOptions(), identity: .now())).bytes
      }
      for mail in mails {
        #expect(mail.allSatisfy { (0x20..<0x7F).contains($0) || [0x09, 0x0D, 0x0A].contains($0) })
        let lines = mail.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
        #expect(lines.allSatisfy { $0.last == 0x0D && $0.count <= 999 && !$0.dropLast().contains(0x0D) })
      }
      let reports = try await ParsedReport.read(mails)
      #expect(reports.allSatisfy { $0.recipients.map { $0["status"] } == ["5.1.1"] })
      guard !isWhole else { continue }
      for (original, report) in zip(originals, reports) {
        // A lone CR ends a line, so that the header may end there; drop files alone have it.
        let isLone = zip(original, original.dropFirst() + [0]).contains { $0 == 0x0D && $1 != 0x0A }
        guard !isLone else { continue }
        var lines: [[UInt8]] = [[]]
        for byte in original {
          guard byte == 0x0A else {
            lines[lines.count - 1].append(byte)
            continue
          }
          if lines[lines.count - 1].last == 0x0D { lines[lines.count - 1].removeLast() }
          if lines[lines.count - 1].isEmpty { break }
          lines.append([])
        }
        #expect(report.returnedBytes == Array(lines.joined(separator: [0x0D, 0x0A])), "\(original)")
      }
    }
  }

  @Test func `an address beyond ASCII is written in the 7-bit form of its type`() async throws {
    let (mail, parsed) = try await Self.report(
      of: lines("Message-ID: <m1@example.test>\nSubject: x\n\ny\n"), to: "김+a@example.org")
    #expect(parsed.reportType == "delivery-status")
    #expect(parsed.parts == ["text/plain", "message/delivery-status", "text/rfc822-headers"])
    #expect(parsed.recipients.first?["final-recipient"] == "utf-8; \\x{AE40}\\x{2B}a@example.org")
    #expect(parsed.text.contains("김+a@example.org"))
    #expect(parsed.text.contains("550 5.1.1 없는 사용자"))
    // Pabal reads it as any other address.
    let read = try #require(ReceivedBounce(mail.bytes))
    #expect(read.recipients.map(\.addresses) == [[try Address("김+a@example.org")]])
  }

  @Test func `what isn't an address is reported as such, and every line is legal`() async throws {
    let long = "\(String(repeating: "김", count: 400))@x"
    let recipients = [
      "not an address", "b\u{FFFD}b@example.org", "", "a\r\nStatus: 2.0.0@x", long,
      "\(String(repeating: "a", count: 64))@\(Array(repeating: String(repeating: "b", count: 58), count: 3).joined(separator: ".")).example",
    ].map { DeliveryReport.Recipient($0, cause: .rejected, reply: "501 5.1.3 not an address") }
    let now = Timestamp(milliseconds: 0)
    var options = DeliveryReportOptions()
    options.host = "mail.example.test"
    let mail = try #require(
      DeliveryReport(
        .failed, recipients, to: try Address("kim@example.org"), id: "A", original: [0, 0x0A, 0x0D, 0xFF],
        arrival: now, now: now
      ).finish(options, identity: .now()))
    #expect(mail.bytes.allSatisfy { $0 < 0x80 && $0 != 0 })
    let parsed = try #require(try await ParsedReport.read([mail.bytes]).first)
    let finals = parsed.recipients.map { $0["final-recipient"] ?? "" }
    #expect(finals[0] == "unknown; not an address")
    #expect(finals[1] == "utf-8; b\\x{FFFD}b@example.org")
    #expect(finals[2] == "unknown;")
    #expect(finals[3].hasPrefix("unknown; a") && parsed.recipients[3]["status"] == "5.1.3")
    #expect(finals[4].hasPrefix("unknown; \\x{AE40}"))
    #expect(finals[5] == "rfc822; \(recipients[5].address)")
    #expect(
      String(decoding: mail.bytes, as: UTF8.self).split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 }
    )
  }

  @Test(arguments: [
    ("mx.example.org", "dns; mx.example.org"), ("192.0.2.1", "dns; [192.0.2.1]"),
    ("2001:db8::1", "dns; [IPv6:2001:db8::1]"), (nil, nil),
  ])
  func `the server that answered is named`(_ host: String?, _ name: String?) async throws {
    let site = try ReportFixture(remoteHost: host)
    site.transport.answer(.deferred(), for: "bob@example.org")
    site.transport.answer(.sent, reply: "451 4.2.1 later")
    try await site.submit(life: .seconds(1_000))
    // The name is kept until the mail expires.
    for _ in 0..<3 { await site.fixture.advance(.seconds(600)) }
    let report = try #require(try await site.parsedReports().first)
    #expect(report.recipients.first?["remote-mta"] == name)
    #expect(report.recipients.first?["diagnostic-code"] == "smtp; 451 4.2.1 later")
  }

  @Test func `a reply that isn't one of a mail server names none`() async throws {
    let site = try ReportFixture(remoteHost: "mx.example.org")
    site.transport.answer(.rejected, for: "bob@example.org")
    site.transport.answer(.sent, reply: "the mail is too large")
    try await site.submit()
    for _ in 0..<2 { await site.fixture.advance() }
    let report = try #require(try await site.parsedReports().first)
    #expect(report.recipients.first?["remote-mta"] == nil)
    #expect(report.recipients.first?["diagnostic-code"] == "x-pabal; the mail is too large")
  }
}
