import PabalCore
import Testing

@testable import PabalSubmission

@Suite struct `A submitted mail` {
  private static let identity = MailIdentity(milliseconds: 0, utcOffset: 0, random: [])
  private let date = "Thu, 01 Jan 1970 00:00:00 +0000"

  private func finish(
    _ text: String, _ lineEnds: SubmittedMail.LineEnds = .any, sender: String? = "kim@a.example",
    isInternational: Bool = false, authorName: String? = nil
  ) throws -> Mail {
    try finish(
      Array(text.utf8), lineEnds, sender: sender, isInternational: isInternational, authorName: authorName)
  }

  private func finish(
    _ bytes: [UInt8], _ lineEnds: SubmittedMail.LineEnds = .any, sender: String? = "kim@a.example",
    isInternational: Bool = false, authorName: String? = nil
  ) throws -> Mail {
    let envelope = try #require(
      Envelope(sender: try sender.map { try Address($0) }, recipients: [try Address("lee@b.example")]))
    return try SubmittedMail(bytes, lineEnds: lineEnds).finish(
      envelope: envelope, received: ReceivedField(host: "mail.example"), isInternational: isInternational,
      authorName: authorName, identity: Self.identity
    ).mail
  }

  /// The mail as text with LF, without the Received field and what is completed.
  private func text(_ mail: Mail) -> String {
    String(decoding: mail.bytes, as: UTF8.self).replacing("\r\n", with: "\n")
  }

  private var received: String {
    "Received: by mail.example with local id \(Self.identity.id);\n\t\(date)\n"
  }

  private let complete = "From: a@b\nDate: today\nMessage-ID: <x@y>\n"

  @Test func `keeps its header and its body`() throws {
    let mail = try finish(complete + "X:  two  spaces \n\tfolded\nSubject: \u{1}김\n\nbody \n.\n\n\tend\n")
    #expect(
      text(mail) == received + complete + "X:  two  spaces \n\tfolded\nSubject: \u{1}김\n\nbody \n.\n\n\tend\n"
    )
    #expect(mail.messageID == "<x@y>")
    #expect(mail.needs8BitMIME && !mail.needsSMTPUTF8)
    #expect(mail.id == Self.identity.id)
  }

  @Test func `keeps bytes that aren't UTF-8, long fields and long lines`() throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 5_000)
    let bytes =
      Array((complete + "Subject: ").utf8) + [0xB0, 0xA1, 0x0A] + Array("X: ".utf8) + long + [0x0A, 0x0A]
      + long + [0xFF, 0x0A]
    let mail = try finish(bytes)
    let body = Array(mail.bytes.suffix(5_003))
    #expect(body == long + [0xFF, 0x0D, 0x0A])
    #expect(mail.bytes.contains(0xB0))
    #expect(mail.bytes.split(separator: 0x0A).contains { $0.count == 5_004 })
  }

  @Test(arguments: [
    "hi", "hi\n", "hello world: no field\n", " folded\n", "\nbody\n", "\n\n\n", "", ": x\n", "한글: x\n",
    "\u{FEFF}no field\n",
  ])
  func `without a header is all body`(_ text: String) throws {
    let mail = try finish(text)
    let body = text.hasPrefix("\n") ? String(text.dropFirst()) : text
    let expected = body.isEmpty || body.hasSuffix("\n") ? body : body + "\n"
    #expect(
      self.text(mail) == received + "From: kim@a.example\nDate: \(date)\nMessage-ID: \(mail.messageID)\n\n"
        + expected)
    #expect(mail.messageID.hasSuffix("@a.example>"))
  }

  @Test func `whose header has no end keeps the line that isn't a field in its body`() throws {
    let mail = try finish(complete + "Dear Kim,\nX: y\n")
    #expect(text(mail) == received + complete + "\nDear Kim,\nX: y\n")
  }

  @Test(arguments: ["From kim Mon Jan  1 00:00:00 1970\n", ">From kim\r\n"])
  func `loses the line of an mbox file, and a byte order mark`(_ line: String) throws {
    #expect(
      text(try finish(line + complete + "\nbody\nFrom x\n")) == received + complete + "\nbody\nFrom x\n")
    // Without a header behind it, the line is text.
    for body in ["From kim\n", "From the team: hi\nsecond line\n", ">From x\n\nSubject: y\n"] {
      #expect(text(try finish(body)).hasSuffix("\n\n" + body))
    }
    #expect(
      text(try finish("\u{FEFF}" + complete + "\n\u{FEFF}x\n")) == received + complete + "\n\u{FEFF}x\n")
  }

  @Test(arguments: [
    "From what I see\nNote: it works\n", "From Mon on\nOpen: 08:00\n", "From us Mon\nSubject: x\n",
  ])
  func `keeps a text that begins with the word From, whatever follows`(_ body: String) throws {
    #expect(text(try finish(body)).hasSuffix("\n\n" + body))
  }

  @Test func `loses Bcc, Resent-Bcc and Return-Path`() throws {
    let mail = try finish(
      "Bcc: a@b,\n c@d\nReturn-Path: <x@y>\n" + complete
        + "RESENT-BCC : e@f\nbcc:\nResent-To: g@h\n\nBcc: body\n")
    #expect(text(mail) == received + complete + "Resent-To: g@h\n\nBcc: body\n")
  }

  @Test func `gets an author if it has none`() throws {
    #expect(text(try finish("\n", authorName: "김 Kim")).contains("From: =?"))
    #expect(text(try finish("\n", authorName: "Cron Daemon")).contains("From: Cron Daemon <kim@a.example>\n"))
    #expect(text(try finish("\n", sender: nil)).contains("From: MAILER-DAEMON@mail.example\n"))
    #expect(text(try finish("\n", sender: nil)).contains("@mail.example>\n"))
    #expect(throws: MailError.self) { try finish("\n", authorName: "a\r\nBcc: x@y") }
  }

  @Test func `with CRLF only is refused if it has other line ends`() throws {
    #expect(text(try finish("Subject: x\r\n\r\nbody", .crlf)).hasSuffix("\n\nbody\n"))
    for text in ["Subject: x\n\n", "Subject: x\r\n\r\na\nb", "\r\n\r", "\r\na\0", "\r\n\r\r\n"] {
      #expect(throws: MailError.self) { try finish(text, .crlf) }
    }
  }

  @Test func `may mix CRLF and LF`() throws {
    let mail = try finish("From: a@b\r\nDate: x\nMessage-ID: <x@y>\r\n\na\r\nb\nc\r\n\r\n")
    #expect(mail.bytes.count { $0 == 0x0A } == mail.bytes.count { $0 == 0x0D })
    #expect(text(mail).hasSuffix("Message-ID: <x@y>\n\na\nb\nc\n\n"))
  }

  @Test func `is encoded where it has a lone CR or a NUL`() throws {
    let mail = try finish(complete + "\n10%\r50%\r100%\ndone 김\0\n")
    #expect(
      text(mail).hasPrefix(
        received + complete + "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
          + "Content-Transfer-Encoding: base64\n\n"))
    let encoded = text(mail).split(separator: "\n\n", maxSplits: 1).last ?? ""
    #expect(base64("10%\r50%\r100%\r\ndone 김\0\r\n") == encoded.replacing("\n", with: ""))
    #expect(!mail.needs8BitMIME)

    let part = "--b\nContent-Type: text/plain\n\na\rb\n--b\n\nplain\n--b--\n"
    let multipart = try finish(
      complete + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nDKIM-Signature: x\n\n" + part)
    #expect(
      text(multipart).hasSuffix(
        "boundary=b\n\n--b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n\(base64("a\rb"))\n\n--b\n\nplain\n--b--\n"
      ) || text(multipart).contains(base64("a\rb")))
    #expect(!text(multipart).contains("DKIM"))
    #expect(!multipart.bytes.contains(0))
  }

  @Test func `that can't be encoded is refused`() {
    #expect(throws: MailError.self) {
      try finish(complete + "Content-Transfer-Encoding: base64\n\nYQ\0==\n")
    }
    #expect(throws: MailError.self) { try finish(complete + "X: a\rb\n\n") }
    #expect(throws: MailError.self) { try finish(complete + "X: a\0b\n\n") }
    #expect(throws: MailError.self) {
      try finish("X: " + String(repeating: "x", count: 300_000) + "\n\n")
    }
  }

  @Test func `needs SMTPUTF8 only if it was asked for, or an address needs it`() throws {
    let mail = complete + "Subject: 김\n\n"
    #expect(try finish(mail, isInternational: true).needsSMTPUTF8)
    #expect(try !finish(mail).needsSMTPUTF8)
    #expect(try !finish(complete + "\n김\n", isInternational: true).needsSMTPUTF8)
    #expect(try finish(complete + "\n", sender: "김@a.example").needsSMTPUTF8)
    #expect(try !finish(complete + "\n").needs8BitMIME)
    #expect(try finish(complete + "\n김\n").needs8BitMIME)
  }

  @Test func `says where it came from, and nothing that could be read as another field`() throws {
    let envelope = try #require(Envelope(sender: nil, recipients: [try Address("a@b")]))
    for (field, expected) in [
      (
        ReceivedField(
          greeting: "client", address: "192.0.2.7", host: "mail.example", transmission: "ESMTPSA"),
        "Received: from client ([192.0.2.7])\n\tby mail.example with ESMTPSA id \(Self.identity.id);\n\t\(date)\n"
      ),
      (
        ReceivedField(
          greeting: "a (b); c\r\nX: y", address: "2001:db8::1", host: "mail.example", transmission: "SMTP"),
        "Received: from a??b???c??X:?y ([IPv6:2001:db8::1])\n\tby mail.example with SMTP id \(Self.identity.id);\n\t\(date)\n"
      ),
      (
        ReceivedField(greeting: "me", address: nil, host: "h", transmission: "ESMTP"),
        "Received: from me\n\tby h with ESMTP id \(Self.identity.id);\n\t\(date)\n"
      ),
    ] {
      let mail = try SubmittedMail([], lineEnds: .any).finish(
        envelope: envelope, received: field, identity: Self.identity
      ).mail
      #expect(text(mail).hasPrefix(expected))
    }
  }

  @Test func `is in a loop after 100 systems`() throws {
    for (count, isLooping) in [(0, false), (100, false), (101, true)] {
      let header = String(repeating: "Received: by x; y\n", count: count)
      #expect(try SubmittedMail(Array((header + "\n").utf8), lineEnds: .any).isLooping == isLooping)
    }
  }

  private func base64(_ text: String) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    let bytes = Array(text.utf8)
    var encoded = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for index in 0..<4 {
        encoded.append(index <= group.count ? digits[bits >> (18 - 6 * index) & 63] : "=")
      }
    }
    return encoded
  }
}

