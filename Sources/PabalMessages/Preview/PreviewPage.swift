public import PabalCore

/// A self-contained HTML page that shows messages as their readers will see them.
public struct PreviewPage: Sendable, Hashable {
  /// The HTML of the page.
  public let html: String
  /// A hash of the page's content.
  public let version: UInt64

  /// Creates a page with every message in every language, below a list of the problems.
  ///
  /// - Parameters:
  ///   - messages: The messages, as returned by `MessageStore.preview`.
  ///   - problems: The problems in the current files.
  ///   - language: The language of everything around the messages.
  ///   - follows: Whether the page reloads itself when its server announces another version at `/changes`.
  public init(
    _ messages: [PreviewedMessage], problems: [Diagnostic], language: InterfaceLanguage = .english,
    follows: Bool = false
  ) {
    var writer = PreviewWriter(language: language)
    writer.write(problems, isFollowed: follows)
    writer.write(tableOf: messages)
    for message in messages { writer.write(message) }
    // FNV-1a is the same in every process, so that a page stays valid after a restart of the server.
    var version: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in writer.html.utf8 { version = (version ^ UInt64(byte)) &* 0x100_0000_01B3 }
    self.version = version
    html = PreviewPage.document(writer.html, language, follows: follows ? version : nil)
  }

  private static func document(
    _ main: String, _ language: InterfaceLanguage, follows version: UInt64?
  ) -> String {
    let texts = PreviewTexts.inLanguage(language)
    return """
      <!doctype html>
      <html lang="\(language.rawValue)">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
      script-src 'unsafe-inline'; img-src https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'">
      <title>\(texts.title)</title>
      <style>
      \(PreviewAssets.style)
      </style>
      </head>
      <body>
      <header>
      <strong>\(texts.name)</strong>
      \(choice("sample", texts.sample, [("examples", texts.examples), ("long", texts.long), ("zeros", texts.zeros)]))
      \(choice("width", texts.width, [("both", texts.both), ("phone", texts.phone), ("desktop", texts.desktop)]))
      \(choice("scheme", texts.scheme, [("both", texts.both), ("light", texts.light), ("dark", texts.dark)]))
      </header>
      <main>
      \(main)</main>
      <script>
      \(PreviewAssets.script)\(version.map { "\nfollow(\"\($0)\");" } ?? "")
      </script>
      </body>
      </html>

      """
  }

  private static func choice(
    _ name: String, _ label: String, _ values: [(value: String, label: String)]
  ) -> String {
    let options = values.enumerated().map { number, option in
      "<label><input type=\"radio\" name=\"\(name)\" value=\"\(option.value)\""
        + "\(number == 0 ? " checked" : "")>\(option.label)</label>"
    }
    return "<fieldset class=\"choice\" aria-label=\"\(label)\">\(options.joined())</fieldset>"
  }
}

/// Writes the content of a preview page.
struct PreviewWriter {
  private(set) var html = ""
  private let language: InterfaceLanguage
  private let texts: PreviewTexts

  init(language: InterfaceLanguage) {
    self.language = language
    texts = PreviewTexts.inLanguage(language)
  }

  /// The width of a phone and a desktop window in pixels.
  private static let widths = [("phone", 360), ("desktop", 1280)]

  mutating func write(_ problems: [Diagnostic], isFollowed: Bool) {
    guard !problems.isEmpty else { return }
    let hasErrors = problems.contains { $0.severity == .error }
    html += "<section class=\"problems\" role=\"alert\">\n<h2>\(texts.problems)</h2>\n"
    if hasErrors { html += "<p>\(isFollowed ? texts.keptVersion : texts.keptVersionOrNone)</p>\n" }
    html += "<ul>\n"
    for problem in problems.map({ $0.translated(to: language) }) {
      html += "<li class=\"\(problem.severity.rawValue)\">"
      if let file = problem.file {
        let place = problem.position.map { ":\($0.line):\($0.column)" } ?? ""
        html += "<code>\(PreviewWriter.htmlEscaped(file + place))</code> "
      }
      let path = problem.path.map { "\($0): " } ?? ""
      html += "<b>\(PreviewWriter.htmlEscaped(path + problem.message))</b>"
      if let remedy = problem.remedy { html += " <span>→ \(PreviewWriter.htmlEscaped(remedy))</span>" }
      html += "</li>\n"
    }
    html += "</ul>\n</section>\n"
  }

  mutating func write(tableOf messages: [PreviewedMessage]) {
    guard messages.count > 1 else { return }
    html += "<nav>"
    for message in messages {
      html += "<a href=\"#\(message.name)\">\(message.name)</a> "
    }
    html += "</nav>\n"
  }

