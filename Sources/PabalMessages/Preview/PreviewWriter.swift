internal import PabalCore

/// Writes what stands in a preview page.
struct PreviewWriter {
  private(set) var html = ""

  /// The pixels of a phone's and of a desktop's window.
  private static let widths = [("phone", 360), ("desktop", 1280)]

  mutating func write(_ problems: [Diagnostic], isFollowed: Bool) {
    guard !problems.isEmpty else { return }
    let hasErrors = problems.contains { $0.severity == .error }
    html += "<section class=\"problems\" role=\"alert\">\n<h2>고칠 곳 · to mend</h2>\n"
    if hasErrors {
      html += "<p>틀린 곳이 있는 메일은 고치기 전의 모습입니다. · A message with an error is shown as it was before"
      html += isFollowed ? ".</p>\n" : ", or not at all.</p>\n"
    }
    html += "<ul>\n"
    for problem in problems {
      html += "<li class=\"\(problem.severity.rawValue)\">"
      if let file = problem.file {
        let place = problem.position.map { ":\($0.line):\($0.column)" } ?? ""
        html += "<code>\(PreviewWriter.escaped(file + place))</code> "
      }
      let path = problem.path.map { "\($0): " } ?? ""
      html += "<b>\(PreviewWriter.escaped(path + problem.message))</b>"
      if let remedy = problem.remedy { html += " <span>→ \(PreviewWriter.escaped(remedy))</span>" }
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
    html += "<p>\(PreviewWriter.escaped(message.purpose))</p>\n"
    let hasZeros = message.views.contains { $0.sample == .zeros }
    for view in message.views { write(view, of: message.name, includesZeros: !hasZeros) }
    html += "</section>\n"
  }

  private mutating func write(
    _ view: PreviewedMessage.View, of name: String, includesZeros: Bool
  ) {
    // A message without a code has nothing of its own to show under zeros.
    let samples = view.sample.rawValue + (view.sample == .examples && includesZeros ? " zeros" : "")
    let subject = PreviewWriter.escaped(view.subject)
    let line = PreviewWriter.escaped(view.previewLine)
    html += "<article lang=\"\(view.language)\" data-sample=\"\(samples)\">\n"
    html += "<h3>\(name) · \(view.language)</h3>\n"
    html += "<p class=\"inbox\"><b>\(subject)</b> <span>\(line)</span></p>\n"
    html += "<div class=\"parts\">\n"
    html += "<figure class=\"text\"><figcaption>글자만 · text</figcaption>"
    html += "<pre>\(PreviewWriter.escaped(view.text))</pre></figure>\n"
    for (width, pixels) in PreviewWriter.widths {
      for scheme in ColorScheme.allCases {
        let page = PreviewWriter.escaped(scheme.applied(to: view.html))
        html += "<figure data-width=\"\(width)\" data-scheme=\"\(scheme.rawValue)\">"
        html += "<figcaption>\(pixels) px · \(scheme.rawValue)</figcaption>"
        html +=
          "<iframe title=\"\(name), \(view.language), \(pixels) px, \(scheme.rawValue)\" loading=\"lazy\""
        html += " sandbox=\"allow-same-origin\" width=\"\(pixels)\" height=\"640\""
        html += " srcdoc=\"\(page)\"></iframe></figure>\n"
      }
    }
    html += "</div>\n"
    html += view.html.contains("<img") ? PreviewWriter.images : PreviewWriter.noImages
    html += "</article>\n"
  }

  private static let images = """
    <p class="hint">그림은 받는 사람이 허락해야 보입니다. · Most readers see images only after they allow them.</p>

    """
  private static let noImages = """
    <p class="hint">그림이 없어, 그림을 꺼 두어도 똑같이 보입니다. · No images: it looks the same with images off.</p>

    """

  /// Text as it may stand in HTML and in quoted attributes.
  static func escaped(_ text: String) -> String {
    var octets: [UInt8] = []
    octets.reserveCapacity(text.utf8.count + text.utf8.count / 8)
    for octet in text.utf8 {
      switch octet {
      case UInt8(ascii: "&"): octets += "&amp;".utf8
      case UInt8(ascii: "<"): octets += "&lt;".utf8
      case UInt8(ascii: ">"): octets += "&gt;".utf8
      case UInt8(ascii: "\""): octets += "&quot;".utf8
      default: octets.append(octet)
      }
    }
    return String(decoding: octets, as: UTF8.self)
  }
}
