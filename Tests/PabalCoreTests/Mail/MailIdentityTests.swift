import PabalCore
import Testing

@Suite struct MailIdentityTests {
  private func date(_ milliseconds: Int64, utcOffset: Int = 0) throws -> String {
    let address = Mailbox(try Address("a@b"))
    let identity = MailIdentity(milliseconds: milliseconds, utcOffset: utcOffset, random: [])
    let mail = try MailDraft(from: address, to: [address], subject: "x", text: "x").finish(identity: identity)
    let line = try #require(String(decoding: mail.bytes, as: UTF8.self).split(separator: "\r\n").first)
    return String(line.dropFirst("Date: ".count))
  }

  @Test(
    arguments: [
      (0, 0, "Thu, 01 Jan 1970 00:00:00 +0000"), (-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"),
      (951_782_400_000, 0, "Tue, 29 Feb 2000 00:00:00 +0000"),
      (951_782_400_999, -1, "Mon, 28 Feb 2000 23:59:00 -0001"),
      (1_709_164_800_000, 540, "Thu, 29 Feb 2024 09:00:00 +0900"),
      (1_709_164_800_000, -210, "Wed, 28 Feb 2024 20:30:00 -0330"),
      (1_767_225_599_000, 345, "Thu, 01 Jan 2026 05:44:59 +0545"),
      (4_102_444_800_000, 0, "Fri, 01 Jan 2100 00:00:00 +0000"),
      (4_107_542_399_000, 1, "Mon, 01 Mar 2100 00:00:59 +0001"),
    ] as [(Int64, Int, String)])
  func `a date has the format of RFC 5322`(milliseconds: Int64, utcOffset: Int, date: String) throws {
    #expect(try self.date(milliseconds, utcOffset: utcOffset) == date)
  }

  @Test func `ids have 26 characters and sort by time`() {
    #expect(MailIdentity.fixed.id == "01M5PWP165041061050R3GG28A")
    #expect(MailIdentity(milliseconds: 0, utcOffset: 0, random: []).id == String(repeating: "0", count: 26))
    let last = MailIdentity(milliseconds: 1 << 48 - 1, utcOffset: 0, random: repeatElement(255, count: 40))
    #expect(last.id == "7" + String(repeating: "Z", count: 25))
    let ids = [0, 1, 31, 32, 1_000_000_000_000, 1_792_843_384_005].map { time in
      MailIdentity(
        milliseconds: time, utcOffset: 0, random: repeatElement(UInt8(time & 1 == 0 ? 255 : 0), count: 40)
      )
      .id
    }
    #expect(ids == ids.sorted())
  }

  @Test func `two identities are never equal`() {
    let identities = (0..<1_000).map { _ in MailIdentity.now() }
    #expect(Set(identities.map(\.id)).count == identities.count)
    #expect(
      identities.allSatisfy { $0.id.utf8.count == 26 && $0.id.utf8.allSatisfy { (0x30...0x5A).contains($0) } }
    )
    #expect(identities.map { $0.id.prefix(10) } == identities.map { $0.id.prefix(10) }.sorted())
  }
}
