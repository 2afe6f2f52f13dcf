/// Base64 (RFC 4648) over octets.
enum Base64 {
  // A static string lies in the program itself: nothing to initialise, and no bounds to check for an index
  // that six bits hold.
  private static var alphabet: UnsafePointer<UInt8> {
    ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" as StaticString).utf8Start
  }

  /// Appends the encoded octets, padded, on one line.
  static func append(_ source: Span<UInt8>, to octets: inout [UInt8]) {
    append(source, lineLength: max(source.count, 1), end: 0, to: &octets)
  }

  /// Appends the encoded octets in lines of 76, each ended by CRLF.
  static func append(lines source: Span<UInt8>, to octets: inout [UInt8]) {
    append(source, lineLength: 57, end: 2, to: &octets)
  }

  private static func append(_ source: Span<UInt8>, lineLength: Int, end: Int, to octets: inout [UInt8]) {
    let lines = (source.count + lineLength - 1) / lineLength
    let length = (source.count + 2) / 3 * 4 + end * lines
    octets.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
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

  /// Writes four octets for each three begun, and gives the place behind them.
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

  /// The octets, white space passed over; `nil` where it is no base64. Missing padding is forgiven.
  static func decode(_ source: some Sequence<UInt8>) -> [UInt8]? {
    var octets = [UInt8]()
    var group = 0
    var bits = 0
    var isPadded = false
    for octet in source {
      let value: Int
      switch octet {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(octet) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(octet) - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(octet) + 4
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
        octets.append(UInt8(truncatingIfNeeded: group >> bits))
      }
    }
    return octets
  }
}
