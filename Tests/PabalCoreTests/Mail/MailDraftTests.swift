import PabalCore
import Testing

@Suite struct MailDraftTests {
  @Test func `a simple draft yields the expected bytes`() throws {
    let draft = MailDraft(
      from: try Mailbox("Pabal <you@gmail.com>"), to: [try Mailbox("someone@example.com")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.", language: "ko", autoSubmitted: true)
    let mail = try draft.finish(identity: .fixed)
    #expect(
      String(decoding: mail.bytes, as: UTF8.self)
        == [
          "Date: Sat, 24 Oct 2026 21:03:04 +0900",
          "From: Pabal <you@gmail.com>",
          "To: someone@example.com",
          "Subject: =?utf-8?B?7ZqM7JuQ6rCA7J6FIOyduOymneuyiO2YuA==?=",
          "Message-ID: <1C60T3GF208H44RM2MB1E60S@gmail.com>",
          "Auto-Submitted: auto-generated",
          "X-Auto-Response-Suppress: All",
          "Content-Language: ko",
          "MIME-Version: 1.0",
          "Content-Type: text/plain; charset=utf-8",
          "Content-Transfer-Encoding: base64",
          "",
          "7J247Kad67KI7Zi464qUIDEyMzQ1NuyeheuLiOuLpC4NCg==",
          "",
        ].joined(separator: "\r\n"))
    #expect(mail.messageID == "<1C60T3GF208H44RM2MB1E60S@gmail.com>")
    #expect(mail.envelope.sender?.description == "you@gmail.com")
    #expect(mail.envelope.recipients.map(\.description) == ["someone@example.com"])
    #expect(!mail.needsSMTPUTF8)
    #expect(!mail.needs8BitMIME)
  }

  @Test(arguments: ExternalMailParser.allCases)
  func `other parsers read a simple draft`(reader: ExternalMailParser) async throws {
    let draft = MailDraft(
      from: try Mailbox("파발 <you@gmail.com>"), to: [try Mailbox("\"Kim, 'C' \\\"x\\\"\" <a@b.example>")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.", html: "<p>인증번호는 <b>123456</b>입니다.</p>")
    let read = try await reader.read([draft.finish(identity: .fixed).bytes])
    let mail = try #require(read.first)
    #expect(mail.subject == "회원가입 인증번호")
    #expect(mail.text == "인증번호는 123456입니다.\n")
    #expect(mail.html == "<p>인증번호는 <b>123456</b>입니다.</p>\n")
    #expect(mail.from == [["파발", "you@gmail.com"]])
    #expect(mail.to == [["Kim, 'C' \"x\"", "a@b.example"]])
    #expect(mail.defects == [])
  }

  @Test func `Bcc is in the envelope and never in the bytes`() throws {
    let mail = try MailDraft(
      from: Mailbox("a@b"), to: [Mailbox("to@x")], cc: [Mailbox("Cc <cc@x>")],
      bcc: [Mailbox("Hidden <bcc@x>"), Mailbox("to@x")],
      replyTo: Mailbox("답장 <reply@x>"), subject: "x", text: "x", sender: .address(Address("bounce@y"))
    ).finish(identity: .fixed)
    #expect(mail.envelope.recipients.map(\.description) == ["to@x", "cc@x", "bcc@x"])
    #expect(mail.envelope.sender?.description == "bounce@y")
    let text = String(decoding: mail.bytes, as: UTF8.self)
    #expect(!text.lowercased().contains("bcc"))
    #expect(!text.contains("Hidden"))
    #expect(text.contains("\r\nReply-To: =?utf-8?B?64u17J6l?= <reply@x>\r\nTo: to@x\r\nCc: Cc <cc@x>\r\n"))
    let hidden = try MailDraft(
      from: Mailbox("a@b"), bcc: [Mailbox("bcc@x")], subject: "x", text: "x", sender: .null
    ).finish(identity: .fixed)
    #expect(hidden.envelope.sender == nil)
    #expect(String(decoding: hidden.bytes, as: UTF8.self).contains("\r\nTo: undisclosed-recipients:;\r\n"))
    #expect(!String(decoding: hidden.bytes, as: UTF8.self).contains("bcc@x"))
  }

  @Test(arguments: ExternalMailParser.allCases)
  func `many recipients are folded and other parsers find all of them`(reader: ExternalMailParser)
    async throws
  {
    let to = try (0..<500).map {
      try Mailbox(
        "\($0 % 3 == 0 ? "이름 \($0)" : $0 % 3 == 1 ? "\"Kim, \($0)\"" : "") <somebody.\($0)@example.com>")
    }
    let mail = try MailDraft(from: Mailbox("a@b"), to: to, subject: "x", text: "x").finish(identity: .fixed)
    for line in String(decoding: mail.bytes, as: UTF8.self).split(separator: "\r\n") {
      #expect(line.utf8.count <= 78)
    }
    let read = try #require(try await reader.read([mail.bytes]).first)
    #expect(read.to == to.map { [$0.name ?? "", $0.address.description] })
  }

  @Test(arguments: ExternalMailParser.allCases)
  func `international addresses use A-labels, and UTF-8 only if necessary`(
    reader: ExternalMailParser
  )
    async throws
  {
    let plain = try MailDraft(
      from: Mailbox("파발 <a@한국.kr>"), to: [Mailbox("c@bücher.example")], subject: "안녕", text: "안녕"
    ).finish(identity: .fixed)
    #expect(plain.bytes.allSatisfy { $0 < 0x80 })
    #expect(!plain.needsSMTPUTF8 && !plain.needs8BitMIME)
    let raw = try MailDraft(from: Mailbox("파발 <파발@한국.kr>"), to: [Mailbox("c@d")], subject: "안녕", text: "안녕")
      .finish(identity: .fixed)
    #expect(raw.needsSMTPUTF8 && raw.needs8BitMIME)
    #expect(raw.messageID.hasSuffix("@xn--3e0b707e.kr>"))
    let hidden = try MailDraft(
      from: Mailbox("a@b"), to: [Mailbox("c@d")], bcc: [Mailbox("파발@한국.kr")], subject: "x", text: "x"
    ).finish(identity: .fixed)
    #expect(hidden.needsSMTPUTF8 && !hidden.needs8BitMIME)
    #expect(hidden.bytes.allSatisfy { $0 < 0x80 })
    let read = try await reader.read([plain.bytes, raw.bytes])
    #expect(read[0].from == [["파발", "a@xn--3e0b707e.kr"]])
    #expect(read[0].to == [["", "c@xn--bcher-kva.example"]])
    #expect(read[1].subject == "안녕")
    // Email::MIME doesn't support RFC 6532.
    if reader == .python { #expect(read[1].from == [["파발", "파발@xn--3e0b707e.kr"]]) }
  }
}

extension MailIdentity {
  /// 2026-10-24 21:03:04 in Seoul.
  static let fixed = MailIdentity(
    milliseconds: 1_792_843_384_005, utcOffset: 540, random: (1...40).lazy.map { UInt8($0) })
}
