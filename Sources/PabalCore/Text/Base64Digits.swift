/// The bytes that Base64's digits spell, those for URLs (RFC 4648, 5) or the others, and the bits left over, which
/// say nothing; `nil` where one is no digit.
package func bytes(ofBase64 digits: some Sequence<UInt8>) -> (bytes: [UInt8], rest: UInt32)? {
  var bytes: [UInt8] = []
  var bits = 0
  var pending: UInt32 = 0
  for digit in digits {
    let value: UInt8
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
    default: return nil
    }
    pending = (pending << 6 | UInt32(value)) & 0xFFFF
    bits += 6
    if bits >= 8 {
      bits -= 8
      bytes.append(UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
    }
  }
  return (bytes, pending & (1 << UInt32(bits) - 1))
}