  mutating func write(_ message: PreviewedMessage) {
    html += "<section class=\"message\" id=\"\(message.name)\">\n<h2>\(message.name)</h2>\n"
    html += "<p>\(PreviewWriter.htmlEscaped(message.purpose.text(in: language)))</p>\n"
    let hasZeros = message.views.contains { $0.sample == .zeros }
    for view in message.views { write(view, of: message.name, includesZeros: !hasZeros) }
    html += "</section>\n"
  }

  private mutating func write(
    _ view: PreviewedMessage.View, of name: String, includesZeros: Bool
  ) {
    // Without a view for the sample `zeros`, the view of the examples is shown instead.
    let samples = view.sample.rawValue + (view.sample == .examples && includesZeros ? " zeros" : "")
    let subject = PreviewWriter.htmlEscaped(view.subject)
    let line = PreviewWriter.htmlEscaped(view.previewLine)
    html += "<article lang=\"\(view.language)\" data-sample=\"\(samples)\">\n"
    html += "<h3>\(name) · \(view.language)</h3>\n"
    html += "<p class=\"inbox\"><b>\(subject)</b> <span>\(line)</span></p>\n"
    html += "<div class=\"parts\">\n"
    html += "<figure class=\"text\"><figcaption>\(texts.text)</figcaption>"
    html += "<pre>\(PreviewWriter.htmlEscaped(view.text))</pre></figure>\n"
    for (width, pixels) in PreviewWriter.widths {
      for scheme in ColorScheme.allCases {
        let page = PreviewWriter.htmlEscaped(scheme.applied(to: view.html))
        html += "<figure data-width=\"\(width)\" data-scheme=\"\(scheme.rawValue)\">"
        let schemeName = scheme == .light ? texts.light : texts.dark
        html += "<figcaption>\(pixels) px · \(schemeName)</figcaption>"
        html +=
          "<iframe title=\"\(name), \(view.language), \(pixels) px, \(scheme.rawValue)\" loading=\"lazy\""
        html += " sandbox=\"allow-same-origin\" width=\"\(pixels)\" height=\"640\""
        html += " srcdoc=\"\(page)\"></iframe></figure>\n"
      }
    }
    html += "</div>\n"
    html += "<p class=\"hint\">\(view.html.contains("<img") ? texts.images : texts.noImages)</p>\n"
    html += "</article>\n"
  }

  /// Escapes text for HTML and quoted attributes.
  static func htmlEscaped(_ text: String) -> String { ValueEscaping.html.escaped(text) }
}

/// The color scheme of a reader's mail program.
enum ColorScheme: String, Sendable, CaseIterable {
  case light = "light"
  case dark = "dark"

  /// Returns the page as a reader with this scheme sees it, independent of the browser's own scheme.
  ///
  /// Replaces the page's `prefers-color-scheme` queries, because `color-scheme` on an iframe affects them in Chromium
  /// and Firefox, but not in Safari.
  func applied(to page: String) -> String {
    var applied: [UInt8] = []
    let bytes = Array(page.utf8)
    applied.reserveCapacity(bytes.count + 256)
    var index = 0
    var state = ParserState.text
    while index < bytes.count {
      switch state {
      case .text where bytes[index] == UInt8(ascii: "<"):
        state = ColorScheme.matches("<style", at: index, in: bytes) ? .style : .tag
      case .tag where bytes[index] == UInt8(ascii: ">"): state = .text
      case .style where ColorScheme.matches("</style", at: index, in: bytes): state = .tag
      case .style, .tag:
        guard let (replacement, end) = replacement(at: index, in: bytes) else { break }
        applied += replacement.utf8
        index = end
        continue
      case .text: break
      }
      applied.append(bytes[index])
      index += 1
    }
    return String(decoding: applied, as: UTF8.self)
      // `base` keeps a clicked link from replacing the preview; the sandbox prevents it from opening a window.
      + "<base target=\"_blank\"><style>:root{color-scheme:only \(rawValue)!important}</style>"
  }

  private enum ParserState {
    case text
    case tag
    case style
  }

  /// Returns the replacement of a `(prefers-color-scheme: …)` query at `start`, and the index after the query.
  private func replacement(at start: Int, in bytes: [UInt8]) -> (String, Int)? {
    guard ColorScheme.matches("(prefers-color-scheme", at: start, in: bytes),
      let end = bytes[start...].prefix(64).firstIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let query = String(decoding: bytes[start..<end], as: UTF8.self).lowercased()
    // A query without a value asks whether there is any preference.
    let matchesScheme = !query.contains(":") || query.contains(rawValue)
    return (matchesScheme ? "(min-width:0)" : "(max-width:0)", end + 1)
  }

  private static func matches(_ word: String, at start: Int, in bytes: [UInt8]) -> Bool {
    let word = word.utf8
    guard start + word.count <= bytes.count else { return false }
    return zip(word, bytes[start...]).allSatisfy { $0 == ($1 >= 0x41 && $1 <= 0x5A ? $1 | 0x20 : $1) }
  }
}
