import PabalCore
import Testing

@Suite struct RawMailTests {
  private let header = "From: a@b.example\r\nTo: c@d.example\r\nDate: x\r\nMessage-ID: <m@b.example>\r\n"

  private func finish(
    _ text: String, sender: EnvelopeSender = .author, recipients: [String]? = nil, from: String? = nil
  ) throws -> Mail {
    try RawMail(Array(text.utf8)).finish(
      sender: sender, recipients: recipients?.map { text throws in try Address(text) },
      from: from.map { text throws in try Mailbox(text) }, identity: .fixed)
  }

  private func bytes(_ text: String) throws -> String {
    String(decoding: try finish(text).bytes, as: UTF8.self)
  }

  @Test func `a complete mail is kept byte for byte`() throws {
    let text =
      header
      + "Subject: =?euc-kr?B?x9Gx5w==?=\r\nX-Odd:\r\n  folded\r\n\tthrice \r\n\r\nbody \r\n.\r\n\r\n\t\r\n\r\n"
    #expect(try bytes(text) == text)
    #expect(try finish(text).messageID == "<m@b.example>")
  }

  @Test(arguments: [
    ("a\nb\n", "a\r\nb\r\n"), ("a\rb\r", "a\r\nb\r\n"), ("a\r\nb\nc\rd", "a\r\nb\r\nc\r\nd\r\n"),
    ("\n\r\r\n", "\r\n\r\n\r\n"),
    ("\r\r\n\n", "\r\n\r\n\r\n"), ("no end", "no end\r\n"), ("", ""), ("\r", "\r\n"), ("\n", "\r\n"),
    ("\r\n", "\r\n"), ("x\r\n\r", "x\r\n\r\n"),
    (String(repeating: "long", count: 1_000), String(repeating: "long", count: 1_000) + "\r\n"),
    ("NUL\0\r\n", "NUL\0\r\n"),
    ("\n.\n\nFrom x\n", "\r\n.\r\n\r\nFrom x\r\n"),
  ])
  func `only the line ends of a body are normalized`(body: String, normalized: String) throws {
    #expect(try bytes(header + "\r\n" + body) == header + "\r\n" + normalized)
    #expect(try bytes(header.replacing("\r\n", with: "\n") + "\n" + body) == header + "\r\n" + normalized)
  }

  @Test func `consistent line ends of a header are normalized`() throws {
    #expect(try bytes(header.replacing("\r\n", with: "\r") + "\rbody\r\n") == header + "\r\nbody\r\n")
    #expect(try bytes(header.replacing("\r\n", with: "\n")) == header + "\r\n")
    #expect(try bytes(String(header.dropLast())) == header + "\r\n")
    for broken in ["Subject: a\rBcc: x@y\r\n", "Subject: a\r\r\n", "Subject: a\rb\n"] {
      let problem = #expect(throws: MailError.self) { try finish(header + broken + "\r\nbody") }
      #expect(problem?.description.contains("different line break") == true)
    }
  }

