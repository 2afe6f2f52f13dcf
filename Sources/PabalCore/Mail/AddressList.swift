/// The mailboxes of a To, Cc, Bcc, From or Reply-To header field.
///
/// Parses RFC 5322 with RFC 6532: folding, nested comments, quoted strings, groups, encoded words, and the obsolete
/// source routes and spaces around dots. Ambiguous input is rejected.
public struct AddressList: Sendable, Hashable {
  /// The mailboxes in the order written, including those in groups; empty for an empty group or field.
  public let mailboxes: [Mailbox]

  /// Parses the value of a header field, folded or not; `field` is its name in errors.
  public init(_ bytes: [UInt8], field: String) throws(MailError) {
    var parser = AddressListParser(bytes: bytes, field: field, localDomain: nil)
    mailboxes = try parser.parse()
  }

  /// Parses the value of a header field without its display names. Names such as `root` are addresses in `domain`.
  package init(_ bytes: [UInt8], field: String, completing domain: String) throws(MailError) {
    var parser = AddressListParser(bytes: bytes, field: field, localDomain: domain)
    mailboxes = try parser.parse()
  }

  /// An address in the value of a header field.
  struct Located: Sendable, Hashable {
    /// The address.
    var address: Address
    /// Where it is: without its display name, comments and angle brackets.
    var range: Range<Int>
    /// Where its mailbox ends: behind the angle bracket, if there is one.
    var end: Int
    /// Whether it was written without a domain.
    var isLocalName: Bool
  }

  /// Returns the addresses in the value of a header field, with their locations. Names such as `root` are addresses in
  /// `domain`.
  static func locate(
    in bytes: [UInt8], field: String, completing domain: String
  ) throws(MailError) -> [Located] {
    var parser = AddressListParser(bytes: bytes, field: field, localDomain: domain)
    _ = try parser.parse()
    return parser.located
  }
}

/// A single-pass parser for the value of an address header field.
private struct AddressListParser {
  let bytes: [UInt8]
  let field: String
  /// The domain of names that have none. With it, display names are skipped.
  let localDomain: String?
  private var position = 0
  private var mailboxes = [Mailbox]()
  /// The locations of the mailboxes, if names have a local domain.
  private(set) var located = [AddressList.Located]()
  /// Where the words read last begin.
  private var wordsStart = 0
  /// Where the last word, or the last part of a domain, ends.
  private var tokenEnd = 0

  /// A piece of a display name or local part.
  private struct Word {
    var bytes: [UInt8]
    var isQuoted: Bool
    /// Whether white space or a comment precedes the word.
    var followsSpace: Bool
  }

  init(bytes: [UInt8], field: String, localDomain: String?) {
    self.bytes = bytes
    self.field = field
    self.localDomain = localDomain
  }

