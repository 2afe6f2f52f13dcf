extension SendResult {
  /// The same as people may see it: on one line, not endless, without the tokens, should the far side repeat them.
  func redacted(removing tokens: String...) -> SendResult {
    // A token may be the beginning of another.
    let tokens = tokens.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    var redacted = self
    redacted.message = Self.redacted(message, removing: tokens)
    redacted.id = id.map { Self.redacted($0, removing: tokens) }
    return redacted
  }

  /// The most octets of a text that somebody else wrote.
  private static let maxLength = 1_024

  private static func redacted(_ text: String, removing tokens: [[UInt8]]) -> String {
    // Nearly every answer may be seen as it is.
    if needsNoRedaction(text, removing: tokens) { return text }
    var octets = Array(text.utf8)
    for token in tokens { octets = redact(token, in: octets) }
    var line = ""
    var count = 0
    for scalar in String(decoding: octets, as: UTF8.self).unicodeScalars {
      let redacted = isControlOrLineBreak(scalar) ? " " : scalar
      count += UTF8.width(redacted)
      guard count <= maxLength else { break }
      line.unicodeScalars.append(redacted)
    }
    return line
  }

  /// Whether a text is short, of plain characters, and holds no token.
  private static func needsNoRedaction(_ text: String, removing tokens: [[UInt8]]) -> Bool {
    let octets = text.utf8Span.span
    guard octets.count <= maxLength else { return false }
    for index in octets.indices {
      guard octets[index] >= 0x20, octets[index] < 0x7F else { return false }
    }
    return tokens.allSatisfy { !contains($0.span, octets) }
  }

  private static func contains(_ token: Span<UInt8>, _ octets: Span<UInt8>) -> Bool {
    guard token.count > 0, octets.count >= token.count else { return false }
    for start in 0...(octets.count - token.count) where octets[start] == token[0] {
      var length = 1
      while length < token.count, octets[start + length] == token[length] { length += 1 }
      if length == token.count { return true }
    }
    return false
  }

  // By octets: as characters, a token before a combining mark would not be found.
  private static func redact(_ token: [UInt8], in octets: [UInt8]) -> [UInt8] {
    var hidden: [UInt8] = []
    hidden.reserveCapacity(octets.count)
    var rest = octets[...]
    while let first = rest.first {
      if first == token.first, rest.starts(with: token) {
        hidden += "…".utf8
        rest = rest.dropFirst(token.count)
      } else {
        hidden.append(first)
        rest = rest.dropFirst()
      }
    }
    return hidden
  }

  /// Whether it is a control character, or ends a line or paragraph (Unicode, Cc, Zl and Zp).
  private static func isControlOrLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}
