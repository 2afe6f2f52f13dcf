/// A line of a command, split into its verb and the rest.
struct SMTPCommand {
  /// A command, or the kind of a line that isn't one.
  enum Verb {
    case helo, ehlo, startTLS, auth, mail, rcpt, data, bdat, rset, noop, vrfy, help, quit
    /// A command of RFC 5321 or an extension that isn't offered.
    case notImplemented
    /// The first line of an HTTP request, as browsers are made to send it to other services.
    case http
    case unknown
  }

  let verb: Verb
  /// What follows the verb, without spaces at either end.
  let argument: ArraySlice<UInt8>

  /// The maximum length of a line in the exchange of AUTH (RFC 4954, 4).
  static let loginLimit = 12_288

  /// Splits a line; `nil` if it is empty.
  init?(_ line: [UInt8]) {
    let line = line[...].trimmingSpaces
    guard !line.isEmpty else { return nil }
    let word = line.prefix { $0 != 0x20 }
    verb = Verb(word)
    argument = line.dropFirst(word.count).trimmingSpaces
  }

  /// The maximum length of the line without CRLF.
  ///
  /// It is 512 bytes with CRLF (RFC 5321, 4.5.3.1.4) and grows with the parameters: in MAIL 26 for SIZE (RFC 1870), 17
  /// for BODY (RFC 6152), 10 for SMTPUTF8 (RFC 6531), 500 for AUTH (RFC 4954) and 120 for RET and ENVID (RFC 3461), in
  /// RCPT 500 for ORCPT and NOTIFY (RFC 3461).
  var limit: Int {
    switch verb {
    case .mail: 510 + 26 + 17 + 10 + 500 + 120
    case .rcpt: 510 + 500
    case .vrfy: 510 + 10
    case .auth: SMTPCommand.loginLimit
    default: 510
    }
  }

  /// Whether the argument may have non-ASCII characters.
  var mayBeInternational: Bool { verb == .mail || verb == .rcpt || verb == .vrfy }
}

extension SMTPCommand.Verb {
  fileprivate init(_ word: ArraySlice<UInt8>) {
    guard word.count <= 8 else {
      self = .unknown
      return
    }
    switch String(decoding: word, as: UTF8.self).uppercased() {
    case "HELO": self = .helo
    case "EHLO": self = .ehlo
    case "STARTTLS": self = .startTLS
    case "AUTH": self = .auth
    case "MAIL": self = .mail
    case "RCPT": self = .rcpt
    case "DATA": self = .data
    case "BDAT": self = .bdat
    case "RSET": self = .rset
    case "NOOP": self = .noop
    case "VRFY": self = .vrfy
    case "HELP": self = .help
    case "QUIT": self = .quit
    case "EXPN", "SEND", "SOML", "SAML", "TURN", "ETRN", "ATRN", "BURL", "LHLO", "XCLIENT", "XFORWARD":
      self = .notImplemented
    case "GET", "POST", "PUT", "HEAD", "DELETE", "CONNECT", "OPTIONS", "PATCH", "TRACE", "PRI", "HOST:":
      self = .http
    default: self = .unknown
    }
  }
}

extension ArraySlice<UInt8> {
  /// The slice without spaces at either end.
  var trimmingSpaces: ArraySlice<UInt8> {
    var rest = self
    while rest.first == 0x20 { rest.removeFirst() }
    while rest.last == 0x20 { rest.removeLast() }
    return rest
  }

  /// Whether the slice is this text, whose letters are upper-case, in any case.
  func isWord(_ text: StaticString) -> Bool {
    let text = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    return elementsEqual(text) { ((0x61...0x7A).contains($0) ? $0 - 0x20 : $0) == $1 }
  }
}
