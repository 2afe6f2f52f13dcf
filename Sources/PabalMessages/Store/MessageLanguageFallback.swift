internal import PabalCore

/// A message that was rendered in a language that wasn't requested.
package enum MessageLanguageFallback {
  /// Whether `language` is none of the requested ones (RFC 4647 ranges).
  package static func happened(from requested: [String], to language: String) -> Bool {
    let language = language.lowercased()
    return !requested.isEmpty
      && !requested.contains { range in
        let tag = range.prefix { $0 != ";" }.lowercased().replacing("_", with: "-")
        return tag == language || tag.hasPrefix(language + "-") || tag == "*"
      }
  }

  /// A note for the person at the terminal, who sees the message or, with `isSent`, has it sent.
  package static func text(
    from requested: [String], to language: String, in interface: InterfaceLanguage, isSent: Bool = false
  ) -> String {
    let requested = printable(requested.joined(separator: ", "))
    return switch (interface, isSent) {
    case (.korean, false): "(\(requested) 버전이 없어서 \(language) 버전을 보여 드립니다)"
    case (.korean, true): "(\(requested) 버전이 없어서 \(language) 버전을 보냅니다)"
    case (.english, false): "(not available in \(requested); this is \(language))"
    case (.english, true): "(not available in \(requested); the mail is in \(language))"
    }
  }
}
