internal import PabalCore

/// Finds mistakes in one language of a message.
struct MessageLint {
  /// The recommended maximum length of a subject in characters.
  static let maxSubjectLength = 60
  /// The number of bytes of HTML after which Gmail cuts a mail off.
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

  /// Checks the Markdown.
  mutating func check(_ document: MarkdownNode, of text: MessageText) {
    let kinds = declaration.variables.map(\.kind)
    let scope = TemplateStepBuilder.Scope(tagged: text.tagged, variables: declaration.index)
    func visit(_ node: MarkdownNode, in block: MarkdownNode) {
      // Some inline nodes have no position of their own.
      let place = node.line > 0 && node.column > 0 ? node : block
      let position = text.position(ofBodyLine: place.line, column: place.column)
      switch node.kind {
      // Don't report the closing tag in addition to its opening tag.
      case .rawHTML(let html) where !html.hasPrefix("</"):
        report(
          "\(String(html.prefix(40).prefix { $0 != ">" }).displayName)> is HTML, which a .md file can't contain",
          "write **bold**, [text](https://…) or plain text, or put hand-written HTML into \(language).html",
          in: text.tagged, at: position)
      case .text(let literal):
        if let place = stray("`", in: node, literal, of: text) {
          report(
            "a backtick without a second one is shown as it is", "add the second one, or remove it",
            in: text.tagged,
            at: text.tagged.position(at: place), severity: .warning)
        }
        guard let place = stray("**", in: node, literal, of: text) else { break }
        report(
          "** would be shown as two asterisks, not as bold text",
          "put quotation marks and brackets outside the asterisks, as in \"**words**\", with no space just inside them",
          in: text.tagged,
          at: text.tagged.position(at: place))
      case .link(let url, _), .image(let url, _):
        var isImage = false
        if case .image = node.kind { isImage = true }
        if !beginsWithUndeclaredVariable(url, scope),
          LinkTarget(url, isImage: isImage, scope: scope, kinds: kinds) == nil
        {
          report(
            "\(isImage ? "an image" : "a link") without a complete address",
            "start it with \(isImage ? "https:// or http://" : "https://, http:// or mailto:")"
              + ", or with a variable of kind \"url\"", in: text.tagged, at: position)
        }
        if isImage, node.textContent.allSatisfy(\.isWhitespace) {
          report(
            "an image without a description", "describe it: ![description](…)", in: text.tagged, at: position,
            severity: .warning)
        }
      case .paragraph, .heading: checkUnsupportedMarkdown(node, of: text)
      default: break
      }
      checkMarkdownLookAlikes(node, isTopLevel: block.kind == .document, of: text)
      let isBlock = node.line > 0 && node.column > 0
      for child in node.children { visit(child, in: isBlock ? node : block) }
    }
    visit(document, in: document)
    for range in [text.subject, text.preview ?? 0..<0] {
      for index in range.dropLast()
      where text.tagged.scalars[index] == "*" && text.tagged.scalars[index + 1] == "*" {
        report(
          "** in a header line, which is plain text", "remove it", in: text.tagged,
          at: text.tagged.position(at: index))
        break
      }
    }
  }

  /// Whether a URL starts with an undeclared variable, which has been reported.
  private func beginsWithUndeclaredVariable(_ url: String, _ scope: TemplateStepBuilder.Scope) -> Bool {
    guard let first = url.unicodeScalars.first, let placeholder = scope.tagged.placeholder(first) else {
      return false
    }
    return declaration.index[placeholder.name] == nil
  }

  /// Returns the index of marks in a text node that aren't escaped with a backslash.
  private func stray(_ marks: String, in node: MarkdownNode, _ literal: String, of text: MessageText) -> Int?
  {
    guard literal.utf8.firstRange(of: marks.utf8) != nil else { return nil }
    let scalars = text.tagged.scalars
    let end = min(text.index(ofBodyLine: node.line, column: node.endColumn + 1), scalars.count)
    var index = text.index(ofBodyLine: node.line, column: node.column)
    while index < end {
      if scalars[index] == "\\" {
        index += 2
      } else if scalars[index...].starts(with: marks.unicodeScalars) {
        return index
      } else {
        index += 1
      }
    }
    return nil
  }

  // MARK: Text

  /// Checks the text of a file.
  mutating func check(_ text: TaggedText) {
    let lookAlikes = checkLookAlikes(text)
    checkParticles(text, after: text.invalidTags.union(lookAlikes))
    checkUnits(text)
    checkConflicts(text)
  }

