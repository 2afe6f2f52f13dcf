internal import CPabalIDN
internal import Glibc

/// Why a text isn't a valid address.
public struct AddressError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong: one sentence without a full stop. Non-printable input is escaped.
  public let message: String

  init(_ message: String) { self.message = message }

  /// The same as `message`.
  public var description: String { message }
}

/// An e-mail address in its envelope form: local part, `@`, and the domain as A-labels.
///
/// Follows RFC 5321 and RFC 6531: a local part in quotes may contain spaces and, escaped, quotes and backslashes, but no
/// control characters. The domain is stored in lower case, the local part as typed. Two addresses are equal if both
/// parts are; canonically equivalent Unicode text is equal.
public struct Address: Sendable, Hashable, CustomStringConvertible {
  /// The address without `<` and `>`, at most 254 bytes.
  public let description: String
  /// Whether the local part contains non-ASCII characters and therefore needs SMTPUTF8 (RFC 6531).
  public let needsSMTPUTF8: Bool
  // The length of the local part in UTF-8 bytes.
  private let localLength: Int

  /// Parses one address without a display name or comment.
  public init(_ text: String) throws(AddressError) {
    // 64 bytes, the @, and a domain that may become shorter when it is converted to A-labels.
    guard text.utf8.count <= 1_100 else { throw AddressError("the address is longer than 254 bytes") }
    guard !text.isEmpty else { throw AddressError("the address is empty") }
    guard let at = Address.endOfLocalPart(text.utf8Span.span) else {
      throw AddressError("\(quoted(text)) isn't an address: it has no @")
    }
    let split = text.utf8.index(text.startIndex, offsetBy: at)
    try self.init(localPart: String(text[..<split]), domain: String(text[text.utf8.index(after: split)...]))
  }

  /// Creates an address from its two parts; a quoted local part includes its quotes.
  init(localPart: String, domain: String) throws(AddressError) {
    needsSMTPUTF8 = try Address.checkLocalPart(localPart)
    let domain = try Domain(domain)
    localLength = localPart.utf8.count
    description = "\(localPart)@\(domain.description)"
    // RFC 5321, 4.5.3.1.3: a path is at most 256 bytes, < and > included.
    guard description.utf8.count <= 254 else { throw AddressError("the address is longer than 254 bytes") }
  }

  /// The part before the last `@` as typed, including quotes.
  public var localPart: String {
    String(description[..<description.utf8.index(description.startIndex, offsetBy: localLength)])
  }

  /// The part after the last `@`: a host name as lower-case A-labels, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
  public var domain: String {
    String(description[description.utf8.index(description.startIndex, offsetBy: localLength + 1)...])
  }

  /// Compares the envelope forms; all other properties derive from them.
  public static func == (a: Address, b: Address) -> Bool { a.description == b.description }

  /// Hashes the envelope form.
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }

  private static func endOfLocalPart(_ bytes: Span<UInt8>) -> Int? {
    var i = 0
    if bytes[0] == UInt8(ascii: "\"") {
      i = 1
      while i < bytes.count, bytes[i] != UInt8(ascii: "\"") { i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1 }
    }
    while i < bytes.count, bytes[i] != UInt8(ascii: "@") { i += 1 }
    return i < bytes.count ? i : nil
  }

  /// Checks that the local part is a dot-atom or a quoted string; returns whether it contains non-ASCII characters.
  private static func checkLocalPart(_ text: String) throws(AddressError) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count > 0 else { throw AddressError("nothing before the @") }
    // RFC 5321, 4.5.3.1.1.
    guard bytes.count <= 64 else { throw AddressError("the part before the @ is longer than 64 bytes") }
    var isASCII = true
    let isQuoted = bytes[0] == UInt8(ascii: "\"")
    for i in bytes.indices {
      let byte = bytes[i]
      guard byte > 0x20 || byte == 0x20 && isQuoted, byte != 0x7F else {
        throw AddressError(
          byte == 0x20
            ? "an address can only contain a space in quotes" : "an address can't contain a control character"
        )
      }
      isASCII = isASCII && byte < 0x80
    }
    if !isASCII { try checkScalars(text) }
    if isQuoted {
      try checkQuotedString(bytes)
    } else {
      try checkDotAtom(bytes, of: text)
    }
    return !isASCII
  }

  /// Rejects invisible characters: Unicode spaces, separators, controls and most format characters.
  private static func checkScalars(_ text: String) throws(AddressError) {
    for scalar in text.unicodeScalars where !scalar.isASCII {
      // ZWNJ and ZWJ are allowed because Persian and Indic words need them.
      if scalar.value == 0x200C || scalar.value == 0x200D { continue }
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .privateUse, .unassigned:
        throw AddressError("the address \(quoted(text)) contains a space or an invisible character")
      default: break
      }
    }
  }

  private static func checkDotAtom(_ bytes: Span<UInt8>, of text: String) throws(AddressError) {
    var previous = UInt8(ascii: ".")
    for i in bytes.indices {
      let byte = bytes[i]
      if byte == UInt8(ascii: ".") {
        guard previous != byte else {
          throw AddressError(
            "the part before the @, \(quoted(text)), starts with a dot or has two dots in a row")
        }
      } else if !isAtomText(byte) {
        throw AddressError(
          "the part before the @, \(quoted(text)), contains a character that is only allowed in quotes")
      }
      previous = byte
    }
    guard previous != UInt8(ascii: ".") else {
      throw AddressError("the part before the @, \(quoted(text)), ends with a dot")
    }
  }

  private static func checkQuotedString(_ bytes: Span<UInt8>) throws(AddressError) {
    var i = 1
    while i < bytes.count - 1, bytes[i] != UInt8(ascii: "\"") {
      i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard bytes.count >= 2, i == bytes.count - 1, bytes[i] == UInt8(ascii: "\"") else {
      throw AddressError("the quotes before the @ don't match")
    }
  }
}

