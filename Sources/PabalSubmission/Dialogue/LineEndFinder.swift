internal import PabalCore

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
