/// The two ways a reader's window may be coloured.
enum ColorScheme: String, Sendable, CaseIterable {
  case light = "light"
  case dark = "dark"

  /// The page as a reader with this scheme sees it, whatever the scheme of the browser that shows it.
  ///
  /// `color-scheme` on an iframe would do in Chromium and Firefox, but not in Safari; so the page's own queries
  /// are answered here.
  func applied(to page: String) -> String {
    var applied: [UInt8] = []
    let octets = Array(page.utf8)
    applied.reserveCapacity(octets.count + 256)
    var index = 0
    var state = ParserState.text
    while index < octets.count {
      switch state {
      case .text where octets[index] == UInt8(ascii: "<"):
        state = ColorScheme.matches("<style", at: index, in: octets) ? .style : .tag
      case .tag where octets[index] == UInt8(ascii: ">"): state = .text
      case .style where ColorScheme.matches("</style", at: index, in: octets): state = .tag
      case .style, .tag:
        guard let (replacement, end) = replacement(at: index, in: octets) else { break }
        applied += replacement.utf8
        index = end
        continue
      case .text: break
      }
      applied.append(octets[index])
      index += 1
    }
    return String(decoding: applied, as: UTF8.self)
      // `base` keeps a followed link from taking the picture's place; the sandbox opens no window for it.
      + "<base target=\"_blank\"><style>:root{color-scheme:only \(rawValue)!important}</style>"
  }

  private enum ParserState {
    case text
    case tag
    case style
  }

  /// What stands for `(prefers-color-scheme: …)` at `start`, and where that ends.
  private func replacement(at start: Int, in octets: [UInt8]) -> (String, Int)? {
    guard ColorScheme.matches("(prefers-color-scheme", at: start, in: octets),
      let end = octets[start...].prefix(64).firstIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let query = String(decoding: octets[start..<end], as: UTF8.self).lowercased()
    // Without a scheme it asks whether there is one at all.
    let matchesScheme = !query.contains(":") || query.contains(rawValue)
    return (matchesScheme ? "(min-width:0)" : "(max-width:0)", end + 1)
  }

  private static func matches(_ word: String, at start: Int, in octets: [UInt8]) -> Bool {
    let word = word.utf8
    guard start + word.count <= octets.count else { return false }
    return zip(word, octets[start...]).allSatisfy { $0 == ($1 >= 0x41 && $1 <= 0x5A ? $1 | 0x20 : $1) }
  }
}