/// Whether a byte may occur in an atom (RFC 5322, 3.2.3, with RFC 6532).
func isAtomText(_ byte: UInt8) -> Bool {
  switch byte {
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

extension Address {
  /// The address as shown in logs and pages: `k***@example.com`.
  public var masked: String {
    let shown = localPart.count > 1 ? String(localPart.prefix(1)) : ""
    return "\(shown)***@\(domain)"
  }
}

/// The part of an address after `@`: a host name as lower-case A-labels, or an address literal.
struct Domain {
  let description: String

  init(_ text: String) throws(AddressError) {
    let bytes = text.utf8Span.span
    // A name may be longer before the mapping than after it; the limit bounds the work.
    guard bytes.count <= 1_024 else { throw AddressError("the domain is longer than 255 bytes") }
    guard bytes.count > 0 else { throw AddressError("nothing after the @") }
    if bytes[0] == UInt8(ascii: "[") {
      description = try Domain.literal(text)
      return
    }
    var isASCII = true
    var hasUpperCase = false
    for i in bytes.indices {
      isASCII = isASCII && bytes[i] < 0x80
      hasUpperCase = hasUpperCase || (0x41...0x5A).contains(bytes[i])
    }
    var name = isASCII ? text : try Domain.aLabels(text)
    if isASCII, hasUpperCase { name = text.lowercased() }
    try Domain.checkHostName(name)
    description = name
  }

  /// Converts a name to A-labels: IDNA2008, non-transitional, after NFC (RFC 5891, UTS 46).
  static func aLabels(_ text: String) throws(AddressError) -> String {
    // A NUL would end the C string and silently cut the name.
    guard !text.utf8.contains(0) else { throw AddressError("an address can't contain a control character") }
    var found: UnsafeMutablePointer<UInt8>?
    let status = text.withCString { name in
      name.withMemoryRebound(to: UInt8.self, capacity: text.utf8.count + 1) {
        idn2_lookup_u8($0, &found, Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue))
      }
    }
    guard status == IDN2_OK.rawValue, let found else {
      let reason = idn2_strerror(status).map { String(cString: $0) } ?? "error \(status)"
      throw AddressError("the domain \(quoted(text)) isn't a valid international domain name (\(reason))")
    }
    defer { idn2_free(found) }
    return String(cString: found).lowercased()
  }

  /// Checks for letters, digits and inner hyphens between dots (RFC 5321, 4.1.2), at most 63 bytes per label (RFC 1035).
  private static func checkHostName(_ name: String) throws(AddressError) {
    let bytes = name.utf8Span.span
    guard bytes.count <= 255 else { throw AddressError("the domain is longer than 255 bytes") }
    var label = 0
    var previous = UInt8(ascii: ".")
    for i in bytes.indices {
      let byte = bytes[i]
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): label += 1
      case UInt8(ascii: "-") where label > 0: label += 1
      case UInt8(ascii: ".") where label > 0 && previous != UInt8(ascii: "-"): label = 0
      case UInt8(ascii: "."), UInt8(ascii: "-"):
        throw AddressError(
          "the domain \(quoted(name)) has an empty label, or a label that starts or ends with a hyphen")
      default:
        throw AddressError(
          "the domain \(quoted(name)) contains characters other than letters, digits, hyphens and dots")
      }
      guard label <= 63 else {
        throw AddressError("the domain \(quoted(name)) has a label longer than 63 bytes")
      }
      previous = byte
    }
    guard label > 0, previous != UInt8(ascii: "-") else {
      throw AddressError("the domain \(quoted(name)) ends with a dot or a hyphen")
    }
  }

  /// Parses an address literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321, 4.1.3).
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
    guard status == 1 else { throw AddressError("\(quoted(text)) isn't an IP address in brackets") }
    return isVersion6 ? "[IPv6:\(inner.dropFirst(5))]" : "[\(inner)]"
  }
}

/// A display name and an address, as used in From, To, Cc and Reply-To.
public struct Mailbox: Sendable, Hashable, CustomStringConvertible {
  /// The decoded display name, or `nil` if there is none.
  public var name: String? { content?.text }
  /// The address.
  public let address: Address
  let content: HeaderText?

  /// The maximum length of a display name in UTF-8 bytes.
  private static let nameLimit = 1_024

  /// Creates a mailbox; an empty name counts as no name.
  ///
  /// Throws if the name contains a control character or line break, or has more than 1,024 bytes.
  public init(name: String?, address: Address) throws(MailError) {
    self.address = address
    if let name, !name.isEmpty {
      content = try HeaderText(name, field: "display name", limit: Mailbox.nameLimit)
    } else {
      content = nil
    }
  }

  /// Creates a mailbox without a display name.
  public init(_ address: Address) {
    self.address = address
    content = nil
  }

  /// Parses one mailbox in RFC 5322 form: `Pabal <you@gmail.com>`, `"Kim, C" <a@b>` or a bare address.
  public init(_ text: String) throws(MailError) {
    // No valid mailbox is longer.
    let text = try HeaderText(text, field: "mailbox", limit: 4_096)
    let mailboxes = try AddressList(Array(text.text.utf8), field: "mailbox").mailboxes
    guard let mailbox = mailboxes.first, mailboxes.count == 1 else {
      throw MailError(
        "mailbox", "\(quoted(text.text)) is not one address", remedy: "write it as Name <address>")
    }
    self = mailbox
  }

  /// `"Name" <address>`, or the bare address; parsing it again yields the same mailbox.
  public var description: String {
    guard let name else { return address.description }
    var text = "\""
    for scalar in name.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\" <\(address)>"
  }
}