  mutating func parse() throws(MailError) -> [Mailbox] {
    while true {
      try skipSpace()
      guard let byte = peek else { return mailboxes }
      if byte == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try parseElement(isInGroup: false)
      try skipSpace()
      guard peek == nil || peek == UInt8(ascii: ",") else { throw unexpectedCharacter() }
    }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func makeError(_ message: String) -> MailError {
    MailError(
      field, "\(message) in \(quoted(String(decoding: bytes, as: UTF8.self)))",
      remedy: "write addresses as Name <address>, separated by commas, with special characters in quotes")
  }

  /// The error about words without an address: a word alone was more likely meant as an address than as a name.
  private func missingAddress(of words: [Word]) -> MailError {
    guard words.count == 1, !words[0].isQuoted else { return makeError("a display name has no address") }
    return MailError(
      field, "\(quoted(String(decoding: words[0].bytes, as: UTF8.self))) isn't an address: it has no @",
      remedy: "write it like kim@example.com")
  }

  private func unexpectedCharacter() -> MailError {
    guard let peek else { return makeError("an address is incomplete") }
    return makeError("unexpected \(quoted(String(decoding: [peek], as: UTF8.self)))")
  }

  private mutating func parseElement(isInGroup: Bool) throws(MailError) {
    let words = try words()
    switch peek {
    case UInt8(ascii: "<"):
      let name = localDomain == nil ? try name(of: words) : nil
      let start = position + 1
      let address = try angleAddress()
      try mailboxes.append(Mailbox(name: name, address: address.address))
      locate(address.address, start..<address.end, end: position, isLocalName: address.isLocalName)
    case UInt8(ascii: "@"):
      let start = wordsStart
      let address = try address(localPart: words)
      var end = tokenEnd
      try skipSpace()
      if peek == UInt8(ascii: "<") {
        // `a@b <a@b>` is common and unambiguous; with two different addresses it is ambiguous.
        guard try angleAddress().address == address else {
          throw makeError("an address is used as the display name of another address")
        }
        end = position
      }
      mailboxes.append(Mailbox(address))
      locate(address, start..<end, end: end, isLocalName: false)
    case UInt8(ascii: ":") where !isInGroup && !words.isEmpty:
      position += 1
      try parseGroup()
    default:
      if let localDomain, !words.isEmpty {
        let range = wordsStart..<tokenEnd
        let address = try address(localPart: words, domain: Array(localDomain.utf8))
        mailboxes.append(Mailbox(address))
        locate(address, range, end: range.upperBound, isLocalName: true)
        return
      }
      guard words.isEmpty else { throw missingAddress(of: words) }
      throw unexpectedCharacter()
    }
  }

  private mutating func locate(_ address: Address, _ range: Range<Int>, end: Int, isLocalName: Bool) {
    guard localDomain != nil else { return }
    located.append(AddressList.Located(address: address, range: range, end: end, isLocalName: isLocalName))
  }

  private mutating func parseGroup() throws(MailError) {
    while true {
      try skipSpace()
      switch peek {
      case nil: throw makeError("a group has no closing ;")
      case UInt8(ascii: ";"):
        position += 1
        return
      case UInt8(ascii: ","): position += 1
      default:
        try parseElement(isInGroup: true)
        try skipSpace()
        guard peek == UInt8(ascii: ",") || peek == UInt8(ascii: ";") else { throw unexpectedCharacter() }
      }
    }
  }

  /// Reads atoms, dots and quoted strings up to the next special character. Square brackets are accepted in names.
  private mutating func words() throws(MailError) -> [Word] {
    var words = [Word]()
    while true {
      let before = position
      try skipSpace()
      let followsSpace = position > before
      guard let byte = peek else { return words }
      if words.isEmpty { wordsStart = position }
      if byte == UInt8(ascii: "\"") {
        let text = try quotedString()
        tokenEnd = position
        words.append(Word(bytes: text, isQuoted: true, followsSpace: followsSpace))
        continue
      }
      let start = position
      while let byte = peek, isNameText(byte) { position += 1 }
      guard position > start else { return words }
      tokenEnd = position
      words.append(
        Word(bytes: Array(bytes[start..<position]), isQuoted: false, followsSpace: followsSpace))
    }
  }

  private func isNameText(_ byte: UInt8) -> Bool {
    isAtomText(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "[")
      || byte == UInt8(ascii: "]")
  }

  /// Reads an address in angle brackets. Returns where it ends, and whether it has no domain, too.
  private mutating func angleAddress() throws(MailError) -> (address: Address, end: Int, isLocalName: Bool) {
    position += 1
    try skipSpace()
    // A source route (RFC 5322, 4.4) is obsolete and skipped.
    if peek == UInt8(ascii: "@") || peek == UInt8(ascii: ",") {
      while peek == UInt8(ascii: "@") || peek == UInt8(ascii: ",") {
        if peek == UInt8(ascii: "@") { _ = try domain() } else { position += 1 }
        try skipSpace()
      }
      guard peek == UInt8(ascii: ":") else { throw unexpectedCharacter() }
      position += 1
    }
    let localPart = try words()
    let address: Address
    let isLocalName = peek == UInt8(ascii: ">")
    if let localDomain, isLocalName, !localPart.isEmpty {
      address = try self.address(localPart: localPart, domain: Array(localDomain.utf8))
    } else {
      guard peek == UInt8(ascii: "@") else { throw unexpectedCharacter() }
      address = try self.address(localPart: localPart)
    }
    let end = tokenEnd
    try skipSpace()
    guard peek == UInt8(ascii: ">") else { throw unexpectedCharacter() }
    position += 1
    return (address, end, isLocalName)
  }

  /// Reads the domain of an address at the current position, unless one is given.
  private mutating func address(localPart words: [Word], domain: [UInt8]? = nil) throws(MailError) -> Address
  {
    var localPart = [UInt8]()
    if words.count == 1, words[0].isQuoted {
      localPart.append(UInt8(ascii: "\""))
      for byte in words[0].bytes {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { localPart.append(UInt8(ascii: "\\")) }
        localPart.append(byte)
      }
      localPart.append(UInt8(ascii: "\""))
    } else {
      for word in words {
        // Spaces around a dot are allowed (RFC 5322, 4.4), but two words without a dot aren't one local part.
        let isJoined =
          localPart.isEmpty || localPart.last == UInt8(ascii: ".") || word.bytes.first == UInt8(ascii: ".")
        guard !word.isQuoted, isJoined else { throw makeError("an address with a display name needs <…>") }
        localPart += word.bytes
      }
    }
    let domain = if let domain { try text(domain) } else { try text(self.domain()) }
    let local = try text(localPart)
    do throws(AddressError) {
      return try Address(localPart: local, domain: domain)
    } catch {
      throw makeError(error.message)
    }
  }

  /// Reads the domain after the `@` at the current position, without spaces and comments.
  private mutating func domain() throws(MailError) -> [UInt8] {
    position += 1
    try skipSpace()
    var domain = [UInt8]()
    if peek == UInt8(ascii: "[") {
      while let byte = peek, byte != UInt8(ascii: "]") {
        position += 1
        if !isSpace(byte) { domain.append(byte) }
      }
      guard peek == UInt8(ascii: "]") else { throw makeError("an address literal has no closing bracket") }
      position += 1
      tokenEnd = position
      return domain + [UInt8(ascii: "]")]
    }
    while true {
      while let byte = peek, isAtomText(byte) || byte == UInt8(ascii: ".") {
        domain.append(byte)
        position += 1
      }
      let end = position
      tokenEnd = end
      try skipSpace()
      guard let byte = peek, isAtomText(byte) || byte == UInt8(ascii: ".") else { return domain }
      guard byte == UInt8(ascii: ".") || domain.last == UInt8(ascii: ".") else {
        position = end
        throw makeError("unexpected text after an address")
      }
    }
  }

  private func text(_ bytes: [UInt8]) throws(MailError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw makeError("an address isn't UTF-8")
    }
    return text
  }

