/// Writes a document as HTML, with the style sheet's rules copied into each element.
struct HTMLWriter {
  private var builder: TemplateStepBuilder
  private var table: TemplateFieldTable
  private let kinds: [VariableKind]
  private let styles: StyleSheet

  /// Returns the steps of the HTML; adds the fields they use to `table`.
  static func write(
    _ document: MarkdownNode, scope: TemplateStepBuilder.Scope, kinds: [VariableKind], styles: StyleSheet,
    table: inout TemplateFieldTable
  ) -> TemplateStepList {
    var writer = HTMLWriter(
      builder: TemplateStepBuilder(scope: scope), table: table, kinds: kinds, styles: styles)
    // Everything after the last thematic break is the small print.
    let end = document.children.lastIndex { $0.kind == .thematicBreak } ?? document.children.count
    writer.write(blocks: Array(document.children[..<end]), isTight: false)
    writer.write(blocks: Array(document.children[end...]), isTight: false, class: "note")
    table = writer.table
    return writer.builder.list
  }

  private mutating func write(blocks: [MarkdownNode], isTight: Bool, class name: String? = nil) {
    for block in blocks {
      switch block.kind {
      case .codeParagraph(let code):
        open("p", class: "code")
        append(code)
        close("p")
      case .paragraph where isTight:
        write(parts: block.children)
        builder.append(literal: "\n")
      case .paragraph:
        open("p", class: name)
        write(parts: block.children)
        close("p")
      case .heading(let level):
        open("h\(level)")
        write(parts: block.children)
        close("h\(level)")
      case .quote:
        open("blockquote")
        write(blocks: block.children, isTight: false)
        close("blockquote")
      case .list(let start, let isTight):
        let element = start == nil ? "ul" : "ol"
        open(element, attributes: start.map { $0 == 1 ? "" : " start=\"\($0)\"" } ?? "")
        for item in block.children {
          open("li")
          write(blocks: item.children, isTight: isTight)
          close("li")
        }
        close(element)
      case .codeBlock(let code):
        open("pre")
        append(code)
        close("pre")
      case .thematicBreak:
        open("hr", class: name)
        builder.append(literal: "\n")
      default:
        write(parts: [block])
      }
    }
  }

  private mutating func write(parts: [MarkdownNode]) {
    for part in parts {
      switch part.kind {
      case .text(let text): append(text)
      case .softBreak: builder.append(literal: "\n")
      case .lineBreak: builder.append(literal: "<br>\n")
      case .code(let code): wrap("code") { $0.append(code) }
      case .emphasis: wrap("em") { $0.write(parts: part.children) }
      case .strong: wrap("strong") { $0.write(parts: part.children) }
      case .link(let url, let title): link(url, title: title, textContent: part.children)
      case .image(let url, let title): image(url, title: title, textContent: part.textContent)
      // Raw HTML is dropped; lint has reported it.
      case .rawHTML: break
      default: write(parts: part.children)
      }
    }
  }

  private mutating func link(_ url: String, title: String, textContent: [MarkdownNode]) {
    guard let target = LinkTarget(url, isImage: false, scope: builder.scope, kinds: kinds) else {
      write(parts: textContent)
      return
    }
    builder.append(literal: "<a href=\"")
    target.append(to: &builder, isHTML: true, in: &table)
    builder.append(literal: "\"")
    endOfTag("a", title: title)
    write(parts: textContent)
    builder.append(literal: "</a>")
  }

  private mutating func image(_ url: String, title: String, textContent: String) {
    guard let target = LinkTarget(url, isImage: true, scope: builder.scope, kinds: kinds) else { return }
    builder.append(literal: "<img src=\"")
    target.append(to: &builder, isHTML: true, in: &table)
    builder.append(literal: "\" alt=\"")
    append(textContent)
    builder.append(literal: "\"")
    endOfTag("img", title: title)
  }

  private mutating func endOfTag(_ element: String, title: String) {
    if !title.isEmpty {
      builder.append(literal: " title=\"")
      append(title)
      builder.append(literal: "\"")
    }
    builder.append(literal: styles.attribute(element: element) + ">")
  }

  private mutating func open(_ element: String, class name: String? = nil, attributes: String = "") {
    let classes = name.map { [$0] } ?? []
    builder.append(literal: "<\(element)\(attributes)")
    if let name { builder.append(literal: " class=\"\(name)\"") }
    builder.append(literal: styles.attribute(element: element, classes: classes) + ">")
  }

  private mutating func close(_ element: String) { builder.append(literal: "</\(element)>\n") }

  private mutating func wrap(_ element: String, _ inside: (inout HTMLWriter) -> Void) {
    open(element)
    inside(&self)
    builder.append(literal: "</\(element)>")
  }

  private mutating func append(_ text: String) {
    builder.append(text.unicodeScalars, as: .html, in: &table)
  }
}
