/// What has been read of a mailbox that is searched: everything before a moment, and these mails since.
package struct MailboxCursor: Sendable, Hashable {
  /// The moment since which the mailbox is searched.
  package var after: Timestamp
  /// The ids of the mails since then that were read.
  package var ids: Set<String>

  /// A cursor.
  package init(after: Timestamp, ids: Set<String> = []) {
    self.after = after
    self.ids = ids
  }

  /// Reads stored bytes: the milliseconds, then the ids, on lines of their own.
  package init?(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard let milliseconds = lines.first.flatMap({ Int64($0) }) else { return nil }
    self.init(after: Timestamp(milliseconds: milliseconds), ids: Set(lines.dropFirst().map(String.init)))
  }

  /// The bytes that are stored.
  package var bytes: [UInt8] {
    Array((["\(after.milliseconds)"] + ids.sorted()).joined(separator: "\n").utf8)
  }

  /// Returns the mails that a round of at most `limit` reads of those that a search found, the newest first, and whether
  /// none remain for the next round. The oldest come first.
  ///
  /// Forgets the ids that aren't found any more, so that there are never more than the search returns.
  package mutating func unread(of found: [String], limit: Int) -> (ids: [String], isComplete: Bool) {
    let unread = found.reversed().filter { !ids.contains($0) }
    ids.formIntersection(found)
    return (Array(unread.prefix(limit)), unread.count <= limit)
  }
}
