internal import PabalCore

/// The content of a mail as it arrives in DATA or BDAT. Of content that is refused, nothing is kept.
struct SMTPContent {
  /// The content so far.
  private(set) var bytes: [UInt8] = []
  /// The reply to content that is refused.
  private(set) var fault: SMTPReply?

  private let limit: Int
  private let expectedSize: Int
  /// Whether LF alone ends a line; it is stored as CRLF.
  let acceptsLF: Bool

  /// Content of at most `limit` bytes, of which `expectedSize` were announced.
  init(limit: Int, expectedSize: Int, acceptsLF: Bool) {
    self.limit = limit
    self.expectedSize = expectedSize
    self.acceptsLF = acceptsLF
  }

  /// Appends bytes that have been checked.
  mutating func append(_ new: UnsafeBufferPointer<UInt8>) {
    guard fault == nil, !new.isEmpty else { return }
    guard new.count <= limit - bytes.count else { return fail(.tooLarge(limit)) }
    // The announced size is believed once there is some content, because it may be wrong.
    if bytes.count + new.count > 65_536, bytes.capacity < expectedSize { bytes.reserveCapacity(expectedSize) }
    bytes.append(contentsOf: new)
  }

  /// Appends CRLF.
  mutating func appendLineEnd() {
    guard fault == nil else { return }
    guard limit - bytes.count >= 2 else { return fail(.tooLarge(limit)) }
    bytes.append(0x0D)
    bytes.append(0x0A)
  }

  /// Refuses the content. The first reason counts.
  mutating func fail(_ reply: SMTPReply) {
    guard fault == nil else { return }
    fault = reply
    bytes = []
  }

  /// Refuses content with a NUL within the first `count` bytes of `input`.
  mutating func checkForNUL(_ input: UnsafeBufferPointer<UInt8>, count: Int) {
    guard fault == nil else { return }
    let read = UnsafeBufferPointer(rebasing: input[..<count])
    if LineScanner.find(0, in: read, from: 0) < count { fail(.nulInContent) }
  }
}

/// Finds the line ends of a buffer. Each byte is searched once for CR and once for LF.
struct LineEndFinder {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var nextCR = -1
  private var nextLF = -1

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Returns the index of the first CR or LF at or after `start`, or the buffer's count if there is none.
  mutating func next(from start: Int) -> Int {
    if nextCR < start { nextCR = LineScanner.find(0x0D, in: bytes, from: start) }
    if nextLF < start { nextLF = LineScanner.find(0x0A, in: bytes, from: start) }
    return min(nextCR, nextLF)
  }
}
