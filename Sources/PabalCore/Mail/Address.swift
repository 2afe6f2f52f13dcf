/// Why a text is no address.
public struct AddressError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong; one sentence without its full stop, printable whatever the input was.
  public let message: String

  init(_ message: String) { self.message = message }

  /// The same as `message`.
  public var description: String { message }
}

/// An e-mail address as an envelope carries it: local part, `@`, domain; the domain as A-labels.
///
/// RFC 5321 and 6531, without spaces and controls even between quotes. The domain is kept in lower case,
/// the local part as typed; two addresses are equal when both are, canonically equivalent text included.
public struct Address: Sendable, Hashable, CustomStringConvertible {
  /// The address without `<` and `>`, at most 254 octets.
  public let description: String
  /// Whether the local part holds non-ASCII, which takes SMTPUTF8 (RFC 6531).
  public let needsSMTPUTF8: Bool
  // In UTF-8 octets.
  private let localLength: Int

  /// Reads one address, without display name or comment.
  public init(_ text: String) throws(AddressError) {
    // 64 octets, the @ and a domain that may shrink when it becomes A-labels.
    guard text.utf8.count <= 1_100 else { throw AddressError("the address is longer than 254 octets") }
    guard !text.isEmpty else { throw AddressError("no address is given") }
    guard let at = Address.endOfLocalPart(text.utf8Span.span) else {
      throw AddressError("\(quoted(text)) is no address: it has no @")
    }
    let split = text.utf8.index(text.startIndex, offsetBy: at)
    try self.init(localPart: String(text[..<split]), domain: String(text[text.utf8.index(after: split)...]))
  }

  /// An address of its two parts; the local part with its quotes if it has any.
  init(localPart: String, domain: String) throws(AddressError) {
    needsSMTPUTF8 = try Address.checkLocalPart(localPart)
    let domain = try Domain(domain)
    localLength = localPart.utf8.count
    description = "\(localPart)@\(domain.description)"
    // RFC 5321, 4.5.3.1.3: a path is at most 256 octets, < and > included.
    guard description.utf8.count <= 254 else { throw AddressError("the address is longer than 254 octets") }
  }

  /// What stands before the last `@`, quotes included, as typed.
  public var localPart: String {
    String(description[..<description.utf8.index(description.startIndex, offsetBy: localLength)])
  }

  /// What stands after it: a host name as lower-case A-labels, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
  public var domain: String {
    String(description[description.utf8.index(description.startIndex, offsetBy: localLength + 1)...])
  }

  /// Compares the envelope forms; the other properties follow from them.
  public static func == (a: Address, b: Address) -> Bool { a.description == b.description }

  /// Hashes the envelope form.
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }

  private static func endOfLocalPart(_ octets: Span<UInt8>) -> Int? {
    var i = 0
    if octets[0] == UInt8(ascii: "\"") {
      i = 1
      while i < octets.count, octets[i] != UInt8(ascii: "\"") { i += octets[i] == UInt8(ascii: "\\") ? 2 : 1 }
    }
    while i < octets.count, octets[i] != UInt8(ascii: "@") { i += 1 }
    return i < octets.count ? i : nil
  }

  /// Whether the local part, a dot-atom or a quoted string, holds non-ASCII.
  private static func checkLocalPart(_ text: String) throws(AddressError) -> Bool {
    let octets = text.utf8Span.span
    guard octets.count > 0 else { throw AddressError("nothing stands before the @") }
    // RFC 5321, 4.5.3.1.1.
    guard octets.count <= 64 else { throw AddressError("the part before the @ is longer than 64 octets") }
    var isASCII = true
    for i in octets.indices {
      let octet = octets[i]
      guard octet > 0x20, octet != 0x7F else {
        throw AddressError("an address holds no \(octet == 0x20 ? "space" : "control character")")
      }
      isASCII = isASCII && octet < 0x80
    }
    if !isASCII { try checkScalars(text) }
    if octets[0] == UInt8(ascii: "\"") {
      try checkQuotedString(octets)
    } else {
      try checkDotAtom(octets, of: text)
    }
    return !isASCII
  }

  /// Refuses what nobody can see: Unicode's spaces, separators, controls and most format characters.
  private static func checkScalars(_ text: String) throws(AddressError) {
    for scalar in text.unicodeScalars where !scalar.isASCII {
      // Persian and Indic words need the two joiners.
      if scalar.value == 0x200C || scalar.value == 0x200D { continue }
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .privateUse, .unassigned:
        throw AddressError("the address \(quoted(text)) holds a space or a character nobody can see")
      default: break
      }
    }
  }

  private static func checkDotAtom(_ octets: Span<UInt8>, of text: String) throws(AddressError) {
    var previous = UInt8(ascii: ".")
    for i in octets.indices {
      let octet = octets[i]
      if octet == UInt8(ascii: ".") {
        guard previous != octet else {
          throw AddressError("the part before the @, \(quoted(text)), begins with a dot or has two together")
        }
      } else if !isAtomText(octet) {
        throw AddressError(
          "the part before the @, \(quoted(text)), holds a character that only stands between quotes")
      }
      previous = octet
    }
    guard previous != UInt8(ascii: ".") else {
      throw AddressError("the part before the @, \(quoted(text)), ends with a dot")
    }
  }

  private static func checkQuotedString(_ octets: Span<UInt8>) throws(AddressError) {
    var i = 1
    while i < octets.count - 1, octets[i] != UInt8(ascii: "\"") {
      i += octets[i] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard octets.count >= 2, i == octets.count - 1, octets[i] == UInt8(ascii: "\"") else {
      throw AddressError("the quotes before the @ do not match")
    }
  }
}

/// RFC 5322, 3.2.3 with RFC 6532: what an atom is made of.
func isAtomText(_ octet: UInt8) -> Bool {
  switch octet {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...0xFF:
    true
  case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
    UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
    UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
    UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
    true
  default: false
  }
}
