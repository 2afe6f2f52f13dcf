/// The line that precedes each mail in an mbox file: `From kim@example.com Mon Jan  1 00:00:00 1970` (RFC 4155).
package enum MailboxLine {
  private static let weekdays: Set<String> = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

  /// Returns whether `line` separates mails: `From `, a sender and a date as `asctime` writes it, or `>From `, which is how
  /// mailbox programs quote such a line of an older mail.
  ///
  /// A text may begin with the word From, so the date decides.
  package static func matches(_ line: some Collection<UInt8>) -> Bool {
    if line.starts(with: ">From ".utf8) { return true }
    // RFC 5322, 2.1.1: the longest line.
    guard line.starts(with: "From ".utf8), line.count <= 998 else { return false }
    let words = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
    guard let day = words.firstIndex(where: weekdays.contains), day >= 2 else { return false }
    return words[day...].contains(where: isTime)
  }

  private static func isTime(_ word: String) -> Bool {
    let parts = word.split(separator: ":", omittingEmptySubsequences: false)
    return 2...3 ~= parts.count
      && parts.allSatisfy { $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
  }
}
