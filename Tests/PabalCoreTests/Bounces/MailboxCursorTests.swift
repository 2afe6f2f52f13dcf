import PabalTesting
import Testing

@testable import PabalCore

/// Which mails of a mailbox a round reads, and what it remembers.
@Suite struct MailboxCursorTests {
  @Test func `rounds go on from the oldest mail until nothing is left`() {
    var cursor = MailboxCursor(after: Timestamp(milliseconds: 1))
    let found = (1...5).reversed().map(String.init)
    var rounds: [[String]] = []
    var isComplete = false
    while !isComplete, rounds.count < 10 {
      let round = cursor.unread(of: found, limit: 2)
      cursor.ids.formUnion(round.ids)
      rounds.append(round.ids)
      isComplete = round.isComplete
    }
    #expect(rounds == [["1", "2"], ["3", "4"], ["5"]])
    #expect(cursor.unread(of: found, limit: 2) == ([], true))
  }

  @Test func `as many mails as a round reads are a complete round`() {
    var cursor = MailboxCursor(after: Timestamp(milliseconds: 1))
    #expect(cursor.unread(of: ["2", "1"], limit: 2) == (["1", "2"], true))
  }

  @Test func `mails that aren't found any more are forgotten`() {
    var cursor = MailboxCursor(after: Timestamp(milliseconds: 1), ids: ["old", "1"])
    #expect(cursor.unread(of: ["2", "1"], limit: 2) == (["2"], true))
    #expect(cursor.ids == ["1"])
  }

  @Test func `stored bytes are read again, and others aren't`() {
    let cursor = MailboxCursor(after: Timestamp(milliseconds: 1_796_128_431_068), ids: ["a", "b"])
    #expect(MailboxCursor(cursor.bytes) == cursor)
    #expect(MailboxCursor([]) == nil && MailboxCursor(Array("x\na".utf8)) == nil)
  }
}
