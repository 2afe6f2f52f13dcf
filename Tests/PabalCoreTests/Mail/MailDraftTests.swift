import PabalCore
import Testing

@Suite struct MailDraftTests {
  @Test func `the first case of all is right to the octet`() throws {
    let draft = MailDraft(
      from: try Mailbox("Pabal <you@gmail.com>"), to: [try Mailbox("someone@example.com")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.", language: "ko", autoSubmitted: true)
    let mail = try draft.finish(stamp: .fixed)
    #expect(
      String(decoding: mail.octets, as: UTF8.self)
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

  @Test(arguments: MailReader.allCases)
  func `the first case of all is read back by others`(reader: MailReader) async throws {
    let draft = MailDraft(
      from: try Mailbox("파발 <you@gmail.com>"), to: [try Mailbox("\"Kim, 'C' \\\"x\\\"\" <a@b.example>")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.", html: "<p>인증번호는 <b>123456</b>입니다.</p>")
    let read = try await reader.read([draft.finish(stamp: .fixed).octets])
    let mail = try #require(read.first)
    #expect(mail.subject == "회원가입 인증번호")
    #expect(mail.text == "인증번호는 123456입니다.\n")
    #expect(mail.html == "<p>인증번호는 <b>123456</b>입니다.</p>\n")
    #expect(mail.from == [["파발", "you@gmail.com"]])
    #expect(mail.to == [["Kim, 'C' \"x\"", "a@b.example"]])
    #expect(mail.defects == [])
  }
}

extension MailStamp {
  /// 2026-10-24 21:03:04 in Seoul.
  static let fixed = MailStamp(
    milliseconds: 1_792_843_384_005, zone: 540, random: (1...40).lazy.map { UInt8($0) })
}
