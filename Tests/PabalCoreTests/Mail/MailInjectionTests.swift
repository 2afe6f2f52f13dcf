import PabalCore
import Testing

/// Attempts to inject header fields, recipients or mails.
@Suite struct MailInjectionTests {
  private static let attacks = [
    "x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "x\rBcc: evil@example.com", "x\r\n\r\nbody",
    "x\r\n.\r\nMAIL FROM:<evil@example.com>",
    "x\0y", "\0", "\r", "\n", "x\u{B}y", "x\u{C}y", "x\u{1C}y", "x\u{85}Bcc: evil@example.com",
    "x\u{2028}Bcc: evil@example.com",
    "x\u{2029}y", "x\u{7F}", "\u{8}", "x\ty", "x\r\n\tfolded", String(repeating: "x", count: 16_385),
    String(repeating: "가", count: 5_462),
  ]

  private func draft() throws -> MailDraft {
    let address = Mailbox(try Address("a@b"))
    return MailDraft(from: address, to: [address], subject: "x", text: "x")
  }

  private func refused(_ part: String, _ change: (inout MailDraft) throws -> Void) throws {
    var draft = try draft()
    let problem = #expect(throws: MailError.self, "\(part)") {
      try change(&draft)
      _ = try draft.finish(identity: .fixed)
    }
    #expect(
      problem?.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
    #expect((problem?.description.utf8.count ?? 0) < 1_000)
  }

  @Test(arguments: attacks) func `an injection attempt in any field is rejected`(attack: String) throws {
    let address = try Address("a@b")
    try refused("subject") { $0.subject = attack }
    try refused("language") { $0.language = attack }
    try refused("from") { $0.from = try Mailbox(name: attack, address: address) }
    try refused("to") { $0.to = [try Mailbox(name: attack, address: address)] }
    try refused("replyTo") { $0.replyTo = try Mailbox(name: attack, address: address) }
    try refused("mailbox") { $0.to = [try Mailbox("\(attack) <a@b>")] }
    try refused("quoted mailbox") { $0.to = [try Mailbox("\"\(attack)\" <a@b>")] }
    try refused("header") { $0.headers = [try HeaderField("X-Field", text: attack)] }
    try refused("verbatim header") { $0.headers = [try HeaderField("X-Field", verbatim: attack)] }
    try refused("header name") { $0.headers = [try HeaderField(attack, text: "x")] }
    for address in [attack, "\(attack)@b", "a@\(attack)", "\"\(attack)\"@b", "a@[\(attack)]"] {
      #expect(throws: AddressError.self, "\(address.debugDescription)") { try Address(address) }
      #expect(throws: MailError.self, "\(address.debugDescription)") { try Mailbox("<\(address)>") }
    }
  }

  @Test(arguments: ["ko", "en-GB", "zh-Hant-TW", "x-pabal", "de-1996"])
  func `a valid language tag is accepted`(
    tag: String
  ) throws {
    var draft = try draft()
    draft.language = tag
    let mail = String(decoding: try draft.finish(identity: .fixed).bytes, as: UTF8.self)
    #expect(mail.contains("\r\nContent-Language: \(tag)\r\n"))
  }

  @Test(arguments: [
    "", "-", "ko-", "-ko", "ko_KR", "ko--KR", "한국어", "languages", "ko, en", "../ko",
    "a-" + String(repeating: "b-", count: 40) + "c",
  ])
  func `an invalid language tag is refused`(tag: String) throws {
    try refused("language") { $0.language = tag }
  }

  @Test(arguments: [
    "", "X Field", "X:Field", "X-Fïeld", "Subject", "BCC", "to", "Content-Type", "content-transfer-encoding",
    "Resent-To", "Date", "MIME-Version", "Return-Path", String(repeating: "X", count: 65),
  ])
  func `a reserved or invalid header field is rejected`(name: String) {
    #expect(throws: MailError.self) { try HeaderField(name, text: "x") }
    #expect(throws: MailError.self) { try HeaderField(name, verbatim: "x") }
  }

  @Test func `a text field is encoded and a verbatim field is only folded`() throws {
    var draft = try draft()
    let link =
      "<https://example.com/" + String(repeating: "u", count: 80) + ">, <mailto:unsubscribe@example.com>"
    draft.headers = [
      try HeaderField("X-Note", text: "가장 높은 산"), try HeaderField("List-Unsubscribe", verbatim: link),
      try HeaderField("X-Empty", text: ""), try HeaderField("X-Looks", verbatim: "=?utf-8?Q?kept?="),
    ]
    let mail = String(decoding: try draft.finish(identity: .fixed).bytes, as: UTF8.self)
    #expect(
      mail.contains(
        "\r\nX-Note: =?utf-8?B?6rCA7J6lIOuGkuydgCDsgrA=?=\r\nList-Unsubscribe:\r\n <https://example.com/"
          + String(repeating: "u", count: 80)
          + ">,\r\n <mailto:unsubscribe@example.com>\r\nX-Empty:\r\nX-Looks: =?utf-8?Q?kept?=\r\n"))
    for value in ["é", "", " x", "x ", "a  b", String(repeating: "x", count: 900)] {
      #expect(throws: MailError.self) { try HeaderField("X-Field", verbatim: value) }
    }
  }

  @Test
  func `a body with NUL is rejected, and text that resembles a boundary or an end stays in its part`()
    async throws
  {
    try refused("text") { $0.text = "a\0b" }
    try refused("html") { $0.html = "a\0b" }
    try refused("nothing") { $0.text = nil }
    try refused("no recipient") { $0.to = [] }
    var draft = try draft()
    let attack =
      "x\r\n--=_38DHR78Y3WG228H34GJJC9S8--\r\n.\r\n\r\nFrom: evil@example.com\r\n--=_38DHR78Y3WG228H34GJJC9S8\r\n\r\nevil"
    draft.text = attack
    draft.html = attack
    let mail = try draft.finish(identity: .fixed)
    for reader in ExternalMailParser.allCases {
      let read = try #require(try await reader.read([mail.bytes]).first)
      #expect(read.text == attack.replacing("\r\n", with: "\n") + "\n")
      #expect(read.html == attack.replacing("\r\n", with: "\n") + "\n")
    }
    #expect(!mail.bytes.indices.contains { mail.bytes[$0...].starts(with: "\r\n.\r\n".utf8) })
  }
}