  /// Returns the display name with encoded words decoded and the space between two of them dropped (RFC 2047, 6.2).
  private func name(of words: [Word]) throws(MailError) -> String? {
    var decoder = EncodedWordDecoder()
    for word in words {
      decoder.append(word.bytes, followsSpace: word.followsSpace, mayBeEncoded: !word.isQuoted)
    }
    let name = decoder.finished()
    return name.isEmpty ? nil : name
  }

  private func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
      || byte == UInt8(ascii: "\n")
  }

  /// Skips white space, line ends and comments.
  private mutating func skipSpace() throws(MailError) {
    var depth = 0
    while let byte = peek {
      if byte == UInt8(ascii: "(") {
        depth += 1
      } else if depth > 0 {
        if byte == UInt8(ascii: ")") { depth -= 1 }
        if byte == UInt8(ascii: "\\") { position += 1 }
      } else if !isSpace(byte) {
        return
      }
      position += 1
    }
    guard depth == 0, position <= bytes.count else {
      throw makeError("a comment has no closing parenthesis")
    }
  }

  /// Reads the content of the quoted string at the current position, without line ends.
  private mutating func quotedString() throws(MailError) -> [UInt8] {
    var text = [UInt8]()
    position += 1
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"):
        guard let next = peek else { throw makeError("a quoted string has no closing quote") }
        text.append(next)
        position += 1
      case UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
      // A tab comes from folding; names can't contain tabs.
      case UInt8(ascii: "\t"): text.append(UInt8(ascii: " "))
      default: text.append(byte)
      }
    }
    throw makeError("a quoted string has no closing quote")
  }
}
