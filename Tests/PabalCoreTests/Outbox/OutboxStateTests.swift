import Foundation
import PabalTesting
import Testing

@testable import PabalCore

@Suite struct OutboxStateTests {
  /// The arrows in the diagram of the catalog's page on the outbox.
  private static func diagram() throws -> Set<String> {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appending(path: "Sources/PabalCore/PabalCore.docc/The-outbox.md"), encoding: .utf8)
    return Set(
      page.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        return words.count > 2 && words[1] == "->" ? "\(words[0]) -> \(words[2])" : nil
      })
  }

  @Test func `the diagram shows exactly the transitions that are allowed`() throws {
    var steps: Set<String> = []
    for state in OutboxState.allCases {
      for next in OutboxState.allCases where state.canTransition(to: next) {
        steps.insert("\(state.rawValue) -> \(next.rawValue)")
      }
    }
    #expect(try Self.diagram() == steps)
    #expect(steps.count == 11)
  }

  @Test(arguments: OutboxState.allCases.filter(\.isFinal))
  func `a mail in a final state can't be retried, cancelled or settled`(_ state: OutboxState) {
    let zero = Timestamp(milliseconds: 0)
    let lease = OutboxEntry.Lease(owner: "a", until: zero)
    var entry = OutboxEntry(id: "A", lane: .code, created: zero, content: [1]).claimed(by: lease)
    entry.end(state, at: zero)
    let before = entry
    let hasChanged = [entry.withdraw(as: .cancelled, at: zero), entry.expedite(at: zero)]
    #expect(hasChanged == [false, false])
    #expect(!entry.isLeased(by: "a", attempt: 1))
    #expect(entry == before)
    #expect(entry.content == nil)
  }

  @Test(arguments: OutboxState.allCases.filter { !OutboxState.waiting.canTransition(to: $0) && $0.isFinal })
  func `a mail that was never claimed can't end with an outcome`(_ state: OutboxState) async {
    // The state's raw value, because an exit test can capture only encodable values.
    await #expect(processExitsWith: .failure) { [name = state.rawValue as String] in
      let zero = Timestamp(milliseconds: 0)
      var entry = OutboxEntry(id: "A", lane: .code, created: zero, content: [1])
      if let state = OutboxState(rawValue: name) { entry.end(state, at: zero) }
    }
  }
}

@Suite struct OutboxValueTests {
  @Test(arguments: OutboxState.allCases)
  func `only final states allow no transition`(_ state: OutboxState) {
    let next = OutboxState.allCases.filter { state.canTransition(to: $0) }
    #expect(state.isFinal == next.isEmpty)
    #expect(!state.canTransition(to: state))
  }

  @Test func `content survives encoding and decoding`() throws {
    var content = OutboxContent(
      try .sample(
        to: ["one@example.org", "둘@example.org"], from: nil, bytes: [0, 255, 13, 10], needsSMTPUTF8: true))
    content.record(
      Receipt(recipients: [
        .init(address: try Address("둘@example.org"), outcome: .rejected, reply: "550 없는 주소")
      ]), unknown: .resend)
    let read = try OutboxContent(content.bytes, id: content.mail.id)
    #expect(read.mail.bytes == content.mail.bytes)
    #expect(read.mail.envelope == content.mail.envelope)
    #expect(read.mail.messageID == content.mail.messageID)
    #expect(read.mail.needsSMTPUTF8)
    #expect(!read.mail.needs8BitMIME)
    #expect(read.progress == content.progress)
    #expect(read.remaining?.envelope.recipients.map(\.description) == ["one@example.org"])
  }

  @Test func `truncated content and other versions are rejected`() throws {
    let bytes = OutboxContent(try .sample()).bytes
    let head = bytes.count - "Subject: x\r\n\r\nhello\r\n".utf8.count
    for count in 0..<head {
      #expect(throws: OutboxContent.FormatError.self) { try OutboxContent(Array(bytes[..<count]), id: "A") }
    }
    #expect(throws: OutboxContent.FormatError.self) { try OutboxContent([2] + bytes.dropFirst(), id: "A") }
  }

  @Test(
    arguments: [
      ("250 2.0.0 OK <a@b.c>", "250 2.0.0"), ("550-5.1.1 gone", "550 5.1.1"), ("421 bye", "421"),
      ("429", "429"),
      ("5501 x", nil), ("a@example.org 550", nil), ("", nil), ("550 5.1.1234 x", "550"),
      ("550 10.0.0.1 x", "550"),
      ("250 2.0.0", "250 2.0.0"), ("503\r\nHeld", "503"), ("127.0.0.1:25 is silent", nil),
      ("192.0.2.1 did not answer", nil), ("250: queued", nil), ("100 bytes were written", nil), ("12", nil),
    ] as [(String, String?)])
  func `only the status codes of a reply are kept`(_ reply: String, _ status: String?) {
    #expect(replyStatus(reply) == status)
  }

  @Test func `waits grow up to a limit and are spread by a fifth`() {
    let retryPolicy = DispatcherOptions().codeRetry
    #expect(
      (1...7).map { retryPolicy.wait(after: $0, jitter: 0.5) }
        == [5, 15, 45, 135, 300, 300, 300].map { .seconds($0) })
    #expect(retryPolicy.wait(after: 1, jitter: 0) == .seconds(4))
    #expect(retryPolicy.wait(after: 1_000_000, jitter: 0.5) == .seconds(300))
    let otherRetry = DispatcherOptions().otherRetry
    #expect(otherRetry.wait(after: 20, jitter: 0.5) == .seconds(7_200))
  }

  @Test(arguments: [1, 2, 5, 6, 7, 60, 600])
  func `a pace never lets more through in any period`(_ sends: Int) {
    let pace = Pace(sends: sends, per: .seconds(60))
    var state = TransportState()
    var sent: [Int64] = []
    for millisecond in stride(from: Int64(0), to: 300_000, by: 10) {
      let now = Timestamp(milliseconds: millisecond)
      while pace.availableSends(.code, exhaustedUntil: state.exhaustedUntil, at: now) > 0 {
        state.spend(pace, at: now)
        sent.append(millisecond)
      }
    }
    for (index, moment) in sent.enumerated() {
      let upTo = sent[index...].prefix { $0 < moment + 60_000 }.count
      #expect(upTo <= sends)
    }
    // The pace must not waste sends either.
    #expect(sent.count >= max(1, sends - pace.burst) * 4)
    let next = pace.next(.code, exhaustedUntil: state.exhaustedUntil, at: Timestamp(milliseconds: 300_000))
    #expect(pace.availableSends(.code, exhaustedUntil: state.exhaustedUntil, at: next) > 0)
  }
}
