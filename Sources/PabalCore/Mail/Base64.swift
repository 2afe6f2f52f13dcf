/// Base64 (RFC 4648) over bytes.
enum Base64 {
  // A static string lies in the program itself: nothing to initialise, and no bounds to check for an index
  // that six bits hold.
  private static var alphabet: UnsafePointer<UInt8> {
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" as StaticString).utf8Start
  }

  /// Appends the encoded bytes, padded, on one line.
  static func append(_ source: Span<UInt8>, to bytes: inout [UInt8]) {
    append(source, lineLength: max(source.count, 1), end: 0, to: &bytes)
  }

  /// Appends the encoded bytes in lines of 76, each ended by CRLF.
  static func append(lines source: Span<UInt8>, to bytes: inout [UInt8]) {
    append(source, lineLength: 57, end: 2, to: &bytes)
  }

  private static func append(_ source: Span<UInt8>, lineLength: Int, end: Int, to bytes: inout [UInt8]) {
    let lines = (source.count + lineLength - 1) / lineLength
    let length = (source.count + 2) / 3 * 4 + end * lines
    bytes.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
      output.withUnsafeMutableBufferPointer { buffer, count in
        source.withUnsafeBufferPointer { source in
          // One pointer for many short steps: an append each took three times as long.
          guard var target = buffer.baseAddress, let base = source.baseAddress else { return }
          var start = 0
          while start < source.count {
            let next = min(start + lineLength, source.count)
            target = encode(base + start, next - start, to: target)
            if end > 0 {
              target[0] = 0x0D
              target[1] = 0x0A
              target += 2
            }
            start = next
          }
          count = length
        }
      }
    }
  }

  /// Writes four bytes for each three begun, and gives the place behind them.
  private static func encode(
    _ source: UnsafePointer<UInt8>, _ count: Int, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let alphabet = alphabet
    var target = start
    var i = 0
    while i + 2 < count {
      let group = Int(source[i]) << 16 | Int(source[i + 1]) << 8 | Int(source[i + 2])
      target[0] = alphabet[group >> 18]
      target[1] = alphabet[group >> 12 & 63]
      target[2] = alphabet[group >> 6 & 63]
      target[3] = alphabet[group & 63]
      target += 4
      i += 3
    }
    guard i < count else { return target }
    let isPair = i + 1 < count
    let group = Int(source[i]) << 16 | (isPair ? Int(source[i + 1]) << 8 : 0)
    target[0] = alphabet[group >> 18]
    target[1] = alphabet[group >> 12 & 63]
    target[2] = isPair ? alphabet[group >> 6 & 63] : UInt8(ascii: "=")
    target[3] = UInt8(ascii: "=")
    return target + 4
  }

  /// The bytes, white space passed over; `nil` where it is no base64. Missing padding is forgiven.
  static func decode(_ source: some Sequence<UInt8>) -> [UInt8]? {
    var bytes = [UInt8]()
    var group = 0
    var bits = 0
    var isPadded = false
    for byte in source {
      let value: Int
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(byte) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(byte) - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(byte) + 4
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      case UInt8(ascii: "="):
        isPadded = true
        continue
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
      default: return nil
      }
      guard !isPadded else { return nil }
      group = (group << 6 | value) & 0xFFFF
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: group >> bits))
      }
    }
    return bytes
  }
}
