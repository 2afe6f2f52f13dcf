/// The id under which a server says it has queued a mail.
enum QueueID {
  /// Postfix and Dovecot: `queued as ID`; Exim: `id=ID`; Gmail: `ID - gsmtp`; Exchange: `<ID>`.
  ///
  /// Octets, and no array of words: this runs for every mail.
  static func find(in reply: String) -> String? {
    let octets = reply.utf8Span.span
    func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
      guard range.count == text.utf8CodeUnitCount else { return false }
      return range.allSatisfy { octets[$0] == text.utf8Start[$0 - range.lowerBound] }
    }
    func text(_ range: Range<Int>) -> String {
      octets.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
    var (second, first) = (0..<0, 0..<0)  // the words before this one
    var start = 0
    while start < octets.count {
      guard octets[start] != UInt8(ascii: " ") else {
        start += 1
        continue
      }
      var end = start
      while end < octets.count, octets[end] != UInt8(ascii: " ") { end += 1 }
      let word = start..<end
      if matches(first, "as"), matches(second, "queued") { return text(word) }
      if word.count >= 3, matches(start..<(start + 3), "id=") { return text((start + 3)..<end) }
      if matches(word, "gsmtp"), matches(first, "-"), !second.isEmpty { return text(second) }
      if octets[start] == UInt8(ascii: "<"), octets[end - 1] == UInt8(ascii: ">") { return text(word) }
      (second, first) = (first, word)
      start = end
    }
    return nil
  }
}