  /// Checks that a hand-written part contains all variables of the Markdown.
  mutating func check(_ handWritten: TaggedText, shows text: MessageText) {
    let present = Set(handWritten.placeholders.map(\.name))
    // {{content}} includes the whole Markdown.
    guard !present.contains("content") else { return }
    let required = text.tagged.scalars[text.body].compactMap { text.tagged.placeholder($0)?.name }
    for variable in declaration.variables
    where variable.kind != .code && required.contains(variable.name) && !present.contains(variable.name) {
      findings.append(
        Diagnostic(
          "{{\(variable.name)}} is in \(language).md but missing here",
          remedy: "add it, so that both versions say the same", file: handWritten.source.file,
          position: SourcePosition(line: 1, column: 1), severity: .warning))
    }
  }
}

/// Checks for GitHub extensions of Markdown, which CommonMark doesn't support and which would be mailed as written.
extension MessageLint {
  /// Checks a paragraph or a heading.
  mutating func checkUnsupportedMarkdown(_ block: MarkdownNode, of text: MessageText) {
    if let header = MessageLint.tableHeader(in: block) {
      let place = header.line > 0 && header.column > 0 ? header : block
      report(
        "tables are not supported", "write a list with one \"- name: value\" per row", in: text.tagged,
        at: text.position(ofBodyLine: place.line, column: place.column))
    }
    if let index = MessageLint.strikethroughStart(in: block, of: text) {
      report(
        "~~ does not strike text out, because strikethrough is not supported",
        "remove the words, or write \\~~ to show the tildes", in: text.tagged,
        at: text.tagged.position(at: index))
    }
  }

  /// Returns the start of the line above a table's delimiter row `|---|---|`.
  private static func tableHeader(in block: MarkdownNode) -> MarkdownNode? {
    guard block.kind == .paragraph, block.children.contains(where: { $0.kind == .softBreak }) else {
      return nil
    }
    var above: ArraySlice<MarkdownNode> = []
    for line in block.children.split(whereSeparator: { $0.kind == .softBreak || $0.kind == .lineBreak }) {
      if line.count == 1, case .text(let rule) = line[line.startIndex].kind, isRule(rule),
        above.contains(where: {
          if case .text(let textContent) = $0.kind { textContent.contains("|") } else { false }
        })
      {
        return above.first
      }
      above = line
    }
    return nil
  }

  /// Whether a line is a table's delimiter row `| :--- | ---: |`.
  private static func isRule(_ line: String) -> Bool {
    guard line.utf8.contains(UInt8(ascii: "|")) else { return false }
    var cells = line.filter { $0 != " " && $0 != "\t" }[...]
    if cells.first == "|" { cells.removeFirst() }
    if cells.last == "|" { cells.removeLast() }
    return cells.split(separator: "|", omittingEmptySubsequences: false).allSatisfy { cell in
      var dashes = cell
      if dashes.first == ":" { dashes.removeFirst() }
      if dashes.last == ":" { dashes.removeLast() }
      return !dashes.isEmpty && dashes.allSatisfy { $0 == "-" }
    }
  }

  /// Returns the index of the first `~~` that GitHub would read as the start of strikethrough.
  ///
  /// In `안녕하세요~~ 반갑습니다~~`, a common way to lengthen a word in Korean, the first `~~` doesn't start one.
  private static func strikethroughStart(in block: MarkdownNode, of text: MessageText) -> Int? {
    var line: [(scalar: Unicode.Scalar, index: Int)] = []
    func collect(_ node: MarkdownNode) {
      switch node.kind {
      case .text:
        var index = text.index(ofBodyLine: node.line, column: node.column)
        let end = text.index(ofBodyLine: node.line, column: node.endColumn + 1)
        while index < end {
          // An escaped character is literal.
          let isEscape = text.tagged.scalars[index] == "\\"
          line.append((isEscape ? "x" : text.tagged.scalars[index], index))
          index += isEscape ? 2 : 1
        }
      case .softBreak, .lineBreak: line.append((" ", 0))
      // A stand-in that is neither a space nor a tilde.
      case .code, .image, .rawHTML: line.append(("x", 0))
      default: node.children.forEach(collect)
      }
    }
    // A fast check, because tildes are rare.
    guard block.textContent.utf8.contains(UInt8(ascii: "~")) else { return nil }
    collect(block)
    var opening: Int?
    var index = 0
    while index < line.count {
      let run = line[index...].prefix { $0.scalar == "~" }.count
      defer { index += max(1, run) }
      guard run == 2 else { continue }
      let before = index > 0 ? line[index - 1].scalar : " "
      let after = index + 2 < line.count ? line[index + 2].scalar : " "
      if let opening, isFlanking(before, on: after) { return opening }
      if opening == nil, isFlanking(after, on: before) { opening = line[index].index }
    }
    return nil
  }

  /// Whether a delimiter between the two scalars is flanking on the side of `near`, as CommonMark defines it.
  private static func isFlanking(_ near: Unicode.Scalar, on far: Unicode.Scalar) -> Bool {
    func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar.properties.generalCategory {
      case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
        true
      default: false
      }
    }
    if near.properties.isWhitespace { return false }
    return !isPunctuation(near) || far.properties.isWhitespace || isPunctuation(far)
  }
}
