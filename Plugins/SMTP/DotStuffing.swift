internal import Glibc

/// Doubles the dots that begin lines, for DATA (RFC 5321, 4.5.2), a buffer at a time.
struct DotStuffing {
  private let octets: UnsafeRawBufferPointer
  private var position = 0
  private var isLineStart = true

  init(_ octets: UnsafeRawBufferPointer) { self.octets = octets }

  /// Appends up to a slice; `true` when the final dot is in it.
  mutating func fill(_ buffer: CommandBuffer) -> Bool {
    // Room for the doubled dot, a missing line end and the final dot.
    let limit = CommandBuffer.slice - 8
    while position < octets.count, buffer.count < limit - 1 {
      if isLineStart, octets[position] == UInt8(ascii: ".") { buffer.append(UInt8(ascii: ".")) }
      let rest = UnsafeRawBufferPointer(rebasing: octets[position...])
      let room = min(rest.count, limit - buffer.count)
      let found = rest.baseAddress.flatMap { memchr($0, 10, room) }
      let length = found.flatMap { end in rest.baseAddress.map { UnsafeRawPointer(end) - $0 + 1 } } ?? room
      buffer.append(UnsafeRawBufferPointer(rebasing: rest[..<length]))
      position += length
      isLineStart = found != nil
    }
    guard position == octets.count else { return false }
    if !octets.isEmpty, !octets.suffix(2).elementsEqual([13, 10]) { buffer.append("\r\n") }
    buffer.append(".\r\n")
    return true
  }
}
