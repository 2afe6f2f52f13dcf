internal import PabalCore

/// Checks for characters that look like a tag, or that can't be seen.
extension MessageLint {
  /// Checks the text of a file. Returns the indexes after the tags that it reported.
  @discardableResult
  mutating func checkLookAlikes(_ text: TaggedText) -> Set<Int> {
    let ends = checkBraces(text) + checkOtherTags(text)
    // Hand-written pages pad their preview line with invisible characters.
    if text.format != .html { checkInvisible(text) }
    return Set(ends)
  }

  /// Finds tags with the wrong braces: `｛｛name｝｝`, `{ {name} }`, `\{\{name\}\}`, `｛name｝`.
  private mutating func checkBraces(_ text: TaggedText) -> [Int] {
    let scalars = text.scalars
    var ends: [Int] = []
    var index = 0
    while index < scalars.count {
      guard LookAlike.isOpeningBrace(scalars[index]), let tag = braces(at: index, in: scalars) else {
        index += 1
        continue
      }
      if let cure = tag.cure {
        ends.append(tag.end)
        // What would be mailed as a tag is an error; a single brace may belong there.
        report(
          "\(tag.written) is not a variable", cure, in: text, at: text.position(at: index),
          severity: tag.isDouble ? .error : .warning)
      }
      index = tag.end
    }
    return ends
  }

  private struct BracedName {
    var written: String
    var end: Int
    var isDouble: Bool
    var cure: String?
  }

  private func braces(at start: Int, in scalars: [Unicode.Scalar]) -> BracedName? {
    func isFiller(_ scalar: Unicode.Scalar) -> Bool { scalar == "\\" || LookAlike.isBlank(scalar) }
    var index = start
    var opened = 0
    while index < scalars.count,
      LookAlike.isOpeningBrace(scalars[index]) || opened > 0 && isFiller(scalars[index])
    {
      if LookAlike.isOpeningBrace(scalars[index]) { opened += 1 }
      index += 1
    }
    let nameStart = index
    while index < scalars.count, index - nameStart <= 66, scalars[index] != "\n", scalars[index] != "\\",
      !LookAlike.isClosingBrace(scalars[index]), !LookAlike.isOpeningBrace(scalars[index]),
      !SourceText.placeholders.contains(scalars[index].value)
    { index += 1 }
    let written = scalars[nameStart..<index]
    var closed = 0
    var end = index
    while index < scalars.count, LookAlike.isClosingBrace(scalars[index]) || isFiller(scalars[index]) {
      if LookAlike.isClosingBrace(scalars[index]) {
        closed += 1
        end = index + 1
        if closed == opened { break }
      }
      index += 1
    }
    guard closed > 0, let name = LookAlike.name(written) ?? (opened > 1 ? "" : nil) else { return nil }
    let all = scalars[start..<end]
    let isLookAlike = all.contains {
      !$0.isASCII && (LookAlike.isOpeningBrace($0) || LookAlike.isClosingBrace($0))
    }
    let isDouble = opened > 1
    let sigil = start > 0 && scalars[start - 1] == "$" ? "$" : ""
    var tag = BracedName(
      written: sigil + String(scalars: all.prefix(60)).displayName, end: end, isDouble: isDouble, cure: nil)
    if declaration.declares(name) || MessageDeclarationReader.slots.contains(name) && isDouble {
      tag.cure = "write {{\(name)}}"
    } else if isDouble, isLookAlike {
      let near = nearest(to: name, among: declaration.names)
      tag.cure = near.map { "did you mean {{\($0)}}?" } ?? "write {{name}} with a name from message.json"
    }
    return tag
  }

