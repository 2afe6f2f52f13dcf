public import PabalCore

/// A language that lint and the preview speak to message authors.
public enum InterfaceLanguage: String, Sendable, Hashable, CaseIterable {
  /// Korean.
  case korean = "ko"
  /// English.
  case english = "en"

  /// Selects the language of a terminal's locale, from the first non-empty variable of those that set the language of
  /// texts (POSIX, 8.2).
  public init(environment: (String) -> String?) {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
    let name = locale.prefix { $0 != "." && $0 != "@" }
    let encoding = locale.drop { $0 != "." }.dropFirst().prefix { $0 != "@" }.lowercased().filter {
      $0 != "-"
    }
    // The texts are UTF-8, which a terminal in EUC-KR would show as garbage.
    let isUTF8 = encoding.isEmpty || encoding == "utf8"
    self = isUTF8 && InterfaceLanguage.primaryTag(name) == "ko" ? .korean : .english
  }

  /// Selects the language that a browser prefers (RFC 9110, 12.5.4), or else English.
  public init(acceptLanguage header: String) {
    var best: (language: InterfaceLanguage, quality: Double)?
    for range in header.prefix(1_000).split(separator: ",").prefix(20) {
      let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      guard let tag = parts.first,
        let language = InterfaceLanguage(rawValue: InterfaceLanguage.primaryTag(tag))
      else {
        continue
      }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      if quality > best?.quality ?? 0 { best = (language, quality) }
    }
    self = best?.language ?? .english
  }

  private static func primaryTag(_ tag: some StringProtocol) -> String {
    String(tag.prefix { $0 != "-" && $0 != "_" }).lowercased()
  }

  /// The word for the severity of a diagnostic.
  public func word(for severity: Diagnostic.Severity) -> String {
    switch (self, severity) {
    case (.english, _): severity.rawValue
    case (.korean, .error): "오류"
    case (.korean, .warning): "경고"
    }
  }
}
