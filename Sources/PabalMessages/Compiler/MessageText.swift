internal import PabalCore

/// The Markdown file of one language: header lines, a blank line, the body.
struct MessageText: Sendable {
  let tagged: TaggedText
  /// The range of the subject in `tagged.scalars`; empty if it is missing.
  private(set) var subject: Range<Int> = 0..<0
  private(set) var preview: Range<Int>?
  private(set) var body: Range<Int> = 0..<0
  private(set) var issues: [Diagnostic]

  private static let headers = ["Subject", "Preview"]

  init(_ source: SourceText) {
    tagged = TaggedText(source, format: .markdown)
    issues = tagged.issues
    readHeaders()
    rejectPrivateUseReferences()
  }

  /// Returns the position in the file of a line and byte column of the body, both from 1.
  func position(ofBodyLine line: Int, column: Int) -> SourcePosition {
    tagged.position(at: index(ofBodyLine: line, column: column))
  }

  /// Returns the index in `tagged.scalars` of a line and byte column of the body, both from 1.
  func index(ofBodyLine line: Int, column: Int) -> Int {
    let text = tagged.scalars
    var index = body.lowerBound
    for _ in 1..<max(1, line) {
      guard let end = text[index...].firstIndex(of: "\n") else { break }
      index = end + 1
    }
    var bytes = 1
    while index < text.count, bytes < column, text[index] != "\n" {
      bytes += UTF8.width(text[index])
      index += 1
    }
    return index
  }

  private mutating func issue(_ message: String, _ remedy: String, at index: Int) {
    issues.append(
      Diagnostic(message, remedy: remedy, file: tagged.source.file, position: tagged.position(at: index)))
  }

  private mutating func readHeaders() {
    let text = tagged.scalars
    var seen: Set<String> = []
    var start = 0
    while start < text.count {
      let end = text[start...].firstIndex(of: "\n") ?? text.count
      let line = text[start..<end]
      if line.allSatisfy(LookAlike.isBlank) {
        // The blank line belongs to neither; what it may contain would become a paragraph.
        start = end
        break
      }
      guard let colon = line.firstIndex(of: ":"), let name = MessageText.headerName(line[..<colon]) else {
        if let (written, known) = MessageText.lookAlikeHeader(line) {
          issue("\(written) is not a known header line", "write \(known): with an ASCII colon", at: start)
          seen.insert(known)
          start = end + 1
          continue
        }
        issue(
          seen.isEmpty ? "Subject: is missing" : "the blank line before the text is missing",
          seen.isEmpty
            ? "start the file with Subject: and what the mail is about, then a blank line, then the text"
            : "add it after Subject: and Preview:", at: start)
        if start == 0 { seen.insert("Subject") }
        // The rest is the text; don't repeat the error for each of its lines.
        break
      }
      let value = MessageText.trimmed((colon + 1)..<end, in: text)
      if let known = MessageText.headers.first(where: { $0.lowercased() == name.lowercased() }) {
        if !seen.insert(known).inserted {
          issue("\(known): appears twice", "keep one of them", at: start)
        } else if value.isEmpty {
          issue(
            "\(known): is empty",
            known == "Subject" ? "write what the mail is about" : "fill it in, or remove the line", at: start)
        } else if known == "Subject" {
          subject = value
        } else {
          preview = value
        }
      } else {
        let near = nearest(to: name, among: MessageText.headers)
        issue(
          "\(name): is not a known header line",
          near.map { "did you mean \($0):?" } ?? "use Subject: or Preview:", at: start)
        if near == "Subject" { seen.insert("Subject") }
      }
      start = end + 1
    }
    if !seen.contains("Subject") {
      issue("Subject: is missing", "start the file with Subject: and what the mail is about", at: 0)
    }
    body = min(start, text.count)..<text.count
    // An invalid tag, which has been reported, may be the whole text.
    if tagged.issues.isEmpty, text[body].allSatisfy({ $0 == "\n" || LookAlike.isBlank($0) }) {
      issue("the mail has no text", "write it after a blank line", at: text.count)
    }
  }

  private static func headerName(_ scalars: ArraySlice<Unicode.Scalar>) -> String? {
    guard !scalars.isEmpty, scalars.count <= 40 else { return nil }
    var name = String.UnicodeScalarView()
    for scalar in scalars {
      guard ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "-" else { return nil }
      name.append(scalar)
    }
    return String(name)
  }

  /// Returns what a line starts with, up to its colon, and the header that was meant by it: `Subject：`, `제목:`.
  private static func lookAlikeHeader(_ line: ArraySlice<Unicode.Scalar>) -> (written: String, known: String)?
  {
    guard let colon = line.prefix(40).firstIndex(where: colons.contains) else { return nil }
    let visible = line[..<colon].filter { !LookAlike.isBlank($0) }.map(LookAlike.narrowed)
    guard let known = headerTranslations[String(scalars: visible).lowercased()] else { return nil }
    return (String(scalars: line[...colon]).displayName, known)
  }

  /// The colon, and characters that look like it.
  private static let colons: Set<Unicode.Scalar> = [":", "：", "﹕", "︓", "∶", "ː", "꞉", "˸", ";", "；"]

  /// What authors call the headers, in lower case and without spaces.
  private static let headerTranslations = [
    "subject": "Subject", "title": "Subject", "제목": "Subject", "메일제목": "Subject", "件名": "Subject",
    "主题": "Subject",
    "主題": "Subject", "標題": "Subject", "标题": "Subject", "preview": "Preview", "미리보기": "Preview",
    "미리보기문구": "Preview", "프리뷰": "Preview", "プレビュー": "Preview", "预览": "Preview", "預覽": "Preview",
  ]

  private static func trimmed(_ range: Range<Int>, in text: [Unicode.Scalar]) -> Range<Int> {
    var range = range
    func isBlank(_ index: Int) -> Bool { LookAlike.isBlank(text[index]) }
    while let first = range.first, isBlank(first) { range = (range.lowerBound + 1)..<range.upperBound }
    while let last = range.last, isBlank(last) { range = range.lowerBound..<(range.upperBound - 1) }
    return range
  }

  /// Rejects references such as `&#xE000;`, which Markdown would turn into a placeholder.
  private mutating func rejectPrivateUseReferences() {
    let text = tagged.scalars
    var index = body.lowerBound
    while let start = text[index...].firstIndex(of: "&") {
      index = start + 1
      guard index < text.count, text[index] == "#" else { continue }
      var digits = text[(index + 1)...].prefix(12)
      var radix = 10
      if let first = digits.first, first == "x" || first == "X" {
        radix = 16
        digits = digits.dropFirst()
      }
      let number = digits.prefix { $0.isASCII && $0.properties.isHexDigit }
      var word = String.UnicodeScalarView()
      word.append(contentsOf: number)
      guard let value = UInt32(String(word), radix: radix), SourceText.placeholders.contains(value) else {
        continue
      }
      issue(
        "a private-use character, which mail programs may not display",
        "use another character", at: start)
    }
  }
}
