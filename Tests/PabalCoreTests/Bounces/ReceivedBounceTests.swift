import PabalTesting
import Testing

@testable import PabalCore

/// Which received mails are bounces, of what, and for whom.
@Suite struct ReceivedBounceTests {
  private func read(_ text: String, lineEnd: String = "\r\n") -> ReceivedBounce? {
    ReceivedBounce(Array(text.replacing("\n", with: lineEnd).utf8))
  }

  private func summary(_ bounce: ReceivedBounce?) -> [String] {
    bounce?.recipients.map {
      "\($0.addresses.map(\.description).joined(separator: ",")) \($0.isFailed ? "failed" : "delayed") \($0.status ?? "-")"
    } ?? []
  }

  @Test(arguments: ["\r\n", "\n"])
  func `a bounce of Gmail names its recipient and both Message-IDs`(_ lineEnd: String) throws {
    let bounce = try #require(read(SampleBounces.gmail, lineEnd: lineEnd))
    #expect(bounce.messageIDs == ["<CAF0rig@mail.gmail.com>"])
    #expect(summary(bounce) == ["nosuchuser@example.org failed 5.1.1"])
    #expect(bounce.recipients[0].isAddressAtFault)
  }

  @Test(arguments: [
    ("5.1.1", true), ("5.1.2", true), ("5.1.10", true), ("5.2.1", true), ("5.1.8", false), ("5.1.90", false),
    ("5.2.121", false), ("5.4.1", false), ("5.4.6", false), ("5.5.0", false), ("5.0.0", false),
    ("4.1.1", false),
  ])
  func `only codes that say the address doesn't exist put it on the list`(_ status: String, _ expected: Bool)
    throws
  {
    let text = SampleBounces.gmail.replacing("Status: 5.1.1\n", with: "Status: \(status)\n")
      .replacing("550-5.1.1", with: "550")
    let bounce = try #require(ReceivedBounce(Array(text.utf8)))
    #expect(bounce.recipients.map(\.isAddressAtFault) == [expected], "\(bounce.recipients)")
  }

  @Test func `a delay notice of Gmail isn't a failure`() throws {
    let notice = SampleBounces.gmail.replacing("Action: failed", with: "Action: delayed")
      .replacing("Status: 5.1.1", with: "Status: 4.4.1")
    let bounce = try #require(read(notice))
    #expect(summary(bounce) == ["nosuchuser@example.org delayed 4.4.1"])
    #expect(!bounce.recipients[0].isAddressAtFault)
  }

  @Test func `a report of Exchange Online has its recipients and the id of the returned mail`() throws {
    let bounce = try #require(read(SampleBounces.exchange))
    #expect(bounce.messageIDs == ["<m1@shop.example>", "<other@shop.example>"])
    #expect(
      summary(bounce) == [
        "kim@contoso.example failed 5.1.10", "lee@contoso.example failed 5.7.1",
        "park@contoso.example failed 5.2.2",
      ])
    #expect(bounce.recipients.map(\.isAddressAtFault) == [true, false, false])
  }

  @Test func `a bounce of Postfix with the header alone is read, with folded fields and the address as sent`()
    throws
  {
    let bounce = try #require(read(SampleBounces.postfix))
    #expect(bounce.messageIDs == ["<m1@shop.example>"])
    #expect(
      summary(bounce) == [
        "alias@example.org,user@host.example.net failed 5.1.1", "late@example.org failed 4.4.1",
      ])
    // Postfix gave up: that says nothing about the address.
    #expect(bounce.recipients.map(\.isAddressAtFault) == [true, false])
  }

  @Test func `an international report is read, escapes and transfer encodings included`() throws {
    let bounce = try #require(read(SampleBounces.international))
    #expect(bounce.messageIDs == ["<m1@shop.example>"])
    #expect(bounce.recipients.count == 1 && bounce.recipients[0].status == "5.1.1")
    #expect(bounce.recipients[0].addresses == [try Address("김@한.example")])
  }

  @Test func `a status is taken from the reply if the field is missing`() throws {
    let text = SampleBounces.gmail.replacing("Status: 5.1.1\n", with: "")
    #expect(summary(read(text)) == ["nosuchuser@example.org failed 5.1.1"])
    let plain = text.replacing("smtp; 550-5.1.1 The", with: "smtp; 550 The")
    #expect(summary(read(plain)) == ["nosuchuser@example.org failed 5.0.0"])
  }

  @Test(arguments: [
    ("550 5.1.1 User unknown", "5.1.1"), ("550 User unknown", "5.0.0"), ("451 4.2.1 later", "5.0.0"),
  ])
  func `a report of Exim, whose status is always general, has that of the reply`(
    _ reply: String, _ status: String
  ) throws {
    let text = SampleBounces.exim.replacing("550 5.1.1 User unknown", with: reply)
    let bounce = try #require(read(text))
    #expect(bounce.messageIDs == ["<m1@shop.example>"])
    #expect(summary(bounce) == ["kim@example.org failed \(status)"])
  }

  @Test(arguments: [
    ("a vacation reply", SampleBounces.vacation),
    ("a report that was forwarded", SampleBounces.forwarded),
    ("a report that was quoted", SampleBounces.quoted),
    ("a report that a list distributes", "List-Id: <staff.example.org>\n" + SampleBounces.postfix),
    ("a report that a person sent", "Auto-Submitted: no\n" + SampleBounces.postfix),
    ("a read receipt", SampleBounces.postfix.replacing("delivery-status", with: "disposition-notification")),
    ("a notice of success", SampleBounces.gmail.replacing("Action: failed", with: "Action: relayed")),
    ("a report about no mail", SampleBounces.anonymous),
    ("a report without recipients", SampleBounces.gmail.replacing("Final-Recipient", with: "X-Recipient")),
    (
      "an invalid address",
      SampleBounces.gmail.replacing("rfc822; nosuchuser@example.org", with: "rfc822; not-an-address")
    ),
    ("an ordinary mail", "From: a@b.example\nSubject: failed\n\nAction: failed\nStatus: 5.1.1\n"),
    ("nothing", ""),
  ])
  func `what isn't a bounce isn't read as one`(_ name: String, _ text: String) {
    #expect(read(text) == nil, "\(name)")
  }

  @Test func `every beginning of a bounce, and every byte replaced, is read without a trap`() {
    for sample in [SampleBounces.gmail, SampleBounces.postfix, SampleBounces.international] {
      let bytes = Array(sample.replacing("\n", with: "\r\n").utf8)
      for end in bytes.indices { _ = ReceivedBounce(Array(bytes[..<end])) }
      for byte in [0, 0x0A, 0x0D, UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "\\"), 0xFF] as [UInt8] {
        for index in stride(from: 0, to: bytes.count, by: 5) {
          var changed = bytes
          changed[index] = byte
          _ = ReceivedBounce(changed)
        }
      }
    }
  }

  @Test(.timeLimit(.minutes(1))) func `large and deeply nested input is cut off`() {
    let head = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
    let nested = String(repeating: head + "--b\n", count: 20_000)
    #expect(read(nested) == nil)
    let status =
      "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; m\n\n"
      + String(
        repeating: "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n", count: 20_000)
    let many = read("In-Reply-To: <m1@shop.example>\n" + head + status)
    #expect(many?.recipients.count == 1_000)
    let folded =
      "--b\nContent-Type: message/delivery-status\n\nAction: failed\n"
      + String(repeating: " x\n", count: 300_000)
    #expect(read(head + folded) == nil)
  }
}
