extension ValueEscaping {
  /// Appends one scalar of the author's own words.
  func append(_ scalar: Unicode.Scalar, to octets: inout [UInt8]) {
    switch self {
    case .plain, .url: octets.append(contentsOf: scalar.utf8)
    case .html: ValueEscaping.appendHTML(scalar.utf8, to: &octets)
    case .urlAttribute, .urlComponent: ValueEscaping.appendURL(scalar.utf8, isHTML: true, to: &octets)
    }
  }

  /// A value, written for this place.
  func escaped(_ value: String) -> String {
    var value = value
    return value.withUTF8 { octets -> String? in
      if octets.allSatisfy(isSafe) { return nil }
      var escaped: [UInt8] = []
      switch self {
      case .plain: return nil
      case .html: ValueEscaping.appendHTML(octets, to: &escaped)
      case .url: ValueEscaping.appendURL(octets, isHTML: false, to: &escaped)
      case .urlAttribute: ValueEscaping.appendURL(octets, isHTML: true, to: &escaped)
      case .urlComponent: ValueEscaping.appendURLComponent(octets, to: &escaped)
      }
      return String(decoding: escaped, as: UTF8.self)
    } ?? value
  }

  /// Whether an octet stays as it is; most values hold no other.
  private func isSafe(_ octet: UInt8) -> Bool {
    switch self {
    case .plain: true
    case .html:
      octet != UInt8(ascii: "&") && octet != UInt8(ascii: "<") && octet != UInt8(ascii: ">")
        && octet != UInt8(ascii: "\"") && octet != UInt8(ascii: "'")
    // Letters and digits; the rest is not worth a second list.
    case .url, .urlAttribute, .urlComponent:
      (0x61...0x7A).contains(octet) || (0x41...0x5A).contains(octet) || (0x30...0x39).contains(octet)
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
  private static func appendURL(_ value: some Sequence<UInt8>, isHTML: Bool, to octets: inout [UInt8]) {
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
  private static func appendURLComponent(_ value: some Sequence<UInt8>, to octets: inout [UInt8]) {
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