@Suite struct `The recipients in a header` {
  private static let cases: [(header: String, recipients: [String])] = [
    ("To: a@b\n", ["a@b"]),
    ("To: root\n", ["root@mail.example"]),
    ("To: root, Kim <kim>, \"Q, R\" <s@t>\n", ["root@mail.example", "kim@mail.example", "s@t"]),
    ("To: a@b\nCc: c@d\nBcc: e@f\n", ["a@b", "c@d", "e@f"]),
    ("to: a@b\nTO: c@d,\n e@f (comment, with (nested) text)\n", ["a@b", "c@d", "e@f"]),
    ("To: friends: a@b, root; , c@d\n", ["a@b", "root@mail.example", "c@d"]),
    ("To: undisclosed-recipients:;\nBcc: a@b\n", ["a@b"]),
    ("To: a@b\nResent-To: c@d\nResent-Cc: e@f\nResent-Bcc: root\n", ["c@d", "e@f", "root@mail.example"]),
    ("To: \"odd name\"@b\n", ["\"odd name\"@b"]),
    ("To: <@one,@two:a@b>\n", ["a@b"]),
    ("To: =?utf-8?Q?=00?= <a@b>\n", ["a@b"]),
    ("To: kim.c (Kim)\n", ["kim.c@mail.example"]),
    ("Subject: x\n", []),
    ("To:\n", []),
    ("\nTo: a@b\n", []),
  ]

  @Test(arguments: cases) func `are those of To, Cc and Bcc or of the Resent fields`(
    _ header: String, _ recipients: [String]
  ) throws {
    let mail = try SubmittedMail(Array(header.utf8), lineEnds: .any)
    #expect(try mail.headerRecipients(completing: "mail.example").map(\.description) == recipients)
  }

  @Test(arguments: [
    "To: two words\n", "To: a@\n", "To: a@b c@d\n", "To: group: a@b\n", "To: <>\n", "To: (open\n",
  ])
  func `are refused where they can't be read`(_ header: String) throws {
    let mail = try SubmittedMail(Array(header.utf8), lineEnds: .any)
    #expect(throws: MailError.self) { try mail.headerRecipients(completing: "mail.example") }
  }
}
