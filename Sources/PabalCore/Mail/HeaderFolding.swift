/// Folds lines of a foreign header that are longer than a line may be (RFC 5322, 2.1.1 and 2.2.3).
enum HeaderFolding {
  /// The maximum length of a line without CRLF.
  static let lineLimit = 998
  private static let recommendedLimit = 78

  /// Appends a line as several, each ended by CRLF, split before blanks; returns `false` if a word is too long.
  ///
  /// `name` is the length of the field's name with its colon, within which no line is split; blanks at the end of the
  /// line are left out, because a line of blanks only could be taken for the end of the header.
  static func append(_ line: UnsafeBufferPointer<UInt8>, name: Int, to block: inout [UInt8]) -> Bool {
    var end = line.count
    while end > name, isBlank(line[end - 1]) { end -= 1 }
    var start = 0
    var position = name
    // The end of the words that are on the current line.
    var filled = name
    while position < end {
      let next = endOfWord(line, from: position, to: end)
      // Splitting right behind the name is legal, but many readers take that fold for a part of the value.
      let limit = start == 0 && filled == name ? lineLimit : recommendedLimit
      if next - start > limit, filled > start {
        append(line, start..<filled, to: &block)
        start = filled
      }
      guard next - start <= lineLimit else { return false }
      filled = next
      position = next
    }
    append(line, start..<filled, to: &block)
    return true
  }

  /// Returns the end of the blanks at `start` and the word after them.
  private static func endOfWord(_ line: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int {
    var i = start
    while i < end, isBlank(line[i]) { i += 1 }
    // A blank behind a backslash belongs to the word: the two are one quoted pair (RFC 5322, 3.2.1).
    while i < end, !isBlank(line[i]) { i += line[i] == UInt8(ascii: "\\") ? 2 : 1 }
    return min(i, end)
  }

  private static func append(_ line: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, to block: inout [UInt8])
  {
    block.append(contentsOf: UnsafeBufferPointer(rebasing: line[range]))
    block.append(0x0D)
    block.append(0x0A)
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
