internal import PabalCore

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
        above.contains(where: { if case .text(let textContent) = $0.kind { textContent.contains("|") } else { false } })
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
