internal import Glibc

/// Finds the lines of octets that end with CRLF, LF or CR, in time that grows with their number alone.
struct LineScanner {
  /// One line of a text.
  struct Line {
    /// The line without its end.
    var content: Range<Int>
    /// Where the next line begins.
    var next: Int
    var end: End
  }

  /// How a line ends.
  enum End { case crlf, lf, cr, none }

  private let octets: UnsafeBufferPointer<UInt8>
  private var position: Int
  // The first CR and LF at or after `position`; each octet is looked at once for either.
  private var nextCR: Int
  private var nextLF: Int

  /// The lines from `start` on; the buffer must outlive the scanner.
  init(_ octets: UnsafeBufferPointer<UInt8>, from start: Int = 0) {
    self.octets = octets
    position = start
    nextCR = LineScanner.find(0x0D, in: octets, from: start)
    nextLF = LineScanner.find(0x0A, in: octets, from: start)
  }

  mutating func next() -> Line? {
    let start = position
    guard start < octets.count else { return nil }
    let end = min(nextCR, nextLF)
    guard end < octets.count else {
      position = octets.count
      return Line(content: start..<octets.count, next: octets.count, end: .none)
    }
    if nextLF < nextCR {
      position = end + 1
      nextLF = LineScanner.find(0x0A, in: octets, from: position)
      return Line(content: start..<end, next: position, end: .lf)
    }
    let isPair = nextLF == end + 1 && nextLF < octets.count
    position = end + (isPair ? 2 : 1)
    nextCR = LineScanner.find(0x0D, in: octets, from: position)
    if isPair { nextLF = LineScanner.find(0x0A, in: octets, from: position) }
    return Line(content: start..<end, next: position, end: isPair ? .crlf : .cr)
  }

  /// Where an octet is first found at or after `start`; the buffer's count where it isn't.
  static func find(_ octet: UInt8, in octets: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    // Runs of line ends are common, and a call for each is not cheap.
    if start < octets.count, octets[start] == octet { return start }
    guard start < octets.count, let base = octets.baseAddress,
      let found = memchr(base + start, Int32(octet), octets.count - start)
    else { return octets.count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
