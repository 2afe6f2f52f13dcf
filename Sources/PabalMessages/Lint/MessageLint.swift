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
      case .text(let literal) where literal.utf8.count > 1:
        guard let place = strayAsterisks(in: node, literal, of: text) else { break }
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

  /// Returns the index of a `**` in a text node that isn't escaped as `\*\*`.
  private func strayAsterisks(in node: MarkdownNode, _ literal: String, of text: MessageText) -> Int? {
    let asterisks = Array(literal.utf8)
    guard zip(asterisks, asterisks.dropFirst()).contains(where: { $0 == UInt8(ascii: "*") && $1 == $0 })
    else {
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

  // MARK: Text

  /// Checks the text of a file.
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
        "{\(name)} is not a variable", "write {{\(name)}}", in: text, at: text.position(at: index),
        severity: .warning
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

/// Checks for Korean particles that would be mailed in both forms, or in a form that fits only some values.
extension MessageLint {
  /// Checks the text of a file.
  mutating func checkParticles(_ text: TaggedText) {
    let scalars = text.scalars
    var index = 0
    // The variable directly before, ignoring closing marks, and whether there is a space after it.
    var variable: String?
    var hasSpace = false
    func warn(_ message: String, _ remedy: String) {
      report(message, remedy, in: text, at: text.position(at: index), severity: .warning)
    }
    while index < scalars.count {
      let scalar = scalars[index]
      if let placeholder = text.placeholder(scalar) {
        hasSpace = false
        switch placeholder {
        case .tag(let name): variable = name
        case .particle(let particle, _):
          variable = nil
          if Particle.misspelled.contains(particle.written) {
            warn("\(particle.written) is misspelled", "write (이)에요")
          }
        }
        index += 1
        continue
      }
      if let pair = ParticlePair(at: index, in: scalars, isAfterVariable: variable != nil),
        !MessageLint.isQuoted(index, pair.count, in: scalars)
      {
        if let name = variable, hasSpace {
          warn("a space between {{\(name)}} and \(pair.written)", "remove the space")
        } else if let name = variable {
          warn(
            "\(pair.written) after {{\(name)}} is not a particle that Pabal knows", "write \(pair.canonical)")
        } else if let particle = pair.particle, let word = MessageLint.word(before: index, in: scalars) {
          let form = LastSound.of(word).map { particle.form(after: $0) }
          warn(
            "\(pair.written) after a word that never changes",
            form.map { $0.isEmpty ? "remove it" : "write \($0)" } ?? "choose one form")
        } else {
          warn(
            "\(pair.written) does not follow a variable, so it is mailed as written",
            "choose one form, or put a variable directly before it")
        }
        variable = nil
        index += pair.count
        continue
      }
      if let name = variable {
        if !hasSpace, let (oneForm, bothForms, isMisspelt) = oneFormParticle(at: index, in: scalars) {
          warn(
            isMisspelt
              ? "\(oneForm) is misspelled" : "\(oneForm) after {{\(name)}} fits only some values",
            "write \(bothForms)")
        }
        if scalar == " " || scalar == "\n" || scalar.properties.isWhitespace {
          // An empty line ends the paragraph.
          if scalar == "\n", index > 0, scalars[index - 1] == "\n" { variable = nil }
          hasSpace = true
        } else if !TaggedText.isSkipped(scalar) {
          variable = nil
        }
      }
      index += 1
    }
  }

  /// Whether the particle is itself in backticks or quotes, as when a text mentions `은(는)`.
  private static func isQuoted(_ start: Int, _ count: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard start > 0, start + count < scalars.count else { return false }
    switch (scalars[start - 1], scalars[start + count]) {
    case ("`", "`"), ("\"", "\""), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"): return true
    default: return false
    }
  }

  /// Returns the text before `index` if it ends in a word, ignoring closing marks.
  private static func word(before index: Int, in scalars: [Unicode.Scalar]) -> String? {
    var end = index
    while end > 0, TaggedText.isSkipped(scalars[end - 1]) { end -= 1 }
    guard end > 0, !SourceText.placeholders.contains(scalars[end - 1].value) else { return nil }
    let last = scalars[end - 1].properties
    guard last.isAlphabetic || last.numericType != nil else { return nil }
    return String(scalars: scalars[max(0, end - 20)..<end])
  }

  /// Finds a particle in only one form that isn't the start of a longer word.
  private func oneFormParticle(
    at index: Int, in scalars: [Unicode.Scalar]
  ) -> (oneForm: String, bothForms: String, isMisspelt: Bool)? {
    for (oneForm, bothForms) in MessageLint.oneForms
    where scalars[index...].starts(with: oneForm.unicodeScalars) {
      let end = index + oneForm.unicodeScalars.count
      guard end >= scalars.count || !scalars[end].properties.isAlphabetic else { continue }
      return (oneForm, bothForms, oneForm == "이예요" || oneForm == "에요")
    }
    return nil
  }

  private static let oneForms = [
    ("은", "은(는)"), ("는", "은(는)"), ("이", "이(가)"), ("가", "이(가)"), ("을", "을(를)"), ("를", "을(를)"),
    ("와", "와(과)"), ("과", "와(과)"), ("으로", "(으)로"), ("로", "(으)로"), ("아", "아(야)"), ("야", "아(야)"),
    ("이에요", "(이)에요"), ("예요", "(이)에요"), ("이예요", "(이)에요"), ("에요", "(이)에요"),
  ]
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
