internal import PabalCore

/// The input of a session that hasn't been worked on, as lines of commands or as bytes of content.
struct SMTPInput {
  /// The next line of a command.
  enum Line {
    /// The line, without its line end.
    case complete([UInt8])
    /// A line that exceeded the limit; its text isn't kept.
    case tooLong
    /// A line that ended with LF alone.
    case bareLineFeed
    /// The line isn't complete.
    case incomplete
  }

  private var bytes: [UInt8] = []
  private var start = 0
  // Where the search for the next LF goes on, so that a line that arrives byte by byte is searched once.
  private var searched = 0
  private var isDiscarding = false

  /// Whether there is nothing left to work on.
  var isEmpty: Bool { start == bytes.count }

  /// The number of bytes kept.
  var count: Int { bytes.count }

  /// The first byte of the line that has begun; `nil` if there is none, or if the line was too long to keep.
  var firstByte: UInt8? { isEmpty || isDiscarding ? nil : bytes[start] }

  mutating func append(_ new: some Sequence<UInt8>) { bytes.append(contentsOf: new) }

  /// Drops the input that hasn't been worked on.
  mutating func removeAll() {
    bytes = []
    start = 0
    searched = 0
    isDiscarding = false
  }

  /// Takes the next line of a command. Of a line longer than `limit`, only the end is waited for.
  mutating func nextLine(limit: Int, acceptsLF: Bool) -> Line {
    guard let lineFeed = firstLineFeed() else {
      searched = bytes.count
      if bytes.count - start > limit + 2 {
        isDiscarding = true
        // The last byte may be the CR of the line's end.
        start = bytes.count - 1
      }
      release()
      return .incomplete
    }
    let hasCR = lineFeed > start && bytes[lineFeed - 1] == 0x0D
    let line = start..<(hasCR ? lineFeed - 1 : lineFeed)
    let isTooLong = isDiscarding || line.count > limit
    let text = isTooLong ? [] : Array(bytes[line])
    start = lineFeed + 1
    searched = start
    isDiscarding = false
    release()
    guard hasCR || acceptsLF else { return .bareLineFeed }
    return isTooLong ? .tooLong : .complete(text)
  }

  /// Calls `body` with the bytes that haven't been worked on and takes as many as it returns.
  mutating func take(_ body: (UnsafeBufferPointer<UInt8>) -> Int) {
    let count = bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[start...])) }
    start += count
    searched = start
    release()
  }

  private func firstLineFeed() -> Int? {
    let found = bytes.withUnsafeBufferPointer { LineScanner.find(0x0A, in: $0, from: searched) }
    return found < bytes.count ? found : nil
  }

  /// Frees the bytes that have been worked on.
  private mutating func release() {
    if start == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.count <= 16_384)
    } else if start >= 65_536 || isDiscarding {
      bytes.removeFirst(start)
    } else {
      return
    }
    searched = max(0, searched - start)
    start = 0
    if bytes.isEmpty { searched = 0 }
  }
}
