extension Ending {
  /// The same as people may see it: on one line, not endless, without the tokens, should the far side repeat them.
  func shown(without tokens: String...) -> Ending {
    // A token may be the beginning of another.
    let tokens = tokens.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    var shown = self
    shown.words = Self.shown(words, without: tokens)
    shown.id = id.map { Self.shown($0, without: tokens) }
    return shown
  }

  /// The most octets of a text that somebody else wrote.
  private static let longest = 1_024

  private static func shown(_ text: String, without tokens: [[UInt8]]) -> String {
    var octets = Array(text.utf8)
    for token in tokens { octets = hide(token, in: octets) }
    var line = ""
    var count = 0
    for scalar in String(decoding: octets, as: UTF8.self).unicodeScalars {
      let shown = breaks(scalar) ? " " : scalar
      count += UTF8.width(shown)
      guard count <= longest else { break }
      line.unicodeScalars.append(shown)
    }
    return line
  }

  // By octets: as characters, a token before a combining mark would not be found.
  private static func hide(_ token: [UInt8], in octets: [UInt8]) -> [UInt8] {
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
  private static func breaks(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}
