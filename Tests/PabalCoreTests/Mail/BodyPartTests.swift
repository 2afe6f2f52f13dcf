import Foundation
import PabalCore
import Testing

@Suite struct BodyPartTests {
  private func body(_ text: String) throws -> (encoding: String, lines: [String]) {
    let address = Mailbox(try Address("a@b"))
    let mail = try MailDraft(from: address, to: [address], subject: "x", text: text).finish(identity: .fixed)
    let parts = String(decoding: mail.bytes, as: UTF8.self).components(separatedBy: "\r\n")
    let end = try #require(parts.firstIndex(of: ""))
    try #require(parts.last == "")
    let encoding = try #require(parts[..<end].first { $0.hasPrefix("Content-Transfer-Encoding: ") })
    return (
      String(encoding.dropFirst("Content-Transfer-Encoding: ".count)), Array(parts[(end + 1)...].dropLast())
    )
  }

  @Test(
    arguments: [
      ("", "7bit", [""]), ("Your code is 123456.", "7bit", ["Your code is 123456."]),
      ("a\nb\r\nc\rd\n\n", "7bit", ["a", "b", "c", "d", ""]),
      ("https://example.com/?a=b", "7bit", ["https://example.com/?a=b"]),
      // Text that a mailbox file, SMTP, MIME or a relay would change.
      ("From here on\nx From y", "quoted-printable", ["=46rom here on", "x From y"]),
      (".\n.a\nb.", "quoted-printable", ["=2E", "=2Ea", "b."]),
      ("--=_boundary", "quoted-printable", ["--=3D_boundary"]),
      ("a \nb\t\n c", "quoted-printable", ["a=20", "b=09", " c"]),
      ("tab\there", "quoted-printable", ["tab\there"]),
      ("\u{1B}[31m\u{7F}", "quoted-printable", ["=1B[31m=7F"]),
      ("caf\u{E9} and a long enough line", "quoted-printable", ["caf=C3=A9 and a long enough line"]),
      ("가", "base64", ["6rCADQo="]),
      (String(repeating: "x", count: 78), "7bit", [String(repeating: "x", count: 78)]),
      (
        String(repeating: "x", count: 79), "quoted-printable",
        [String(repeating: "x", count: 75) + "=", "xxxx"]
      ),
      // Code points aren't split and lines have at most 76 bytes.
      (
        String(repeating: "x", count: 71) + "é and so on and on", "quoted-printable",
        [String(repeating: "x", count: 71) + "=", "=C3=A9 and so on and on"]
      ),
      (
        String(repeating: "x", count: 70) + "é", "quoted-printable",
        [String(repeating: "x", count: 70) + "=C3=A9"]
      ),
      (
        String(repeating: "x", count: 73) + "= is it", "quoted-printable",
        [String(repeating: "x", count: 73) + "=", "=3D is it"]
      ),
    ] as [(String, String, [String])])
  func `a text gets the shortest encoding that survives relays`(
    text: String, encoding: String, lines: [String]
  ) throws {
    let body = try body(text)
    #expect(body.encoding == encoding)
    #expect(body.lines == lines)
  }

  private static let texts: [String] = {
    var generator = SeededGenerator(seed: 2045)
    var texts = [
      "", "\n", "\n\n\n", "a", "--\n-- \n--x\n", "=\n=3D\n=_x", String(repeating: "가나다 ", count: 2_000),
      String(repeating: "= ", count: 3_000),
    ]
    for i in 0..<300 {
      var text = ""
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        text += generator.text(pieces: Int.random(in: 0...(i % 2 == 0 ? 30 : 120), using: &generator))
        text +=
          ["\n", "\r\n", "\r", " \n", "\t\r\n", "\n.\n", "\nFrom x\n", ""].randomElement(using: &generator)
          ?? ""
      }
      texts.append(text)
    }
    return texts
  }()

  @Test(arguments: ExternalMailParser.allCases)
  func `other parsers decode text and HTML unchanged`(reader: ExternalMailParser) async throws {
    let address = Mailbox(try Address("a@b"))
    let texts = BodyPartTests.texts
    let mails = try texts.indices.map { i in
      try MailDraft(
        from: address, to: [address], subject: "x", text: texts[i],
        html: i % 3 == 0 ? nil : texts[texts.count - 1 - i]
      )
      .finish(identity: .fixed).bytes
    }
    for mail in mails {
      for line in mail.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
        #expect(line.last == 0x0D && line.count <= 79 && line.allSatisfy { $0 < 0x80 })
      }
    }
    let read = try await reader.read(mails)
    for i in texts.indices {
      #expect(Array((read[i].text ?? "").utf8) == Array(normal(texts[i]).utf8))
      if i % 3 != 0 {
        #expect(Array((read[i].html ?? "").utf8) == Array(normal(texts[texts.count - 1 - i]).utf8))
      }
      #expect(read[i].defects == [])
    }
  }

  private func normal(_ text: String) -> String {
    let lines = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    return lines.utf8.last == 0x0A ? lines : lines + "\n"
  }

  @Test func `two parts form a multipart alternative with plain text first`() throws {
    let address = Mailbox(try Address("a@b"))
    let mail = try MailDraft(from: address, to: [address], subject: "x", text: "text", html: "<p>html</p>")
      .finish(identity: .fixed)
    let text = String(decoding: mail.bytes, as: UTF8.self)
    let start = try #require(text.range(of: "Content-Type: multipart"))
    #expect(
      text[start.lowerBound...]
        == [
          "Content-Type: multipart/alternative; boundary=\"=_38DHR78Y3WG228H34GJJC9S8\"", "",
          "--=_38DHR78Y3WG228H34GJJC9S8",
          "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 7bit", "", "text", "",
          "--=_38DHR78Y3WG228H34GJJC9S8",
          "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: 7bit", "", "<p>html</p>", "",
          "--=_38DHR78Y3WG228H34GJJC9S8--", "",
        ].joined(separator: "\r\n"))
  }
}
