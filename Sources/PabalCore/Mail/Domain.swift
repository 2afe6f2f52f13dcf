internal import CPabalIDN
internal import Glibc

/// The part of an address after `@`: a host name as lower-case A-labels, or an address literal.
struct Domain {
  let description: String

  init(_ text: String) throws(AddressError) {
    let octets = text.utf8Span.span
    // Before mapping, a name may be longer than after it, but not without end.
    guard octets.count <= 1_024 else { throw AddressError("the domain is longer than 255 octets") }
    guard octets.count > 0 else { throw AddressError("nothing stands after the @") }
    if octets[0] == UInt8(ascii: "[") {
      description = try Domain.literal(text)
      return
    }
    var isASCII = true
    var hasUpperCase = false
    for i in octets.indices {
      isASCII = isASCII && octets[i] < 0x80
      hasUpperCase = hasUpperCase || (0x41...0x5A).contains(octets[i])
    }
    var name = isASCII ? text : try Domain.aLabels(text)
    if isASCII, hasUpperCase { name = text.lowercased() }
    try Domain.checkHostName(name)
    description = name
  }

  /// IDNA2008, non-transitional, after NFC (RFC 5891, UTS 46).
  private static func aLabels(_ text: String) throws(AddressError) -> String {
    // It would end the C string, and the rest would be lost without a word.
    guard !text.utf8.contains(0) else { throw AddressError("an address holds no control character") }
    var found: UnsafeMutablePointer<UInt8>?
    let status = text.withCString { name in
      name.withMemoryRebound(to: UInt8.self, capacity: text.utf8.count + 1) {
        idn2_lookup_u8($0, &found, Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue))
      }
    }
    guard status == IDN2_OK.rawValue, let found else {
      let reason = idn2_strerror(status).map { String(cString: $0) } ?? "error \(status)"
      throw AddressError("the domain \(quoted(text)) is no international domain name (\(reason))")
    }
    defer { idn2_free(found) }
    return String(cString: found).lowercased()
  }

  /// RFC 5321, 4.1.2: letters, digits and inner hyphens between dots; RFC 1035: 63 octets a label.
  private static func checkHostName(_ name: String) throws(AddressError) {
    let octets = name.utf8Span.span
    guard octets.count <= 255 else { throw AddressError("the domain is longer than 255 octets") }
    var label = 0
    var previous = UInt8(ascii: ".")
    for i in octets.indices {
      let octet = octets[i]
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): label += 1
      case UInt8(ascii: "-") where label > 0: label += 1
      case UInt8(ascii: ".") where label > 0 && previous != UInt8(ascii: "-"): label = 0
      case UInt8(ascii: "."), UInt8(ascii: "-"):
        throw AddressError(
          "the domain \(quoted(name)) has an empty label or one that begins or ends with -")
      default:
        throw AddressError("the domain \(quoted(name)) holds more than letters, digits, hyphens and dots")
      }
      guard label <= 63 else {
        throw AddressError("the domain \(quoted(name)) has a label of more than 63 octets")
      }
      previous = octet
    }
    guard label > 0, previous != UInt8(ascii: "-") else {
      throw AddressError("the domain \(quoted(name)) ends with a dot or a hyphen")
    }
  }

  /// RFC 5321, 4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
  private static func literal(_ text: String) throws(AddressError) -> String {
    let inner = text.dropFirst().dropLast().lowercased()
    guard text.utf8.count > 2, text.utf8.last == UInt8(ascii: "]"), !inner.utf8.contains(0) else {
      throw AddressError("the address literal \(quoted(text)) has no closing bracket")
    }
    let isVersion6 = inner.hasPrefix("ipv6:")
    var address = in6_addr()
    let status =
      isVersion6
      ? inet_pton(AF_INET6, String(inner.dropFirst(5)), &address) : inet_pton(AF_INET, inner, &address)
    guard status == 1 else { throw AddressError("\(quoted(text)) is no IP address in brackets") }
    return isVersion6 ? "[IPv6:\(inner.dropFirst(5))]" : "[\(inner)]"
  }
}
