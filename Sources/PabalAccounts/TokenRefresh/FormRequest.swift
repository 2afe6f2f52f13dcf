/// Names and values as a form or a query carries them (`application/x-www-form-urlencoded`).
struct URLEncodedForm: Sendable {
  var fields: [(name: String, value: String)]

  init(_ fields: [(name: String, value: String)]) { self.fields = fields }

  /// Reads a query; `+` is a blank, and what isn't well encoded stays as it is.
  init(query: some StringProtocol) {
    fields = query.split(separator: "&").map { pair in
      let name = pair.prefix { $0 != "=" }
      return (Self.decoded(name), Self.decoded(pair.dropFirst(name.count + 1)))
    }
  }

  /// The first value of `name` that isn't empty.
  subscript(name: String) -> String? { fields.first { $0.name == name && !$0.value.isEmpty }?.value }

  /// The values that nobody but the server may see.
  var secrets: [String] {
    let names = [
      "refresh_token", "code", "client_secret", "code_verifier", "device_code", "assertion", "token",
    ]
    return fields.filter { names.contains($0.name) }.map(\.value)
  }

  var encoded: String {
    fields.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
  }

  // RFC 3986 section 2.3; a blank as %20 is understood in queries and forms alike.
  private static func encoded(_ text: String) -> String {
    var encoded = ""
    for octet in text.utf8 {
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.unicodeScalars.append(Unicode.Scalar(octet))
      default:
        encoded += (octet < 16 ? "%0" : "%") + String(octet, radix: 16, uppercase: true)
      }
    }
    return encoded
  }

  private static func decoded(_ text: some StringProtocol) -> String {
    let octets = Array(text.utf8)
    var decoded: [UInt8] = []
    var index = 0
    while index < octets.count {
      let digits = octets[min(index + 1, octets.count)..<min(index + 3, octets.count)]
      if octets[index] == UInt8(ascii: "%"), digits.count == 2, digits.first != UInt8(ascii: "+"),
        let octet = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        decoded.append(octet)
        index += 3
      } else {
        decoded.append(octets[index] == UInt8(ascii: "+") ? 0x20 : octets[index])
        index += 1
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }
}
