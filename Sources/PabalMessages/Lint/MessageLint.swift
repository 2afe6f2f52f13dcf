internal import PabalCore

/// Looks through one language of a message for what an author should mend.
struct MessageLint {
  /// The most characters a subject should have.
  static let maxSubjectLength = 60
  /// Gmail cuts a mail off after this many bytes of HTML.
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

/// Korean particles that would be mailed in both forms, or in one that fits some values only.
extension MessageLint {
  /// Looks through the words of any file.
  mutating func checkParticles(_ text: TaggedText) {
    let scalars = text.scalars
    var index = 0
    // The variable just before, marks passed over, and whether blanks came since.
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
          if Particle.misspelt.contains(particle.written) {
            warn("\(particle.written) is misspelt", "write (이)에요")
          }
        }
        index += 1
        continue
      }
      if let both = ParticlePair(at: index, in: scalars, isAfterVariable: variable != nil),
        !MessageLint.isQuoted(index, both.count, in: scalars)
      {
        if let name = variable, hasSpace {
          warn("a blank between {{\(name)}} and \(both.written)", "remove the blank")
        } else if let name = variable {
          warn("\(both.written) after {{\(name)}} is no particle that Pabal knows", "write \(both.canonical)")
        } else if let particle = both.particle, let word = MessageLint.word(before: index, in: scalars) {
          let form = LastSound.of(word).map { particle.form(after: $0) }
          warn(
            "\(both.written) after a word that is always the same",
            form.map { $0.isEmpty ? "take it out" : "write \($0)" } ?? "choose one")
        } else {
          warn(
            "\(both.written) after no variable is mailed as it is",
            "write one form, or a variable straight before it")
        }
        variable = nil
        index += both.count
        continue
      }
      if let name = variable {
        if !hasSpace, let (fixed, both, isMisspelt) = fixedParticle(at: index, in: scalars) {
          warn(
            isMisspelt
              ? "\(fixed) is misspelt" : "\(fixed) after {{\(name)}} is right for some values only",
            "write \(both)")
        }
        if scalar == " " || scalar == "\n" || scalar.properties.isWhitespace {
          // After an empty line another paragraph begins.
          if scalar == "\n", index > 0, scalars[index - 1] == "\n" { variable = nil }
          hasSpace = true
        } else if !TaggedText.isSkipped(scalar) {
          variable = nil
        }
      }
      index += 1
    }
  }

  /// Whether what stands there is spoken of: `은(는)` in backticks or quotes of its own.
  private static func isQuoted(_ start: Int, _ count: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard start > 0, start + count < scalars.count else { return false }
    switch (scalars[start - 1], scalars[start + count]) {
    case ("`", "`"), ("\"", "\""), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"): return true
    default: return false
    }
  }

  /// The end of the line before, where a word stands straight before, marks passed over.
  private static func word(before index: Int, in scalars: [Unicode.Scalar]) -> String? {
    var end = index
    while end > 0, TaggedText.isSkipped(scalars[end - 1]) { end -= 1 }
    guard end > 0, !SourceText.placeholders.contains(scalars[end - 1].value) else { return nil }
    let last = scalars[end - 1].properties
    guard last.isAlphabetic || last.numericType != nil else { return nil }
    return String(scalars: scalars[max(0, end - 20)..<end])
  }

  /// A particle in one form only, with nothing after it that would make it another word.
  private func fixedParticle(
    at index: Int, in scalars: [Unicode.Scalar]
  ) -> (fixed: String, both: String, isMisspelt: Bool)? {
    for (fixed, both) in MessageLint.fixed where scalars[index...].starts(with: fixed.unicodeScalars) {
      let end = index + fixed.unicodeScalars.count
      guard end >= scalars.count || !scalars[end].properties.isAlphabetic else { continue }
      return (fixed, both, fixed == "이예요" || fixed == "에요")
    }
    return nil
  }

  private static let fixed = [
    ("은", "은(는)"), ("는", "은(는)"), ("이", "이(가)"), ("가", "이(가)"), ("을", "을(를)"), ("를", "을(를)"),
    ("와", "와(과)"), ("과", "와(과)"), ("으로", "(으)로"), ("로", "(으)로"), ("아", "아(야)"), ("야", "아(야)"),
    ("이에요", "(이)에요"), ("예요", "(이)에요"), ("이예요", "(이)에요"), ("에요", "(이)에요"),
  ]
}

/// What GitHub's Markdown has and CommonMark has not, so that it would be mailed as it is written.
extension MessageLint {
  /// Looks through a paragraph or a heading.
  mutating func checkUnsupportedMarkdown(_ block: MarkdownNode, of text: MessageText) {
    if let header = MessageLint.tableHeader(in: block) {
      let place = header.line > 0 && header.column > 0 ? header : block
      report(
        "a table, which CommonMark has not", "write a list, one \"- name: value\" a row", in: text.tagged,
        at: text.position(ofBodyLine: place.line, column: place.column))
    }
    if let index = MessageLint.strikethroughStart(in: block, of: text) {
      report(
        "~~ strikes nothing out, for CommonMark has no such mark",
        "take the words out, or write \\~~ for the signs themselves", in: text.tagged,
        at: text.tagged.position(at: index))
    }
  }

  /// Where the line above a table's `|---|---|` begins.
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

  /// Whether a line is a table's `| :--- | ---: |`.
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

  /// Where the first `~~` stands that GitHub would strike the words after it out by.
  ///
  /// `안녕하세요~~ 반갑습니다~~` is how Koreans lengthen a word: there the first one closes nothing and opens nothing.
  private static func strikethroughStart(in block: MarkdownNode, of text: MessageText) -> Int? {
    var line: [(scalar: Unicode.Scalar, index: Int)] = []
    func collect(_ node: MarkdownNode) {
      switch node.kind {
      case .text:
        var index = text.index(ofBodyLine: node.line, column: node.column)
        let end = text.index(ofBodyLine: node.line, column: node.endColumn + 1)
        while index < end {
          // What is escaped is meant as it is.
          let isEscape = text.tagged.scalars[index] == "\\"
          line.append((isEscape ? "x" : text.tagged.scalars[index], index))
          index += isEscape ? 2 : 1
        }
      case .softBreak, .lineBreak: line.append((" ", 0))
      // Whatever stands there is no blank and no tilde.
      case .code, .image, .rawHTML: line.append(("x", 0))
      default: node.children.forEach(collect)
      }
    }
    // Almost no text has any.
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

  /// Whether a mark between the two belongs to `near`, as CommonMark's flanking runs do.
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
