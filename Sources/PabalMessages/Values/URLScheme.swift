/// The addresses that may stand behind a link in a mail.
enum URLScheme {
  /// Whether `text` is an https, http or mailto address without blanks.
  static func isURL(_ text: String) -> Bool {
    guard let rest = afterScheme(text) else { return false }
    return !rest.isEmpty && !rest.utf8.contains(0x20)
  }

  /// What follows `https://`, `http://` or `mailto:`; `nil` where none of them begins it.
  static func afterScheme(_ text: String, mail: Bool = true) -> Substring? {
    for scheme in mail ? ["https://", "http://", "mailto:"] : ["https://", "http://"] {
      let start = text.prefix(scheme.count)
      if start.lowercased() == scheme { return text[start.endIndex...] }
    }
    return nil
  }
}
