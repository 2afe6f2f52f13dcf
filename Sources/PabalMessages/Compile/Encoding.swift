extension Encoding {
  /// Appends one scalar of the author's own words.
  func append(_ scalar: Unicode.Scalar, to octets: inout [UInt8]) {
    switch self {
    case .plain, .address: octets.append(contentsOf: scalar.utf8)
    case .html: Encoding.appendHTML(scalar.utf8, to: &octets)
    case .addressHTML, .addressPart: Encoding.appendAddress(scalar.utf8, isHTML: true, to: &octets)
    }
  }

  /// Appends a value's octets, written for this place.
  func append(_ value: UnsafeBufferPointer<UInt8>, to octets: inout [UInt8]) {
    switch self {
    case .plain: octets.append(contentsOf: value)
    case .html: Encoding.appendHTML(value, to: &octets)
    case .address: Encoding.appendAddress(value, isHTML: false, to: &octets)
    case .addressHTML: Encoding.appendAddress(value, isHTML: true, to: &octets)
    case .addressPart: Encoding.appendAddressPart(value, to: &octets)
    }
  }

  /// Everything that could end text, a quoted attribute or a character reference.
  private static func appendHTML(_ value: some Sequence<UInt8>, to octets: inout [UInt8]) {
    for octet in value {
      switch octet {
      case UInt8(ascii: "&"): octets.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "<"): octets.append(contentsOf: "&lt;".utf8)
      case UInt8(ascii: ">"): octets.append(contentsOf: "&gt;".utf8)
      case UInt8(ascii: "\""): octets.append(contentsOf: "&quot;".utf8)
      case UInt8(ascii: "'"): octets.append(contentsOf: "&#39;".utf8)
      default: octets.append(octet)
      }
    }
  }

  /// What RFC 3986 lets stand in an address stays, the rest is percent-encoded.
  private static func appendAddress(_ value: some Sequence<UInt8>, isHTML: Bool, to octets: inout [UInt8]) {
    for octet in value {
      switch octet {
      case UInt8(ascii: "&") where isHTML: octets.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "'"): octets.append(contentsOf: "%27".utf8)
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        // - . / and the digits, then : and ;
        0x2D...0x3B, UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
        UInt8(ascii: "&"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
        UInt8(ascii: ","), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "@"), UInt8(ascii: "_"),
        UInt8(ascii: "~"), UInt8(ascii: "["), UInt8(ascii: "]"):
        octets.append(octet)
      default: appendPercent(octet, to: &octets)
      }
    }
  }

  /// Only the unreserved characters of RFC 3986 stay.
  private static func appendAddressPart(_ value: some Sequence<UInt8>, to octets: inout [UInt8]) {
    for octet in value {
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        octets.append(octet)
      default: appendPercent(octet, to: &octets)
      }
    }
  }

  private static func appendPercent(_ octet: UInt8, to octets: inout [UInt8]) {
    let digits = Array("0123456789ABCDEF".utf8)
    octets.append(UInt8(ascii: "%"))
    octets.append(digits[Int(octet >> 4)])
    octets.append(digits[Int(octet & 15)])
  }
}
