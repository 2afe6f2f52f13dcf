internal import PabalCore

/// The input of a session that hasn't been worked on, as lines of commands or as bytes of content.
struct SMTPInput {
  /// The next line of a command.
  enum Line {
    /// A line without control characters, and without its line end.
    case complete([UInt8])
    /// The line isn't complete.
    case incomplete
    /// A line that can't be a command, with its reply.
    case rejected(SMTPReply)
    /// A line after which nothing of the input can be trusted, with its reply.
    case fatal(SMTPReply)
  }

  private var bytes: [UInt8] = []
  private var start = 0
  // Where the search for the next LF goes on, so that a line that arrives byte by byte is searched once.
  private var searched = 0
  private var isDiscarding = false
  /// Whether the last line that was taken ended with LF alone.
  private(set) var endedWithLF = false

  /// Whether what is left is the line `text`, in upper or lower case.
  func isLine(_ text: String) -> Bool {
    bytes.count - start == text.utf8.count + 2
      && String(decoding: bytes[start...], as: UTF8.self).uppercased() == "\(text)\r\n"
  }

  /// Whether there is nothing left to work on.
  var isEmpty: Bool { start == bytes.count }

  /// The number of bytes kept.
  var count: Int { bytes.count }

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
      guard !isDiscarding, !isEmpty, SMTPInput.isBinary(bytes[start]) else { return .incomplete }
      return .fatal(.controlCharacter)
    }
    let hasCR = lineFeed > start && bytes[lineFeed - 1] == 0x0D
    endedWithLF = !hasCR
    let line = start..<(hasCR ? lineFeed - 1 : lineFeed)
    let isTooLong = isDiscarding || line.count > limit
    let text = isTooLong ? [] : Array(bytes[line])
    start = lineFeed + 1
    searched = start
    isDiscarding = false
    release()
    guard hasCR || acceptsLF else { return .fatal(.bareLineFeed) }
    if isTooLong { return .rejected(.lineTooLong) }
    if let first = text.first, SMTPInput.isBinary(first) { return .fatal(.controlCharacter) }
    return text.contains { $0 < 0x20 || $0 == 0x7F } ? .rejected(.controlCharacter) : .complete(text)
  }

  /// Whether a line that begins with this byte isn't SMTP at all, but a TLS handshake, for example.
  private static func isBinary(_ byte: UInt8) -> Bool { byte < 0x20 && byte != 0x0D || byte >= 0x7F }

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

  /// Frees the bytes that have been worked on, and memory that a session doesn't need while it waits.
  private mutating func release() {
    if start == bytes.count {
      if bytes.capacity <= 4_096 { bytes.removeAll(keepingCapacity: true) } else { bytes = [] }
    } else if start >= 16_384 || isDiscarding || searched == bytes.count && bytes.capacity > 32_768 {
      bytes = Array(bytes[start...])
    } else {
      return
    }
    searched = max(0, searched - start)
    start = 0
  }
}