  /// Finds the tags of other systems around the name of a variable: `[[name]]`, `%name%`, `<<name>>`.
  private mutating func checkOtherTags(_ text: TaggedText) -> [Int] {
    let scalars = text.scalars
    var ends: [Int] = []
    func starts(_ mark: String, at index: Int) -> Bool { scalars[index...].starts(with: mark.unicodeScalars) }
    var index = 0
    while index < scalars.count {
      defer { index += 1 }
      guard let (open, close) = MessageLint.otherTags.first(where: { $0.mark == scalars[index] })?.pair,
        starts(open, at: index)
      else { continue }
      let start = index + open.unicodeScalars.count
      let name = scalars[start...].prefix(64).prefix { TaggedText.name(["a", $0]) != nil }
      guard let name = TaggedText.name(name), declaration.declares(name),
        starts(close, at: start + name.unicodeScalars.count)
      else { continue }
      report(
        "\(open)\(name)\(close) is not a variable", "write {{\(name)}}", in: text,
        at: text.position(at: index),
        severity: .warning)
      index = start + name.unicodeScalars.count + close.unicodeScalars.count - 1
      ends.append(index + 1)
    }
    return ends
  }

  private static let otherTags: [(mark: Unicode.Scalar, pair: (open: String, close: String))] = [
    ("[", ("[[", "]]")), ("(", ("((", "))")), ("<", ("<<", ">>")), ("%", ("%", "%")), ("《", ("《《", "》》")),
    ("［", ("［［", "］］")), ("（", ("（（", "））")), ("＜", ("＜＜", "＞＞")), ("％", ("％", "％")),
  ]

  /// Finds characters that can't be seen and that keep a tag, a particle or a mark of Markdown from being recognized.
  private mutating func checkInvisible(_ text: TaggedText) {
    let scalars = text.scalars
    for (index, scalar) in scalars.enumerated() where LookAlike.isInvisible(scalar) {
      let neighbors = [
        index > 0 ? scalars[index - 1] : "\n", index + 1 < scalars.count ? scalars[index + 1] : "\n",
      ]
      // Joiners belong to emoji and to the scripts of India and Persia.
      if scalar == "\u{200D}" || scalar == "\u{200C}", !neighbors.contains(where: MessageLint.needsNoJoiner) {
        continue
      }
      report(
        "the invisible character \(scalar.codePoint)",
        "remove it: delete the characters around it and type them again", in: text,
        at: text.position(at: index),
        severity: .warning)
    }
  }

  private static func needsNoJoiner(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII || SourceText.placeholders.contains(scalar.value) || LookAlike.isBlank(scalar)
      || (0x1100...0x11FF).contains(scalar.value) || (0x3000...0xD7FF).contains(scalar.value)
  }
}

/// Checks for Markdown that was written with other characters than those of Markdown.
extension MessageLint {
  /// Checks a block of the document.
  mutating func checkMarkdownLookAlikes(_ block: MarkdownNode, isTopLevel: Bool, of text: MessageText) {
    switch block.kind {
    case .codeBlock(let content): checkCodeBlock(block, content, of: text)
    case .heading:
      // A heading of # has its # on its line; one of --- or === has them on the next.
      let start = text.index(ofBodyLine: block.line, column: block.column)
      guard start < text.tagged.scalars.count, text.tagged.scalars[start] != "#" else { break }
      report(
        "the lines above --- or === become a heading",
        "put a blank line above --- to start the small print, or write a heading as # words", in: text.tagged,
        at: text.position(ofBodyLine: block.line, column: block.column), severity: .warning)
    case .paragraph:
      if isTopLevel { checkCodeBox(block, of: text) }
      checkLines(of: block, text)
    default: break
    }
  }

  /// Finds a code block that is made by a tab or spaces, and a code between lines of ```.
  private mutating func checkCodeBlock(_ block: MarkdownNode, _ content: String, of text: MessageText) {
    let scalars = text.tagged.scalars
    let start = text.index(ofBodyLine: block.line, column: block.column)
    let line = scalars[start...].drop { $0 == " " || $0 == "\t" }
    if line.starts(with: "```".unicodeScalars) || line.starts(with: "~~~".unicodeScalars) {
      return checkFencedCode(block, content, of: text)
    }
    let lineStart = scalars[..<start].lastIndex(of: "\n").map { $0 + 1 } ?? 0
    let indent = scalars[lineStart..<min(line.startIndex, scalars.count)]
    report(
      "text that starts with \(indent.contains("\t") ? "a tab" : "four or more spaces") becomes a code block",
      "remove the \(indent.contains("\t") ? "tab" : "spaces") at the start of the line, or put ``` on a line before and after it",
      in: text.tagged, at: text.position(ofBodyLine: block.line, column: 1), severity: .warning)
  }

