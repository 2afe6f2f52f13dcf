import PabalCore
import Testing

@testable import PabalSubmission

/// Content that some server takes for the end of a mail, and the commands of a second one behind it.
private let endings = [
  "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r", "\r.\n", "\n.\r", "\r\n\0.\r\n", "\0\r\n.\n",
  "\r\n.\0\r\n", "\r\n.\r\0\n", "\r\r\n.\n", "\n\n.\r\n", "\r\n.\r\r\n", "\n\r.\n\r", "\u{85}.\u{85}",
  "\u{2028}.\u{2028}",
]

@Suite struct `The end of a mail` {
  private static let second = "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nsecond\r\n"

  /// The content of the only mail, or `nil` if there is none. It is fed in pieces of `size` bytes.
  private func take(_ content: String, pieces size: Int, byChunks: Bool = false) -> [[UInt8]] {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n")
    if !byChunks { dialogue.send("DATA\n") }
    var bytes = Array(content.utf8)
    if byChunks { bytes = Array("BDAT \(bytes.count) LAST\r\n".utf8) + bytes }
    for start in stride(from: 0, to: bytes.count, by: size) {
      dialogue.feed(bytes[start..<min(start + size, bytes.count)])
    }
    #expect(dialogue.submissions.allSatisfy { $0.recipients.map(\.description) == ["c@d"] })
    #expect(dialogue.send("NOOP\n") == "250 2.0.0 OK\n")
    return dialogue.submissions.map(\.bytes)
  }

  @Test(arguments: endings) func `is CRLF, dot, CRLF, and nothing else`(_ ending: String) {
    let content = "first\(ending)\(Self.second)"
    for size in [1, 2, 3, 5, 7, 1_000] {
      let isText = ending.contains("\u{85}") || ending.contains("\u{2028}")
      let expected = isText ? [Array(content.utf8)] : []
      #expect(take(content + ".\r\n", pieces: size) == expected)
      #expect(take(content, pieces: size, byChunks: true) == expected)
    }
  }

  @Test(arguments: endings) func `isn't found across the borders of chunks`(_ ending: String) {
    let content = Array("first\(ending)\(Self.second)".utf8)
    for border in 0...content.count {
      var dialogue = Dialogue()
      dialogue.send("EHLO client\n")
      dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n")
      dialogue.feed(Array("BDAT \(border)\r\n".utf8) + content[..<border])
      dialogue.feed(Array("BDAT \(content.count - border) LAST\r\n".utf8) + content[border...])
      #expect(dialogue.submissions.allSatisfy { $0.bytes == content })
      #expect(dialogue.submissions.count <= 1)
      #expect(dialogue.send("NOOP\n") == "250 2.0.0 OK\n")
    }
  }

  @Test func `of refused content is waited for, and then there is one reply`() {
    for content in ["a\nb\r\n", "a\rb\r\n", "a\0b\r\n", "\n", "a\nb\0c\rd\r\n"] {
      var dialogue = Dialogue()
      dialogue.send("EHLO client\n")
      dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n")
      let count = dialogue.codes.count
      dialogue.feed(content.utf8)
      #expect(dialogue.codes.count == count)
      #expect(dialogue.send("more\n\n.\n").hasPrefix("550 5.6.0"))
      #expect(dialogue.codes.count == count + 1)
      #expect(dialogue.submissions.isEmpty)
      // The mail is over, the session isn't.
      #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("250"))
    }
  }

  @Test func `never comes if the client goes away`() {
    for input in ["MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n", "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nBDAT 9 LAST\n"] {
      var dialogue = Dialogue()
      dialogue.send("EHLO client\n")
      dialogue.send(input)
      #expect(dialogue.session.isReceivingContent || input.contains("BDAT"))
      dialogue.send("cut\n.")
      dialogue.end()
      #expect(dialogue.submissions.isEmpty && dialogue.isClosed)
    }
  }

  @Test func `removes the dots that were added, and no others`() {
    for (sent, kept) in [
      (".\r\n", ""), ("..\r\n.\r\n", ".\r\n"), ("...\r\n.\r\n", "..\r\n"), (".a\r\n.\r\n", "a\r\n"),
      ("a.\r\n.\r\n", "a.\r\n"), ("\r\n..\r\n\r\n.\r\n", "\r\n.\r\n\r\n"),
      ("a\r\n.b\r\n..c\r\n.\r\n", "a\r\nb\r\n.c\r\n"),
    ] {
      for size in [1, 2, 3, 100] { #expect(take(sent, pieces: size) == [Array(kept.utf8)]) }
    }
  }
}

@Suite struct `The size of a mail` {
  private func dialogue(limit: Int) -> Dialogue {
    var policy = SMTPSessionPolicy()
    policy.maxSize = limit
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n")
    return dialogue
  }

