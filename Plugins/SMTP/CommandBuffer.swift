internal import Glibc

/// The bytes of one group of commands, in memory that doesn't move while they are being sent.
///
/// A group of at most 16,384 bytes fits into one TLS record (RFC 8446, 5.1).
final class CommandBuffer {
  static let recordSize = 16_384

  private var memory: UnsafeMutableRawBufferPointer
  private(set) var count = 0

  init() { memory = .allocate(byteCount: Self.recordSize, alignment: 16) }
  deinit { memory.deallocate() }

  /// The bytes appended so far; invalid after the next append.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }
  /// How many bytes still fit into the last TLS record.
  var roomInRecord: Int { Self.recordSize - count % Self.recordSize }

  func removeAll() { count = 0 }

  func append(_ bytes: UnsafeRawBufferPointer) {
    makeRoom(for: bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
    count += bytes.count
  }

  func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  func append(_ byte: UInt8) {
    makeRoom(for: 1)
    memory[count] = byte
    count += 1
  }

  func append(_ number: Int) {
    makeRoom(for: 20)
    var digits = 1
    var power = 10
    while digits < 19, number >= power {
      digits += 1
      power *= 10
    }
    var rest = number
    for place in stride(from: count + digits - 1, through: count, by: -1) {
      memory[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += digits
  }

  private func makeRoom(for more: Int) {
    guard memory.count - count < more else { return }
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: (memory.count + more) * 2, alignment: 16)
    larger.copyMemory(from: bytes)
    memory.deallocate()
    memory = larger
  }
}

/// Doubles dots at the beginning of lines, for DATA (RFC 5321, 4.5.2), one buffer at a time.
struct DotStuffing {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var isLineStart = true

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Appends up to one TLS record; returns `true` if it contains the final dot.
  mutating func fill(_ buffer: CommandBuffer) -> Bool {
    // Leaves room for a doubled dot, a missing line end and the final dot.
    let limit = CommandBuffer.recordSize - 8
    while position < bytes.count, buffer.count < limit - 1 {
      if isLineStart, bytes[position] == UInt8(ascii: ".") { buffer.append(UInt8(ascii: ".")) }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      let room = min(rest.count, limit - buffer.count)
      let found = rest.baseAddress.flatMap { memchr($0, 10, room) }
      let length = found.flatMap { end in rest.baseAddress.map { UnsafeRawPointer(end) - $0 + 1 } } ?? room
      buffer.append(UnsafeRawBufferPointer(rebasing: rest[..<length]))
      position += length
      isLineStart = found != nil
    }
    guard position == bytes.count else { return false }
    if !bytes.isEmpty, !bytes.suffix(2).elementsEqual([13, 10]) { buffer.append("\r\n") }
    buffer.append(".\r\n")
    return true
  }
}