  /// Finds a code between lines of ```, which is not the big code block.
  private mutating func checkFencedCode(_ block: MarkdownNode, _ content: String, of text: MessageText) {
    let scalars = content.unicodeScalars.filter { !$0.properties.isWhitespace }
    guard scalars.count == 1, case .tag(let name)? = text.tagged.placeholder(scalars[scalars.startIndex]),
      isCode(name)
    else { return }
    report(
      "{{\(name)}} is in a code block, so it is not shown as the big code block",
      "write `{{\(name)}}` on one line, with one backtick on each side", in: text.tagged,
      at: text.position(ofBodyLine: block.line, column: 1), severity: .warning)
  }

  /// Whether `name` is a variable of kind `code`.
  private func isCode(_ name: String) -> Bool {
    declaration.index[name].map { declaration.variables[$0].kind == .code } ?? false
  }

  /// Finds a code that was meant to be the big code block but isn't, because it has no backticks or other marks in
  /// their place, or because of text next to it.
  private mutating func checkCodeBox(_ paragraph: MarkdownNode, of text: MessageText) {
    let lines = paragraph.children.split { $0.kind == .softBreak || $0.kind == .lineBreak }
    for (number, line) in lines.enumerated() {
      let content = line.map(\.textContent).joined().unicodeScalars.filter { !LookAlike.isBlank($0) }
      let rest = content.filter { text.tagged.placeholder($0) == nil }
      let isCode = line.contains { if case .code = $0.kind { true } else { false } }
      let hasQuotes = rest.contains(where: LookAlike.isBacktick)
      let isBare = lines.count == 1 && line.allSatisfy { if case .text = $0.kind { true } else { false } }
      guard content.count - rest.count == 1, isCode || hasQuotes || (isBare && rest.isEmpty),
        rest.allSatisfy({ LookAlike.isBacktick($0) || $0.properties.generalCategory == .otherPunctuation }),
        case .tag(let name)? = content.compactMap({ text.tagged.placeholder($0) }).first,
        self.isCode(name)
      else { continue }
      let position = text.position(ofBodyLine: paragraph.line + number, column: 1)
      if hasQuotes || !isCode {
        report(
          "{{\(name)}} is not in backticks, so it is not shown as the big code block",
          "write `{{\(name)}}` with the key to the left of 1", in: text.tagged, at: position,
          severity: .warning)
      } else {
        report(
          "`{{\(name)}}` is not a paragraph of its own, so it is not shown as the big code block",
          "put a blank line before and after it, and nothing else on its line", in: text.tagged, at: position,
          severity: .warning)
      }
    }
  }

  /// Checks the lines of a paragraph as they were written.
  private mutating func checkLines(of paragraph: MarkdownNode, _ text: MessageText) {
    let scalars = text.tagged.scalars
    let breaks = paragraph.children.count { $0.kind == .softBreak || $0.kind == .lineBreak }
    var unmarkedItems: [(index: Int, mark: Unicode.Scalar)] = []
    for number in 0...breaks {
      let column = number == 0 ? paragraph.column : 1
      let start = text.index(ofBodyLine: paragraph.line + number, column: column)
      let end = scalars[start...].firstIndex(of: "\n") ?? scalars.count
      let line = scalars[start..<end].drop { $0 == " " || $0 == "\t" || number > 0 && $0 == ">" }
      checkLine(line, isLast: number == breaks, text)
      if let mark = MessageLint.itemMark(of: line) { unmarkedItems.append((line.startIndex, mark)) }
    }
    if unmarkedItems.count > 1 {
      let item = unmarkedItems[0]
      report(
        "lines that start with \(item.mark) run together in one paragraph",
        "write a list: start each with - and a space", in: text.tagged,
        at: text.tagged.position(at: item.index),
        severity: .warning)
    }
  }