  @Test func `is limited in DATA, and more is read but not kept`() {
    for (size, isAccepted) in [(98, true), (99, false), (200_000, false)] {
      var dialogue = dialogue(limit: 100)
      dialogue.send("DATA\n")
      for _ in 0..<size { dialogue.feed("x".utf8) }
      let reply = dialogue.send("\n.\n")
      #expect(reply.hasPrefix(isAccepted ? "250" : "552 5.3.4"), "\(size): \(reply)")
      #expect(dialogue.submissions.count == (isAccepted ? 1 : 0))
      #expect(dialogue.send("NOOP\n") == "250 2.0.0 OK\n")
    }
  }

  @Test func `is limited over all chunks`() {
    var dialogue = dialogue(limit: 10)
    #expect(dialogue.send("BDAT 6\n123456BDAT 4 LAST\n7890").hasSuffix("queued as ID1\n"))
    dialogue = self.dialogue(limit: 10)
    #expect(dialogue.send("BDAT 6\n123456").hasPrefix("250"))
    #expect(dialogue.send("BDAT 5\n78901").hasPrefix("552 5.3.4"))
    // What follows belongs to a mail that can't be completed.
    #expect(dialogue.send("BDAT 1\nx").hasPrefix("503"))
    #expect(dialogue.send("RCPT TO:<a@b>\n").hasPrefix("503"))
    #expect(dialogue.send("DATA\n").hasPrefix("503"))
    #expect(dialogue.send("BDAT 1 LAST\nx").hasPrefix("503"))
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("250"))
    #expect(dialogue.submissions.isEmpty)
  }

  @Test func `doesn't count the added dots`() {
    var dialogue = dialogue(limit: 10)
    dialogue.send("DATA\n")
    #expect(dialogue.send("..345678\n.\n").hasPrefix("552") == false)
    #expect(dialogue.submissions.first?.bytes.count == 9)
  }

  @Test func `of a chunk that is refused is skipped, its content isn't taken for commands`() {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    let content = "MAIL FROM:<evil@x>\nRCPT TO:<y@z>\n"
    let size = content.utf8.count + 2
    #expect(
      dialogue.send("BDAT \(size) LAST\n\(content)NOOP\n").split(separator: "\n").map { $0.prefix(3) } == [
        "503", "250",
      ])
    dialogue.send("MAIL FROM:<a@b>\n")
    #expect(
      dialogue.send("BDAT \(size)\n\(content)RCPT TO:<c@d>\n").split(separator: "\n").map { $0.prefix(3) }
        == ["503", "503"])
    #expect(dialogue.send("RSET\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nBDAT 0 LAST\n").hasSuffix("queued as ID1\n"))
  }

  @Test func `of chunks with a bare line end is refused at the chunk`() {
    for (chunks, replies) in [
      (["a\nb", "c"], ["550", "503"]), (["a\rb", "c"], ["550", "503"]), (["a\r", "\nb\r"], ["250", "550"]),
      (["a\r", "b"], ["250", "550"]), (["a\r", "", "\n"], ["250", "250", "250"]),
      (["a\0", "b"], ["550", "503"]),
    ] {
      var dialogue = Dialogue()
      dialogue.send("EHLO client\n")
      dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n")
      let start = dialogue.codes.count
      for (index, chunk) in chunks.enumerated() {
        let last = index == chunks.count - 1 ? " LAST" : ""
        dialogue.feed("BDAT \(chunk.utf8.count)\(last)\r\n\(chunk)".utf8)
      }
      #expect(dialogue.codes[start...].map(String.init) == replies, "\(chunks)")
    }
  }

  @Test func `is refused for now if the driver has no room for it, whatever else is on its way`() {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nBDAT 5\nab")
    #expect(dialogue.session.contentSize == 2)
    dialogue.session.refuseContent(SMTPReply(452, "4.3.1", "no room"))
    #expect(dialogue.session.contentSize == 0)
    // A client that has sent all chunks takes the last reply for that of the mail, so it isn't a permanent one.
    #expect(dialogue.send("cdeBDAT 1\nxBDAT 1 LAST\nx") == String(repeating: "452 4.3.1 no room\n", count: 3))
    #expect(dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n").hasSuffix("dot\n"))
    dialogue.session.refuseContent(SMTPReply(452, "4.3.1", "no room"))
    #expect(dialogue.send("x\n.\n") == "452 4.3.1 no room\n")
    #expect(dialogue.submissions.isEmpty)
  }

  @Test func `of a line that never ends doesn't grow the memory`() {
    var session = SMTPSession(SMTPSessionPolicy(), peer: .local)
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
    for _ in 0..<160 {
      session.append(piece)
      _ = session.next()
      #expect(session.bufferedBytes <= 12_290)
    }
    _ = session.takeOutput()
    session.append("\r\nNOOP\r\n".utf8)
    _ = session.next()
    #expect(Dialogue.codes(session.output) == [500, 250])
  }

  @Test func `of a command that ends with LF alone ends the session`() {
    for input in ["NOOP\n", "NOOP\nMAIL FROM:<a@b>\r\n", String(repeating: "x", count: 20_000) + "\n", "\n"] {
      var dialogue = Dialogue()
      dialogue.feed(input.utf8)
      #expect(dialogue.codes == [220, 500] && dialogue.isClosed)
    }
  }
}
