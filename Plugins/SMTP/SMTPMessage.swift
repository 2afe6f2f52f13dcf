/// A mail for one attempt; `bytes` are borrowed from the host until the attempt ends.
struct SMTPMessage {
  let sender: String
  let recipients: [String]
  let bytes: UnsafeRawBufferPointer
  let needsSMTPUTF8: Bool
  let needs8BitMIME: Bool
  /// Whether a server could run a line of the mail as a command; found once, when it is first asked.
  private(set) lazy var containsCommand = CommandLineScan.findsCommand(in: bytes)

  /// A non-ASCII address in the envelope sets `needsSMTPUTF8` too.
  init(
    sender: String, recipients: [String], bytes: UnsafeRawBufferPointer, needsSMTPUTF8: Bool = false,
    needs8BitMIME: Bool = false
  ) {
    self.sender = sender
    self.recipients = recipients
    self.bytes = bytes
    self.needsSMTPUTF8 =
      needsSMTPUTF8 || !SMTPSyntax.isASCII(sender) || !recipients.allSatisfy(SMTPSyntax.isASCII)
    self.needs8BitMIME = needs8BitMIME
  }

  /// Returns why a server with `capabilities` can't carry the mail, or `nil` if it can.
  func incompatibility(_ capabilities: Capabilities) -> String? {
    if let maxSize = capabilities.maxSize, bytes.count > maxSize {
      return "the mail has \(bytes.count) bytes, the server accepts \(maxSize)"
    }
    if needsSMTPUTF8, !capabilities.smtpUTF8 {
      return "an address or a header isn't ASCII, and the server doesn't offer SMTPUTF8"
    }
    if needs8BitMIME, !capabilities.eightBitMIME {
      return "the body contains bytes above 127, and the server doesn't offer 8BITMIME"
    }
    return nil
  }
}

/// The outcome for one recipient, and the reply or reason behind it.
struct RecipientResult: Equatable, Sendable {
  let outcome: SMTPOutcome
  let message: String

  init(_ outcome: SMTPOutcome, _ message: String) {
    self.outcome = outcome
    self.message = message
  }
}

/// Syntax checks of everything that is written into a command or a URL; they don't rely on the host's checks.
enum SMTPSyntax {
  static func isASCII(_ text: String) -> Bool {
    let bytes = text.utf8Span.span
    var all: UInt8 = 0
    for index in bytes.indices { all |= bytes[index] }
    return all < 0x80
  }

  /// Whether `address` is safe between `<` and `>`: at most 256 bytes (RFC 5321, 4.5.3.1.3), no control characters,
  /// and outside quotes no space, `<` or `>`, which would start a parameter.
  static func isAddress(_ address: String) -> Bool {
    let bytes = address.utf8Span.span
    guard bytes.count > 0, bytes.count <= 256 else { return false }
    var isQuoted = false
    var isEscaped = false
    for index in bytes.indices {
      let byte = bytes[index]
      if byte < 0x20 || byte == 0x7F { return false }
      if isEscaped {
        isEscaped = false
      } else if isQuoted, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      } else if !isQuoted, byte == 0x20 || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">") {
        return false
      }
    }
    return !isQuoted && !isEscaped
  }

  /// Whether `name` is valid after EHLO: a domain, or an address literal in brackets.
  static func isEHLOName(_ name: String) -> Bool {
    var inner = Substring(name)
    if inner.first == "[", inner.last == "]" { inner = inner.dropFirst().dropLast() }
    return !inner.isEmpty && inner.utf8.count <= 255
      && inner.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x3A }
  }

  /// Whether `host` is a host name or an IP address without brackets and without a port.
  static func isHost(_ host: String) -> Bool {
    guard !host.isEmpty, host.utf8.count <= 255 else { return false }
    let colons = host.utf8.count { $0 == 0x3A }
    if colons > 0 {
      // An IPv6 address has at least two colons.
      return colons > 1 && host.allSatisfy { $0.isASCII && $0.isHexDigit || $0 == ":" || $0 == "." }
    }
    return host.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
  }

  /// Whether `text` is non-empty printable ASCII without spaces, as user names and tokens are.
  static func isPrintable(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }

  /// Whether `text` contains no ASCII control character.
  static func hasNoControlCharacters(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }
}
