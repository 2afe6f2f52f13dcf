import PabalCore
import Testing

@testable import PabalSubmission

@Suite struct `The pieces in which input arrives` {
  /// Dialogues as the flights that a client sends before it waits for replies.
  private static let dialogues = [
    [
      "EHLO client\r\n", "MAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<c@d>\r\nDATA\r\n",
      "a: b\r\n\r\n..\r\n.x\r\n.\r\nQUIT\r\n",
    ],
    [
      "HELO client\r\n",
      "MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\na:b\r\nBDAT 7 LAST\r\n\r\n.\r\nxyRSET\r\nNOOP\r\n",
    ],
    [
      "EHLO client\r\n", "STARTTLS\r\n", "EHLO client\r\n", "AUTH LOGIN\r\n", "a2lt\r\n", "c2VjcmV0\r\n",
      "QUIT\r\nNOOP\r\n",
    ],
    [
      "EHLO client\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
      "a\n.\r\nb\0\r.\r\n\r\n.\r\nNOOP\r\n",
    ],
    ["EHLO client\r\n", "FOO\r\nNOOP \u{1}\r\n\r\nMAIL FROM:<é@b>\r\nGET / HTTP/1.1\r\nNOOP\r\n"],
    ["EHLO client\r\n", "NOOP\r\nNOOP\nMAIL FROM:<a@b>\r\n"],
    ["EHLO client\r\n", "BDAT 4 LAST\r\nRSETBDAT 2\r\n\r\nBDAT x\r\nRSET\r\n"],
    [String(repeating: "x", count: 20_000) + "\r\nNOOP\r\n"],
  ]

  private struct Result: Equatable {
    var output: [UInt8]
    var mails: [[UInt8]]
    var isClosed: Bool
  }

  private func result(_ flights: [String], _ split: (Int, [UInt8]) -> [ArraySlice<UInt8>]) -> Result {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.offersTLS = true
    var dialogue = Dialogue(policy)
    for (index, flight) in flights.enumerated() {
      for piece in split(index, Array(flight.utf8)) { dialogue.feed(piece) }
    }
    return Result(
      output: dialogue.output, mails: dialogue.submissions.map(\.bytes), isClosed: dialogue.isClosed)
  }

  @Test(arguments: dialogues) func `don't matter`(_ flights: [String]) {
    let whole = result(flights) { [$1[...]] }
    #expect(whole == result(flights) { _, bytes in bytes.indices.map { bytes[$0...$0] } })
    for (flight, text) in flights.enumerated() {
      let count = text.utf8.count
      for border in stride(from: 0, through: count, by: count > 1_000 ? 499 : 1) {
        let split = result(flights) { $0 == flight ? [$1[..<border], $1[border...]] : [$1[...]] }
        #expect(split == whole, "flight \(flight) split at \(border)")
      }
    }
  }
}

@Suite struct `Any dialogue` {
  private static let fragments: [String] = [
    "EHLO client\r\n", "HELO a\r\n", "MAIL FROM:<a@b>\r\n", "MAIL FROM:<> SIZE=10\r\n", "RCPT TO:<c@d>\r\n",
    "RCPT TO:<>\r\n", "DATA\r\n", "DATA\r\n", ".\r\n", "\r\n.\r\n", "\n.\n", "\r", "\n", "\0", ".",
    "text\r\n", "..a\r\n",
    "BDAT 5\r\nabcde", "BDAT 2 LAST\r\n\r\n", "BDAT 9 LAST\r\n", "BDAT 1\r\n", "RSET\r\n", "NOOP\r\n",
    "VRFY x\r\n",
    "HELP\r\n", "AUTH PLAIN AGtpbQBz\r\n", "AUTH LOGIN\r\n", "a2lt\r\n", "*\r\n", "STARTTLS\r\n",
    "FOO \u{7F}\r\n", "é\r\n",
    "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 2 LAST\r\n\r\n", "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
    "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\n", "\r\n", "MAIL FROM:<\u{AC00}@b> SMTPUTF8\r\n",
    "BDAT 99999999999999999999\r\n", "QUIT\r\n",
    "GET / HTTP/1.1\r\n",
  ]

  @Test func `queues at most one mail for each content, and its replies are well formed`() {
    var generator = Generator(state: 16)
    var queued = 0
    for _ in 0..<5_000 {
      var policy = SMTPSessionPolicy()
      policy.hasUsers = true
      policy.offersTLS = Bool.random(using: &generator)
      policy.allowsPlaintextLogin = Bool.random(using: &generator)
      policy.acceptsLF = Bool.random(using: &generator)
      policy.acceptsBatch = Bool.random(using: &generator)
      policy.maxSize = 20
      policy.maxErrors = 10
      var dialogue = Dialogue(policy)
      var script = Array("EHLO client\r\n".utf8)
      for _ in 0..<Int.random(in: 1...16, using: &generator) {
        script += Array((Self.fragments.randomElement(using: &generator) ?? "").utf8)
      }
      var start = 0
      while start < script.count {
        // A client that waits for replies ends most pieces with a line.
        var end = start + Int.random(in: 1...8, using: &generator)
        if Bool.random(using: &generator) {
          end = (script[start...].firstIndex(of: 0x0A) ?? script.count - 1) + 1
        }
        end = min(end, script.count)
        dialogue.feed(script[start..<end])
        start = end
      }
      dialogue.end()
      #expect(dialogue.isClosed)
      let text = String(decoding: script, as: UTF8.self)
      let ends = dialogue.codes.count { $0 == 354 } + text.components(of: " LAST\r\n")
      let replies = String(decoding: dialogue.output, as: UTF8.self)
      #expect(dialogue.submissions.count <= ends, "\(text)")
      #expect(dialogue.submissions.count == replies.components(of: "queued as"), "\(text)")
      #expect(isWellFormed(dialogue.output), "\(replies)")
      #expect(dialogue.submissions.allSatisfy { hasOnlyCRLF($0.bytes) && $0.bytes.count <= 20 })
      queued += dialogue.submissions.count
    }
    // The dialogues are worth something only if some of them queue mail.
    #expect(queued > 100)
  }

  /// SplitMix64, so that a failure can be repeated.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      return mixed ^ (mixed >> 31)
    }
  }

  private func hasOnlyCRLF(_ bytes: [UInt8]) -> Bool {
    bytes.indices.allSatisfy { index in
      switch bytes[index] {
      case 0x0A: index > 0 && bytes[index - 1] == 0x0D
      case 0x0D: index + 1 < bytes.count && bytes[index + 1] == 0x0A
      case 0: false
      default: true
      }
    }
  }

  private func isWellFormed(_ output: [UInt8]) -> Bool {
    guard output.suffix(2).elementsEqual([0x0D, 0x0A]) else { return false }
    return output.dropLast().split(separator: 0x0A, omittingEmptySubsequences: false).allSatisfy { line in
      let line = line.last == 0x0D ? line.dropLast() : line
      return (4...510).contains(line.count) && line.prefix(3).allSatisfy { (0x30...0x39).contains($0) }
        && (line.dropFirst(3).first == 0x20 || line.dropFirst(3).first == 0x2D)
        && line.allSatisfy { (0x20...0x7E).contains($0) }
    }
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
