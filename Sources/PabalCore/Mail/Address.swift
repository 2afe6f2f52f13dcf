internal import CPabalIDN
internal import Glibc

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
  /// The address without `<` and `>`, at most 254 bytes.
  public let description: String
  /// Whether the local part holds non-ASCII, which takes SMTPUTF8 (RFC 6531).
  public let needsSMTPUTF8: Bool
  // In UTF-8 bytes.
  private let localLength: Int

  /// Reads one address, without display name or comment.
  public init(_ text: String) throws(AddressError) {
    // 64 bytes, the @ and a domain that may shrink when it becomes A-labels.
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
    // RFC 5321, 4.5.3.1.3: a path is at most 256 bytes, < and > included.
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

  private static func endOfLocalPart(_ bytes: Span<UInt8>) -> Int? {
    var i = 0
    if bytes[0] == UInt8(ascii: "\"") {
      i = 1
      while i < bytes.count, bytes[i] != UInt8(ascii: "\"") { i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1 }
    }
    while i < bytes.count, bytes[i] != UInt8(ascii: "@") { i += 1 }
    return i < bytes.count ? i : nil
  }

  /// Whether the local part, a dot-atom or a quoted string, holds non-ASCII.
  private static func checkLocalPart(_ text: String) throws(AddressError) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count > 0 else { throw AddressError("nothing stands before the @") }
    // RFC 5321, 4.5.3.1.1.
    guard bytes.count <= 64 else { throw AddressError("the part before the @ is longer than 64 octets") }
    var isASCII = true
    for i in bytes.indices {
      let byte = bytes[i]
      guard byte > 0x20, byte != 0x7F else {
        throw AddressError("an address holds no \(byte == 0x20 ? "space" : "control character")")
      }
      isASCII = isASCII && byte < 0x80
    }
    if !isASCII { try checkScalars(text) }
    if bytes[0] == UInt8(ascii: "\"") {
      try checkQuotedString(bytes)
    } else {
      try checkDotAtom(bytes, of: text)
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

  private static func checkDotAtom(_ bytes: Span<UInt8>, of text: String) throws(AddressError) {
    var previous = UInt8(ascii: ".")
    for i in bytes.indices {
      let byte = bytes[i]
      if byte == UInt8(ascii: ".") {
        guard previous != byte else {
          throw AddressError("the part before the @, \(quoted(text)), begins with a dot or has two together")
        }
      } else if !isAtomText(byte) {
        throw AddressError(
          "the part before the @, \(quoted(text)), holds a character that only stands between quotes")
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
      throw AddressError("the quotes before the @ do not match")
    }
  }
}

/// RFC 5322, 3.2.3 with RFC 6532: what an atom is made of.
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
  /// The address as logs and pages show it: `k***@example.com`.
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
    // Before mapping, a name may be longer than after it, but not without end.
    guard bytes.count <= 1_024 else { throw AddressError("the domain is longer than 255 octets") }
    guard bytes.count > 0 else { throw AddressError("nothing stands after the @") }
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

  /// RFC 5321, 4.1.2: letters, digits and inner hyphens between dots; RFC 1035: 63 bytes a label.
  private static func checkHostName(_ name: String) throws(AddressError) {
    let bytes = name.utf8Span.span
    guard bytes.count <= 255 else { throw AddressError("the domain is longer than 255 octets") }
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
          "the domain \(quoted(name)) has an empty label or one that begins or ends with -")
      default:
        throw AddressError("the domain \(quoted(name)) holds more than letters, digits, hyphens and dots")
      }
      guard label <= 63 else {
        throw AddressError("the domain \(quoted(name)) has a label of more than 63 octets")
      }
      previous = byte
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

/// A display name and an address, as From, To, Cc and Reply-To hold them.
public struct Mailbox: Sendable, Hashable, CustomStringConvertible {
  /// The name as people read it, not encoded; `nil` without one.
  public var name: String? { content?.text }
  /// The address.
  public let address: Address
  let content: HeaderText?

  /// The most bytes of UTF-8 a display name may have.
  private static let nameLimit = 1_024

  /// A display name and an address; an empty name is none.
  ///
  /// Throws when the name holds a control character or line break, or more than 1,024 bytes.
  public init(name: String?, address: Address) throws(MailError) {
    self.address = address
    if let name, !name.isEmpty {
      content = try HeaderText(name, field: "display name", limit: Mailbox.nameLimit)
    } else {
      content = nil
    }
  }

  /// A bare address.
  public init(_ address: Address) {
    self.address = address
    content = nil
  }

  /// Reads `Pabal <you@gmail.com>`, `"Kim, C" <a@b>` or a bare address, as people and RFC 5322 write them.
  public init(_ text: String) throws(MailError) {
    // No address or name is longer; a person's list belongs in several mailboxes.
    let text = try HeaderText(text, field: "mailbox", limit: 4_096)
    let mailboxes = try AddressList(Array(text.text.utf8), field: "mailbox").mailboxes
    guard let mailbox = mailboxes.first, mailboxes.count == 1 else {
      throw MailError(
        "mailbox", "\(quoted(text.text)) is not one address", remedy: "write it as Name <address>")
    }
    self = mailbox
  }

  /// `"Name" <address>`, or the bare address; reading it again gives the same mailbox.
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
