internal import PabalCore

/// Looks through one language of a message for what an author should mend.
struct MessageLint {
  /// The most characters a subject should have.
  static let maxSubjectLength = 60
  /// Gmail cuts a mail off after this many octets of HTML.
  static let maxHTMLSize = 102 * 1024

  let declaration: MessageDeclaration
  let language: String
  private(set) var findings: [Diagnostic] = []

  init(declaration: MessageDeclaration, language: String) {
    self.declaration = declaration
    self.language = language
  }

  mutating func report(
    _ message: String, _ remedy: String, in text: TaggedText, at position: SourcePosition,
    severity: Diagnostic.Severity = .error
  ) {
    findings.append(
      Diagnostic(message, remedy: remedy, file: text.source.file, position: position, severity: severity))
  }

  // MARK: Markdown

  /// Looks through the Markdown.
  mutating func check(_ document: MarkdownNode, of text: MessageText) {
    let kinds = declaration.variables.map(\.kind)
    let scope = TemplateStepBuilder.Scope(tagged: text.tagged, variables: declaration.index)
    func visit(_ node: MarkdownNode, in block: MarkdownNode) {
      // Some inlines have no place of their own.
      let place = node.line > 0 && node.column > 0 ? node : block
      let position = text.position(ofBodyLine: place.line, column: place.column)
      switch node.kind {
      // A closing tag is the same mistake as its opening one.
      case .rawHTML(let html) where !html.hasPrefix("</"):
        report(
          "\(String(html.prefix(40).prefix { $0 != ">" }).displayName)> is HTML, which is left out of a .md file",
          "write **bold**, [words](https://…) or plain words; a page by hand goes into \(language).html",
          in: text.tagged, at: position)
      case .text(let literal) where literal.utf8.count > 1:
        guard let place = strayAsterisks(in: node, literal, of: text) else { break }
        report(
          "** would be shown as two stars and makes nothing bold",
          "put quotes and brackets outside of the stars, \"**words**\", and no blank just inside",
          in: text.tagged,
          at: text.tagged.position(at: place))
      case .link(let url, _), .image(let url, _):
        var isImage = false
        if case .image = node.kind { isImage = true }
        if !beginsWithUndeclaredVariable(url, scope),
          LinkTarget(url, isImage: isImage, scope: scope, kinds: kinds) == nil
        {
          report(
            "\(isImage ? "an image" : "a link") without a whole address",
            "begin it with https:// or http://\(isImage ? "" : " or mailto:")"
              + ", or with a variable of kind \"url\"", in: text.tagged, at: position)
        }
        if isImage, node.textContent.allSatisfy(\.isWhitespace) {
          report(
            "an image without words", "say what it shows: ![words](…)", in: text.tagged, at: position,
            severity: .warning)
        }
      case .paragraph, .heading: checkUnsupportedMarkdown(node, of: text)
      default: break
      }
      let isBlock = node.line > 0 && node.column > 0
      for child in node.children { visit(child, in: isBlock ? node : block) }
    }
    visit(document, in: document)
    for range in [text.subject, text.preview ?? 0..<0] {
      for index in range.dropLast()
      where text.tagged.scalars[index] == "*" && text.tagged.scalars[index + 1] == "*" {
        report(
          "** in a header line, which is plain text", "take it out", in: text.tagged,
          at: text.tagged.position(at: index))
        break
      }
    }
  }

  /// Whether an address begins with a variable whose kind nobody knows; what is wrong with it was told.
  private func beginsWithUndeclaredVariable(_ url: String, _ scope: TemplateStepBuilder.Scope) -> Bool {
    guard let first = url.unicodeScalars.first, let placeholder = scope.tagged.placeholder(first) else {
      return false
    }
    return declaration.index[placeholder.name] == nil
  }

  /// Where a text node holds ** that an author did not mean to be read as stars, as `\*\*` is.
  private func strayAsterisks(in node: MarkdownNode, _ literal: String, of text: MessageText) -> Int? {
    let asterisks = Array(literal.utf8)
    guard zip(asterisks, asterisks.dropFirst()).contains(where: { $0 == UInt8(ascii: "*") && $1 == $0 }) else {
      return nil
    }
    let scalars = text.tagged.scalars
    let start = text.index(ofBodyLine: node.line, column: node.column)
    let end = text.index(ofBodyLine: node.line, column: node.endColumn)
    var index = start
    while index < end, index + 1 < scalars.count {
      if scalars[index] == "\\" {
        index += 2
      } else if scalars[index] == "*", scalars[index + 1] == "*" {
        return index
      } else {
        index += 1
      }
    }
    return nil
  }

  // MARK: Words

  /// Looks through the words of any file.
  mutating func check(_ text: TaggedText) {
    checkParticles(text)
    let scalars = text.scalars
    var index = 0
    while index < scalars.count {
      guard scalars[index] == "{", let (name, end) = singleBraces(at: index, in: scalars) else {
        index += 1
        continue
      }
      report(
        "{\(name)} is no tag", "write {{\(name)}}", in: text, at: text.position(at: index), severity: .warning
      )
      index = end
    }
  }

  private func singleBraces(at start: Int, in scalars: [Unicode.Scalar]) -> (String, Int)? {
    guard let end = scalars[start...].prefix(66).firstIndex(of: "}"),
      let name = TaggedText.name(scalars[(start + 1)..<end]), declaration.declares(name)
    else { return nil }
    return (name, end + 1)
  }

  /// Looks whether a part written by hand shows all that the Markdown shows.
  mutating func check(_ handWritten: TaggedText, shows text: MessageText) {
    let present = Set(handWritten.placeholders.map(\.name))
    // With {{content}} the Markdown itself stands in it.
    guard !present.contains("content") else { return }
    let required = text.tagged.scalars[text.body].compactMap { text.tagged.placeholder($0)?.name }
    for variable in declaration.variables
    where variable.kind != .code && required.contains(variable.name) && !present.contains(variable.name) {
      findings.append(
        Diagnostic(
          "{{\(variable.name)}} is missing here and stands in \(language).md",
          remedy: "put it in, so that both tell the same", file: handWritten.source.file,
          position: SourcePosition(line: 1, column: 1), severity: .warning))
    }
  }
}