  private mutating func checkLine(_ line: ArraySlice<Unicode.Scalar>, isLast: Bool, _ text: MessageText) {
    func warn(_ message: String, _ remedy: String, at index: Int) {
      report(message, remedy, in: text.tagged, at: text.tagged.position(at: index), severity: .warning)
    }
    guard let first = line.firstIndex(where: { !LookAlike.isBlank($0) }) else {
      if let scalar = line.first {
        warn(
          "a line that looks empty contains \(scalar.codePoint), so it does not separate paragraphs",
          "remove everything from the line", at: line.startIndex)
      }
      return
    }
    // `-` with a space that isn't U+0020.
    let mark = line[first...].prefix { $0 == "#" || $0 == ">" }
    let digits = line[first...].prefix { ("0"..."9").contains($0) }
    var markEnd = first + max(mark.count, digits.count)
    if markEnd < line.endIndex, mark.isEmpty,
      digits.isEmpty
        ? "-*+".unicodeScalars.contains(line[first]) : ".)".unicodeScalars.contains(line[markEnd])
    {
      markEnd += 1
    }
    if markEnd > first, markEnd < line.endIndex, !line[markEnd].isASCII, LookAlike.isBlank(line[markEnd]),
      !LookAlike.isInvisible(line[markEnd]), digits.isEmpty || markEnd > first + digits.count
    {
      warn(
        "\(line[markEnd].codePoint) is not an ordinary space, so \(String(scalars: line[first..<markEnd])) has no effect",
        "write an ordinary space instead", at: markEnd)
    }
    let visible = line.filter { !LookAlike.isBlank($0) }
    if visible.allSatisfy(LookAlike.isDash), visible.contains(where: { !$0.isASCII }),
      visible.count > 1 || visible == ["—"] || visible == ["―"]
    {
      warn(
        "\(String(scalars: visible.prefix(8))) does not start the small print",
        "write --- with three hyphens",
        at: first)
    }
    let folded = line.map(LookAlike.narrowed)
    for (offset, scalar) in folded.enumerated().dropLast() {
      let index = line.startIndex + offset
      let (raw, next) = (line[index], folded[offset + 1])
      if scalar == "*", next == "*", raw != "*", offset == 0 || folded[offset - 1] != "*" {
        warn("full-width ＊＊ does not make text bold", "write **", at: index)
      } else if scalar == "]", next == "(", raw != "]" || line[index + 1] != "(" {
        warn("a link in full-width brackets is not a link", "write [text](https://…)", at: index)
      } else if raw == "]", next == " ", folded[(offset + 2)...].starts(with: "(http".unicodeScalars) {
        warn("a space between ] and (, so this is not a link", "remove the space", at: index + 1)
      }
    }
    if !isLast, let last = line.last, ["₩", "￦", "＼"].contains(last) {
      warn(
        "\(String(last)) at the end of a line does not break it",
        "write \\: on a Korean keyboard, switch to English first", at: line.endIndex - 1)
    }
  }

  /// Returns the mark of a line that looks like the item of a list but isn't one.
  private static func itemMark(of line: ArraySlice<Unicode.Scalar>) -> Unicode.Scalar? {
    guard let first = line.firstIndex(where: { !LookAlike.isBlank($0) }), first + 1 < line.endIndex else {
      return nil
    }
    let (mark, next) = (line[first], line[first + 1])
    if LookAlike.isBullet(mark) { return next == mark ? nil : mark }
    return mark == "-" && (next.properties.isAlphabetic || !next.isASCII) ? mark : nil
  }
}
