/// The mailboxes of a To, Cc, Bcc, From or Reply-To header field, foreign mail's included.
///
/// Reads RFC 5322 with RFC 6532: folding, nested comments, quoted strings, groups, encoded words, source routes
/// and spaces around dots as old mailers write them. What can be read in two ways is refused, never guessed.
public struct AddressList: Sendable, Hashable {
  /// The mailboxes in the order written, those of groups among them; empty for an empty group or field.
  public let mailboxes: [Mailbox]

  /// Reads what stands after a header field's colon, folded or not; `field` names it in errors.
  public init(_ bytes: [UInt8], field: String) throws(MailError) {
    var parser = AddressListParser(bytes: bytes, field: field)
    mailboxes = try parser.parse()
  }
}

/// One pass over a header field's value.
private struct AddressListParser {
  let bytes: [UInt8]
  let field: String
  private var position = 0
  private var mailboxes = [Mailbox]()

  /// A piece of a display name or local part.
  private struct Word {
    var bytes: [UInt8]
    var isQuoted: Bool
    /// Whether white space or a comment stands before it.
    var followsSpace: Bool
  }

  init(bytes: [UInt8], field: String) {
    self.bytes = bytes
    self.field = field
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
      remedy: "write addresses as Name <address>, with commas between them and special characters in quotes")
  }

  private func unexpectedCharacter() -> MailError {
    guard let peek else { return makeError("something is missing at the end") }
    return makeError("\(quoted(String(decoding: [peek], as: UTF8.self))) is in the wrong place")
  }

  private mutating func parseElement(isInGroup: Bool) throws(MailError) {
    let words = try words()
    switch peek {
    case UInt8(ascii: "<"):
      try mailboxes.append(Mailbox(name: name(of: words), address: angleAddress()))
    case UInt8(ascii: "@"):
      let address = try address(localPart: words)
      try skipSpace()
      if peek == UInt8(ascii: "<") {
        // `a@b <a@b>` is common and plain enough; with two different addresses it is anybody's guess.
        guard try angleAddress() == address else { throw makeError("an address stands as another's name") }
      }
      mailboxes.append(Mailbox(address))
    case UInt8(ascii: ":") where !isInGroup && !words.isEmpty:
      position += 1
      try parseGroup()
    default: throw words.isEmpty ? unexpectedCharacter() : makeError("a name without an address stands")
    }
  }

  private mutating func parseGroup() throws(MailError) {
    while true {
      try skipSpace()
      switch peek {
      case nil: throw makeError("a group has no ; at its end")
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

  /// Atoms, dots and quoted strings up to the next special character. Brackets pass for letters in names.
  private mutating func words() throws(MailError) -> [Word] {
    var words = [Word]()
    while true {
      let before = position
      try skipSpace()
      let followsSpace = position > before
      guard let byte = peek else { return words }
      if byte == UInt8(ascii: "\"") {
        let text = try quotedString()
        words.append(Word(bytes: text, isQuoted: true, followsSpace: followsSpace))
        continue
      }
      let start = position
      while let byte = peek, isNameText(byte) { position += 1 }
      guard position > start else { return words }
      words.append(
        Word(bytes: Array(bytes[start..<position]), isQuoted: false, followsSpace: followsSpace))
    }
  }

  private func isNameText(_ byte: UInt8) -> Bool {
    isAtomText(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "[")
      || byte == UInt8(ascii: "]")
  }

  private mutating func angleAddress() throws(MailError) -> Address {
    position += 1
    try skipSpace()
    // RFC 5322, 4.4: a source route, which nobody follows any more.
    if peek == UInt8(ascii: "@") || peek == UInt8(ascii: ",") {
      while peek == UInt8(ascii: "@") || peek == UInt8(ascii: ",") {
        if peek == UInt8(ascii: "@") { _ = try domain() } else { position += 1 }
        try skipSpace()
      }
      guard peek == UInt8(ascii: ":") else { throw unexpectedCharacter() }
      position += 1
    }
    let localPart = try words()
    guard peek == UInt8(ascii: "@") else { throw unexpectedCharacter() }
    let address = try address(localPart: localPart)
    try skipSpace()
    guard peek == UInt8(ascii: ">") else { throw unexpectedCharacter() }
    position += 1
    return address
  }

  private mutating func address(localPart words: [Word]) throws(MailError) -> Address {
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
        // Spaces may stand around a dot (RFC 5322, 4.4), but two words are not one.
        let isJoined =
          localPart.isEmpty || localPart.last == UInt8(ascii: ".") || word.bytes.first == UInt8(ascii: ".")
        guard !word.isQuoted, isJoined else { throw makeError("the part before an @ is no one word") }
        localPart += word.bytes
      }
    }
    let domain = try text(domain())
    let local = try text(localPart)
    do throws(AddressError) {
      return try Address(localPart: local, domain: domain)
    } catch {
      throw makeError(error.message)
    }
  }

  /// What follows the `@` at the current position, without spaces and comments.
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
      return domain + [UInt8(ascii: "]")]
    }
    while true {
      while let byte = peek, isAtomText(byte) || byte == UInt8(ascii: ".") {
        domain.append(byte)
        position += 1
      }
      let end = position
      try skipSpace()
      guard let byte = peek, isAtomText(byte) || byte == UInt8(ascii: ".") else { return domain }
      guard byte == UInt8(ascii: ".") || domain.last == UInt8(ascii: ".") else {
        position = end
        throw makeError("a word follows an address")
      }
    }
  }

  private func text(_ bytes: [UInt8]) throws(MailError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw makeError("an address isn't UTF-8")
    }
    return text
  }

  /// The display name: encoded words decoded, the space between two of them dropped (RFC 2047, 6.2).
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

  /// Passes over white space, line ends and comments.
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

  /// The content of the quoted string at the current position, its line ends dropped.
  private mutating func quotedString() throws(MailError) -> [UInt8] {
    var text = [UInt8]()
    position += 1
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"):
        guard let next = peek else { throw makeError("a quotation has no end") }
        text.append(next)
        position += 1
      case UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
      // A fold may stand at a tab, which no name holds.
      case UInt8(ascii: "\t"): text.append(UInt8(ascii: " "))
      default: text.append(byte)
      }
    }
    throw makeError("a quotation has no end")
  }
}
