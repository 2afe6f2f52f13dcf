internal import PabalCore

/// The value of a `url` variable: an address that every program reads alike.
struct LinkAddress: Sendable, Hashable {
  /// The address for a link; its host consists of A-labels.
  let target: String
  /// The address for people; its host has its U-labels where they are safe.
  let shown: String

  /// Parses an https, http or mailto URL.
  ///
  /// Refused is what browsers, mail programs and libraries read differently (RFC 3986, WHATWG URL), because then a link
  /// checked by one leads elsewhere in another: backslashes, user names, percent signs in the host, invisible
  /// characters.
  init(_ text: String) throws(InvalidValueError) {
    guard let rest = URLScheme.afterScheme(text), !rest.isEmpty, !rest.utf8.contains(0x20) else {
      throw InvalidValueError(
        message: "not a link address", remedy: "start it with https://, http:// or mailto:")
    }
    try LinkAddress.checkCharacters(rest)
    let scheme = text[..<rest.startIndex].lowercased()
    guard scheme != "mailto:" else {
      target = scheme + rest
      shown = target
      return
    }
    let end = rest.utf8.firstIndex { [UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#")].contains($0) }
    let authority = rest[..<(end ?? rest.endIndex)]
    let path = rest[(end ?? rest.endIndex)...]
    guard !authority.utf8.contains(UInt8(ascii: "@")) else {
      throw InvalidValueError(
        message: "has an @ in its host, and what comes before it looks like the host",
        remedy: "remove the user name and the @")
    }
    let (name, port) = try LinkAddress.split(authority)
    guard !name.isEmpty else {
      throw InvalidValueError(message: "has no host", remedy: "write it like https://example.com/path")
    }
    guard let host = InternationalHost(String(name)) else {
      throw InvalidValueError(
        message: "its host isn't a valid name", remedy: "write it like https://example.com/path")
    }
    target = scheme + host.ascii + port + path
    shown = scheme + host.shown + port + path
  }

  private static func checkCharacters(_ text: Substring) throws(InvalidValueError) {
    guard !text.utf8.contains(UInt8(ascii: "\\")) else {
      throw InvalidValueError(
        message: "contains a backslash, which browsers read as a slash", remedy: "write / or %5C")
    }
    guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return }
    for scalar in text.unicodeScalars where !scalar.isASCII {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .privateUse, .unassigned,
        .surrogate:
        throw InvalidValueError(
          message: "contains the invisible character \(scalar.codePoint)",
          remedy: "remove it, or percent-encode it")
      default: break
      }
    }
  }

  /// Splits a host from its port, which is returned with its colon; empty if there is none.
  private static func split(_ authority: Substring) throws(InvalidValueError) -> (
    name: Substring, port: String
  ) {
    let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
    guard let colon = authority[afterBracket...].lastIndex(of: ":") else { return (authority, "") }
    let digits = authority[authority.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
      (1...65_535).contains(port)
    else {
      throw InvalidValueError(
        message: "its port isn't valid", remedy: "use a number from 1 to 65535, or remove it")
    }
    return (authority[..<colon], ":\(port)")
  }
}

/// The URL schemes that are allowed for links in a mail.
enum URLScheme {
  /// Returns the part after `https://`, `http://` or (if `mail`) `mailto:`; `nil` if the text starts with none of them.
  static func afterScheme(_ text: String, mail: Bool = true) -> Substring? {
    for scheme in mail ? ["https://", "http://", "mailto:"] : ["https://", "http://"] {
      let start = text.prefix(scheme.count)
      if start.lowercased() == scheme { return text[start.endIndex...] }
    }
    return nil
  }
}
