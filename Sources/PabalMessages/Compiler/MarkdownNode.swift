internal import CPabalCMark
internal import PabalCore

/// A node of a CommonMark document.
struct MarkdownNode: Sendable {
  /// The kind of a node, with its content.
  enum Kind: Sendable, Equatable {
    case document
    case paragraph
    /// A top-level paragraph that consists only of inline code: the big code block.
    case codeParagraph(String)
    case heading(Int)
    case quote
    /// A list; `start` is its first number, or `nil` for a bullet list.
    case list(start: Int?, isTight: Bool)
    case item
    case codeBlock(String)
    case thematicBreak
    case rawHTML(String)
    case text(String)
    case softBreak
    case lineBreak
    case code(String)
    case emphasis
    case strong
    case link(String, title: String)
    case image(String, title: String)
  }

  var kind: Kind
  var children: [MarkdownNode] = []
  /// The line where the node starts, from 1; `column` is in bytes, from 1.
  var line: Int
  var column: Int
  /// The column of the last byte; meaningful only for a node on one line.
  var endColumn: Int
}

extension MarkdownNode {
  /// The maximum nesting depth of quotes, lists and emphasis.
  static let maxDepth = 32

  /// Parses a document; returns `nil` if it is nested deeper than `maxDepth`.
  static func parsing(_ scalars: ArraySlice<Unicode.Scalar>) -> MarkdownNode? {
    var bytes = String(scalars: scalars)
    return bytes.withUTF8 { buffer in
      buffer.withMemoryRebound(to: CChar.self) { characters in
        guard let root = cmark_parse_document(characters.baseAddress, characters.count, CMARK_OPT_DEFAULT)
        else { return nil }
        defer { cmark_node_free(root) }
        return MarkdownNode(root, level: 0)
      }
    }
  }

  private init?(_ node: OpaquePointer, level: Int) {
    guard level <= MarkdownNode.maxDepth else { return nil }
    kind = Kind(node)
    line = Int(cmark_node_get_start_line(node))
    column = Int(cmark_node_get_start_column(node))
    endColumn = Int(cmark_node_get_end_column(node))
    var child = cmark_node_first_child(node)
    while let next = child {
      guard var part = MarkdownNode(next, level: level + 1) else { return nil }
      if kind == .document, part.kind == .paragraph, part.children.count == 1,
        case .code(let code) = part.children[0].kind
      {
        part.kind = .codeParagraph(code)
        part.children = []
      }
      children.append(part)
      child = cmark_node_next(next)
    }
  }
}

extension MarkdownNode.Kind {
  fileprivate init(_ node: OpaquePointer) {
    func string(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }
    switch cmark_node_get_type(node) {
    case CMARK_NODE_DOCUMENT: self = .document
    case CMARK_NODE_PARAGRAPH: self = .paragraph
    case CMARK_NODE_HEADING: self = .heading(Int(cmark_node_get_heading_level(node)))
    case CMARK_NODE_BLOCK_QUOTE: self = .quote
    case CMARK_NODE_LIST:
      let isNumbered = cmark_node_get_list_type(node) == CMARK_ORDERED_LIST
      self = .list(
        start: isNumbered ? Int(cmark_node_get_list_start(node)) : nil,
        isTight: cmark_node_get_list_tight(node) != 0)
    case CMARK_NODE_ITEM: self = .item
    case CMARK_NODE_CODE_BLOCK: self = .codeBlock(string(cmark_node_get_literal(node)))
    case CMARK_NODE_THEMATIC_BREAK: self = .thematicBreak
    case CMARK_NODE_TEXT: self = .text(string(cmark_node_get_literal(node)))
    case CMARK_NODE_SOFTBREAK: self = .softBreak
    case CMARK_NODE_LINEBREAK: self = .lineBreak
    case CMARK_NODE_CODE: self = .code(string(cmark_node_get_literal(node)))
    case CMARK_NODE_EMPH: self = .emphasis
    case CMARK_NODE_STRONG: self = .strong
    case CMARK_NODE_LINK:
      self = .link(string(cmark_node_get_url(node)), title: string(cmark_node_get_title(node)))
    case CMARK_NODE_IMAGE:
      self = .image(string(cmark_node_get_url(node)), title: string(cmark_node_get_title(node)))
    // HTML blocks and inline HTML, the only other kinds without extensions.
    default: self = .rawHTML(string(cmark_node_get_literal(node)))
    }
  }
}
