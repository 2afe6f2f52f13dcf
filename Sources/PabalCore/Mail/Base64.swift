/// Base64 (RFC 4648) over octets.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Appends the encoded octets, padded, on one line.
  static func append(_ source: Span<UInt8>, to octets: inout [UInt8]) {
    octets.append(addingCapacity: (source.count + 2) / 3 * 4) { (output: inout OutputSpan<UInt8>) in
      append(source, 0..<source.count, to: &output)
    }
  }

  /// Appends the encoded octets in lines of 76, each ended by CRLF.
  static func append(lines source: Span<UInt8>, to octets: inout [UInt8]) {
    let lines = (source.count + 56) / 57
    octets.append(addingCapacity: (source.count + 2) / 3 * 4 + 2 * lines) {
      (output: inout OutputSpan<UInt8>) in
      var start = 0
      while start < source.count {
        let end = min(start + 57, source.count)
        append(source, start..<end, to: &output)
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        start = end
      }
    }
  }

  private static func append(_ source: Span<UInt8>, _ range: Range<Int>, to output: inout OutputSpan<UInt8>) {
    let alphabet = alphabet.span
    var i = range.lowerBound
    while i + 2 < range.upperBound {
      let group = Int(source[i]) << 16 | Int(source[i + 1]) << 8 | Int(source[i + 2])
      output.append(alphabet[group >> 18])
      output.append(alphabet[group >> 12 & 63])
      output.append(alphabet[group >> 6 & 63])
      output.append(alphabet[group & 63])
      i += 3
    }
    guard i < range.upperBound else { return }
    let isPair = i + 1 < range.upperBound
    let group = Int(source[i]) << 16 | (isPair ? Int(source[i + 1]) << 8 : 0)
    output.append(alphabet[group >> 18])
    output.append(alphabet[group >> 12 & 63])
    output.append(isPair ? alphabet[group >> 6 & 63] : UInt8(ascii: "="))
    output.append(UInt8(ascii: "="))
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