  @Test func `Bcc is removed from the bytes and added to the envelope`() throws {
    let mail = try finish(
      "From: a@b\r\nBcc: one@x,\r\n two@x\r\nTo: Name <to@x>\r\nbCC : three@x\r\nCc: g: cc@x;\r\nBCC:\r\nX-Bcc: kept@x\r\nResent-Bcc: not@x\r\nDate: x\r\nMessage-ID: <m@b>\r\n\r\nBcc: body@x\r\n",
      recipients: ["to@x"])
    #expect(
      String(decoding: mail.bytes, as: UTF8.self)
        == "From: a@b\r\nTo: Name <to@x>\r\nCc: g: cc@x;\r\nX-Bcc: kept@x\r\nDate: x\r\nMessage-ID: <m@b>\r\n\r\nBcc: body@x\r\n"
    )
    #expect(mail.envelope.recipients.map(\.description) == ["to@x"])
    let all = try finish(
      "From: a@b\nBcc: one@x,\n two@x\nTo: Name <to@x>\nbCC : three@x\nCc: g: cc@x, TO@x, to@X;\n\nx")
    #expect(
      all.envelope.recipients.map(\.description) == ["to@x", "cc@x", "TO@x", "one@x", "two@x", "three@x"])
    #expect(!String(decoding: all.bytes, as: UTF8.self).lowercased().contains("bcc"))
  }

  @Test func `missing Date, Message-ID and From fields are added`() throws {
    #expect(
      String(
        decoding: try finish("Subject: x\n\nbody\n", recipients: ["to@x"], from: "파발 <me@한국.kr>").bytes,
        as: UTF8.self)
        == "Subject: x\r\nDate: Sat, 24 Oct 2026 21:03:04 +0900\r\nMessage-ID: <1C60T3GF208H44RM2MB1E60S@xn--3e0b707e.kr>\r\n"
        + "From: =?utf-8?B?7YyM67Cc?= <me@xn--3e0b707e.kr>\r\n\r\nbody\r\n")
    // Without From, the domain of the Message-ID comes from the sender.
    #expect(
      try finish("From: a@b\n\n", sender: .address(Address("s@t")), recipients: ["to@x"]).messageID.hasSuffix(
        "@t>"))
    #expect(throws: MailError.self) { try finish("Subject: x\n\nbody", recipients: ["to@x"]) }
    #expect(throws: MailError.self) {
      try finish("Subject: x\n\nbody", sender: .null, recipients: ["to@x"])
    }
  }

  @Test func `the envelope's sender is the author unless it is given`() throws {
    func sender(_ header: String, _ sender: EnvelopeSender = .author) throws -> String? {
      try finish(header + "\nTo: c@d\n\n", sender: sender).envelope.sender?.description
    }
    #expect(try sender("From: Name <a@b>") == "a@b")
    #expect(try sender("From: a@b, c@d\nSender: e@f") == "e@f")
    #expect(try sender("From: a@b\nSender: e@f") == "a@b")
    #expect(try sender("From: a@b", .address(Address("x@y"))) == "x@y")
    #expect(try sender("From: a@b", .null) == nil)
    #expect(try sender("From: not readable\nMessage-ID: <x@y>", .address(Address("x@y"))) == "x@y")
    #expect(throws: MailError.self) { try sender("From: a@b, c@d") }
    #expect(throws: MailError.self) { try sender("From: a@b, c@d\nSender: e@f, g@h") }
    #expect(throws: MailError.self) { try sender("From: not readable") }
    #expect(throws: MailError.self) { try sender("From: undisclosed:;") }
    #expect(throws: MailError.self) { try sender("From: a@b\nFrom: c@d") }
  }

  @Test func `recipients are taken from the header only if they are unambiguous`() throws {
    #expect(throws: MailError.self) { try finish("From: a@b\n\n") }
    #expect(throws: MailError.self) { try finish("From: a@b\nTo: undisclosed:;\n\n") }
    #expect(throws: MailError.self) { try finish("From: a@b\nTo: a b c\n\n") }
    #expect(throws: MailError.self) { try finish("From: a@b\nTo: c@d\n\n", recipients: []) }
    #expect(try finish("From: a@b\nTo: a b c\n\n", recipients: ["x@y"]).envelope.recipients.count == 1)
    // The original recipients must not get the mail twice.
    let resent = "Resent-From: x@y\nResent-To: z@y\nFrom: a@b\nTo: c@d\n\n"
    #expect(throws: MailError.self) { try finish(resent) }
    let given = String(decoding: try finish(resent, recipients: ["z@y"]).bytes, as: UTF8.self)
    #expect(given.hasPrefix("Resent-From: x@y\r\nResent-To: z@y\r\nFrom: a@b\r\nTo: c@d\r\n"))
  }

  @Test(arguments: [
    "", " folded: first\n\nx", "From a@b Sat Oct 24 21:03:04 2026\nFrom: a@b\n\n", "no colon\n\n",
    "From: a@b\nno colon\n\n", ": x\n\n", "a b: c\n\n",
    "Sübject: x\n\n", "Sub\0ject: x\n\n", "Subject: \0\n\n", "From: a@b\n \0\n\n",
    "From: a@b\n\u{FEFF}To: x\n\n", "\u{FEFF}From: a@b\n\n",
    "From: a@b\nSubject: " + String(repeating: "x", count: 990) + "\n " + String(repeating: "x", count: 998)
      + "\n\n",
    "From: a@b\n " + String(repeating: "x", count: 998) + "\n\n",
  ])
  func `an invalid header is rejected with its line number`(text: String) {
    let problem = #expect(throws: MailError.self) { try RawMail(Array(text.utf8)) }
    #expect(problem?.field.hasPrefix("header line ") == true || text.isEmpty)
    #expect(
      problem?.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
  }

  @Test func `a header that isn't UTF-8 is rejected`() {
    let bytes = Array("From: a@b\nTo: c@d\nSubject: ".utf8) + [0xC7, 0xD1, 0xB1, 0xE7] + Array("\n\n".utf8)
    let problem = #expect(throws: MailError.self) { try RawMail(bytes) }
    #expect(problem?.field == "header line 3")
  }

  @Test func `a header line has at most 998 bytes`() throws {
    let subject = "Subject: " + String(repeating: "x", count: 989)
    #expect(try bytes(header + subject + "\r\n\r\n") == header + subject + "\r\n\r\n")
  }

  @Test func `a mail needs the SMTP extensions for its content`() throws {
    func needs(_ text: String, sender: EnvelopeSender = .author, recipients: [String]? = nil) throws -> [Bool]
    {
      let mail = try finish(text, sender: sender, recipients: recipients)
      return [mail.needsSMTPUTF8, mail.needs8BitMIME]
    }
    #expect(try needs(header + "\r\nASCII") == [false, false])
    #expect(try needs(header + "\r\nASCII and then 8 bit: é") == [false, true])
    #expect(try needs(header + "\r\né") == [false, true])
    #expect(try needs(header + "Subject: é\r\n\r\nASCII") == [true, true])
    #expect(try needs(header + "Bcc: é@b\r\n\r\nASCII") == [true, false])
    #expect(try needs(header + "Bcc: é <e@b>\r\n\r\nASCII") == [false, false])
    #expect(try needs(header + "\r\nASCII", recipients: ["é@b"]) == [true, false])
    #expect(try needs(header + "\r\nASCII", recipients: ["a@é.example"]) == [false, false])
    #expect(try needs(header + "\r\nASCII", sender: .address(Address("é@b"))) == [true, false])
  }

  @Test(arguments: [
    ("<m@b>", "<m@b>"), ("\r\n <m@b>", "<m@b>"), ("<m@b> (comment)", "<m@b>"), ("m@b", ""), ("", ""),
    ("<m b>", ""), ("<m\r\n b>", ""), (">x<", ""),
  ])
  func `a valid Message-ID is read and an invalid one is kept`(value: String, id: String) throws {
    let text = "From: a@b\r\nTo: c@d\r\nDate: x\r\nMessage-ID: \(value)\r\n\r\nx\r\n"
    #expect(try finish(text).messageID == id)
    #expect(try bytes(text) == text)
  }

  @Test func `a finished draft is kept unchanged`() throws {
    let draft = MailDraft(
      from: try Mailbox("파발 <you@gmail.com>"), to: [try Mailbox("a@b")], subject: "가장 높은 산", text: "x\n",
      html: "<p>é</p>")
    let mail = try draft.finish(identity: .fixed)
    let again = try RawMail(mail.bytes).finish(identity: .fixed)
    #expect(again.bytes == mail.bytes)
    #expect(again.envelope == mail.envelope)
    #expect(again.messageID == mail.messageID)
    #expect(!again.needs8BitMIME)
  }
}
