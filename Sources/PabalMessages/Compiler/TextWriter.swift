/// Writes a document as the plain text of a mail.
struct TextWriter {
  private var builder: TemplateStepBuilder
  private var table: TemplateFieldTable
  private let kinds: [VariableKind]

  /// Returns the steps of the text; adds the fields they use to `table`.
  static func write(
    _ document: MarkdownNode, scope: TemplateStepBuilder.Scope, kinds: [VariableKind],
    table: inout TemplateFieldTable
  ) -> TemplateStepList {
    var writer = TextWriter(builder: TemplateStepBuilder(scope: scope), table: table, kinds: kinds)
    writer.write(document.children, first: "", rest: "", isTight: false)
    table = writer.table
    return writer.builder.list
  }

  private static let codeIndent = "    "

  /// Writes blocks one below the other; `first` is the prefix of the first line, `rest` of all others.
  private mutating func write(_ blocks: [MarkdownNode], first: String, rest: String, isTight: Bool) {
    if blocks.isEmpty { builder.append(literal: TextWriter.trimmed(first) + "\n") }
    for (index, block) in blocks.enumerated() {
      if index > 0, !isTight { builder.append(literal: TextWriter.trimmed(rest) + "\n") }
      let lead = index == 0 ? first : rest
      switch block.kind {
      case .quote:
        write(block.children, first: lead + "> ", rest: rest + "> ", isTight: false)
      case .list(let start, let isTight):
        write(items: block.children, from: start, first: lead, rest: rest, isTight: isTight)
      case .codeBlock(let code):
        write(code: code, first: lead, rest: rest)
      case .thematicBreak:
        builder.append(literal: lead + String(repeating: "-", count: 24) + "\n")
      case .codeParagraph(let code):
        write(code: code, first: lead, rest: rest)
      case .paragraph where block.children.count == 1:
        builder.append(literal: lead)
        if case .link(let url, _) = block.children[0].kind {
          write(link: url, textContent: block.children[0].children, rest: rest, isAlone: true)
        } else {
          write(block.children, rest: rest)
        }
        builder.append(literal: "\n")
      default:
        builder.append(literal: lead)
        write(block.children, rest: rest)
        builder.append(literal: "\n")
      }
    }
  }

  private mutating func write(
    items: [MarkdownNode], from start: Int?, first: String, rest: String, isTight: Bool
  ) {
    for (index, item) in items.enumerated() {
      if index > 0, !isTight { builder.append(literal: TextWriter.trimmed(rest) + "\n") }
      let mark = start.map { "\($0 + index). " } ?? "- "
      let indent = rest + String(repeating: " ", count: mark.utf8.count)
      write(item.children, first: (index == 0 ? first : rest) + mark, rest: indent, isTight: isTight)
    }
  }

  private mutating func write(code: String, first: String, rest: String) {
    var lines = code.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    if lines.isEmpty { builder.append(literal: TextWriter.trimmed(first) + "\n") }
    for (index, line) in lines.enumerated() {
      let lead = index == 0 ? first : rest
      builder.append(literal: line.isEmpty ? TextWriter.trimmed(lead) : lead + TextWriter.codeIndent)
      append(String(line))
      builder.append(literal: "\n")
    }
  }

  /// Writes inline nodes.
  private mutating func write(_ parts: [MarkdownNode], rest: String) {
    for part in parts {
      switch part.kind {
      case .text(let text), .code(let text): append(text)
      case .softBreak: builder.append(literal: " ")
      case .lineBreak: builder.append(literal: "\n" + rest)
      case .link(let url, _): write(link: url, textContent: part.children, rest: rest, isAlone: false)
      // Raw HTML is dropped; lint has reported it.
      case .rawHTML: break
      default: write(part.children, rest: rest)
      }
    }
  }

  /// Writes a link as `text (address)`, or `text: address` if it is alone in its paragraph, or only the text if both
  /// are the same.
  private mutating func write(link url: String, textContent: [MarkdownNode], rest: String, isAlone: Bool) {
    let target = LinkTarget(url, isImage: false, scope: builder.scope, kinds: kinds)
    let text = namingPlaceholders(textContent.map(\.textContent).joined())
    let address = namingPlaceholders(url)
    if text == address || address == "mailto:" + text || text.isEmpty {
      if text.isEmpty { target?.append(to: &builder, isHTML: false, in: &table) }
      write(textContent, rest: rest)
      return
    }
    write(textContent, rest: rest)
    guard let target else { return }
    builder.append(literal: isAlone ? ": " : " (")
    if address.hasPrefix("mailto:"), !address.contains("?") {
      append(String(url.dropFirst("mailto:".count)))
    } else {
      target.append(to: &builder, isHTML: false, in: &table)
    }
    if !isAlone { builder.append(literal: ")") }
  }

  /// Returns the text with names instead of placeholders, so that two texts can be compared.
  private func namingPlaceholders(_ text: String) -> String {
    var named = ""
    for scalar in text.unicodeScalars {
      if let placeholder = builder.scope.tagged.placeholder(scalar) {
        named += "{{\(placeholder.name)}}"
      } else {
        named.unicodeScalars.append(scalar)
      }
    }
    return named
  }

  private mutating func append(_ text: String) {
    builder.append(text.unicodeScalars, as: .plain, in: &table)
  }

  private static func trimmed(_ lead: String) -> String {
    String(lead.reversed().drop { $0 == " " }.reversed())
  }
}

extension MarkdownNode {
  /// The text of the node and its descendants, without markup.
  var textContent: String {
    switch kind {
    case .text(let text), .code(let text), .codeParagraph(let text): text
    case .softBreak, .lineBreak: " "
    default: children.map(\.textContent).joined()
    }
  }
}
