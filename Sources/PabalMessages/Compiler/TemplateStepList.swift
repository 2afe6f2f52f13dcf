internal import PabalFormats

/// Literal bytes with the fields to insert between them.
struct TemplateStepList: Sendable {
  /// Appends the literal bytes up to `end`, then the field.
  struct Step: Sendable {
    var end: Int
    var field: Int
  }

  var bytes: [UInt8] = []
  var steps: [Step] = []
}

/// How a value is escaped in its place.
enum ValueEscaping: Sendable, Hashable {
  /// No escaping, for plain text and header lines.
  case plain
  /// For HTML text and quoted attributes.
  case html
  /// A complete URL in plain text.
  case url
  /// A complete URL in an HTML attribute.
  case urlAttribute
  /// A part of a URL, which is safe in HTML too.
  case urlComponent
}

/// A value or particle that rendering fills in. It is formatted once, even if it occurs several times.
enum TemplateField: Sendable, Hashable {
  case value(variable: Int, ValueEscaping)
  case particle(Particle, variable: Int)
}

/// The fields of one language of a message.
struct TemplateFieldTable: Sendable {
  private(set) var fields: [TemplateField] = []
  private var index: [TemplateField: Int] = [:]

  mutating func number(of field: TemplateField) -> Int {
    if let number = index[field] { return number }
    index[field] = fields.count
    fields.append(field)
    return fields.count - 1
  }
}

/// Builds the steps of one part of a mail.
struct TemplateStepBuilder {
  private(set) var list = TemplateStepList()
  /// The meaning of the placeholder scalars.
  let scope: Scope

  /// A tagged text, and the numbers of the variables that its placeholders refer to.
  struct Scope: Sendable {
    let tagged: TaggedText
    let variables: [String: Int]
  }

  init(scope: Scope) { self.scope = scope }

  /// Appends literal text without escaping.
  mutating func append(literal text: String) { list.bytes.append(contentsOf: text.utf8) }

  /// Appends another list.
  mutating func append(_ other: TemplateStepList) {
    let shift = list.bytes.count
    list.bytes.append(contentsOf: other.bytes)
    list.steps.append(
      contentsOf: other.steps.map { TemplateStepList.Step(end: $0.end + shift, field: $0.field) })
  }

  /// Appends text that may contain placeholders, escaped for its place.
  mutating func append(
    _ text: some Sequence<Unicode.Scalar>, as escaping: ValueEscaping, in table: inout TemplateFieldTable
  ) {
    for scalar in text {
      if let placeholder = scope.tagged.placeholder(scalar) {
        append(placeholder, as: escaping, in: &table)
      } else {
        escaping.append(scalar, to: &list.bytes)
      }
    }
  }

  /// Appends the field of a placeholder; does nothing for an undeclared name, which has been reported.
  mutating func append(
    _ placeholder: Placeholder, as escaping: ValueEscaping, in table: inout TemplateFieldTable
  ) {
    guard let variable = scope.variables[placeholder.name] else { return }
    let field: TemplateField =
      switch placeholder {
      case .tag: .value(variable: variable, escaping)
      case .particle(let particle, _): .particle(particle, variable: variable)
      }
    list.steps.append(TemplateStepList.Step(end: list.bytes.count, field: table.number(of: field)))
  }
}

extension ValueEscaping {
  /// Whether the place is a URL, or a part of one.
  var isInURL: Bool {
    switch self {
    case .url, .urlAttribute, .urlComponent: true
    case .plain, .html: false
    }
  }

  /// Appends one scalar of the author's text.
  func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
    switch self {
    case .plain, .url: bytes.append(contentsOf: scalar.utf8)
    case .html: ValueEscaping.appendHTML(scalar.utf8, to: &bytes)
    case .urlAttribute, .urlComponent: ValueEscaping.appendURL(scalar.utf8, isHTML: true, to: &bytes)
    }
  }

  /// Returns a value escaped for this place.
  func escaped(_ value: String) -> String {
    var value = value
    return value.withUTF8 { bytes -> String? in
      if bytes.allSatisfy(isSafe) { return nil }
      var escaped: [UInt8] = []
      switch self {
      case .plain: return nil
      case .html: ValueEscaping.appendHTML(bytes, to: &escaped)
      case .url: ValueEscaping.appendURL(bytes, isHTML: false, to: &escaped)
      case .urlAttribute: ValueEscaping.appendURL(bytes, isHTML: true, to: &escaped)
      case .urlComponent: PercentEncoding.append(bytes.span, allowing: .unreserved, to: &escaped)
      }
      return String(decoding: escaped, as: UTF8.self)
    } ?? value
  }

  /// Whether a byte needs no escaping, for a fast path: most values need none.
  private func isSafe(_ byte: UInt8) -> Bool {
    switch self {
    case .plain: true
    case .html:
      byte != UInt8(ascii: "&") && byte != UInt8(ascii: "<") && byte != UInt8(ascii: ">")
        && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'")
    // Only letters and digits; the fast path needn't cover more.
    case .url, .urlAttribute, .urlComponent:
      (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
    }
  }

  /// Escapes everything that could end text, a quoted attribute or a character reference.
  private static func appendHTML(_ value: some Sequence<UInt8>, to bytes: inout [UInt8]) {
    for byte in value {
      switch byte {
      case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
      case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
      case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
      case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
      default: bytes.append(byte)
      }
    }
  }

  /// Keeps the characters that RFC 3986 allows in a URL and percent-encodes the rest.
  private static func appendURL(_ value: some Sequence<UInt8>, isHTML: Bool, to bytes: inout [UInt8]) {
    for byte in value {
      if isHTML, byte == UInt8(ascii: "&") {
        bytes.append(contentsOf: "&amp;".utf8)
      } else {
        PercentEncoding.append(byte, allowing: .uri, to: &bytes)
      }
    }
  }
}

/// The URL of a link or an image, as the author wrote it.
struct LinkTarget {
  /// The scalars of the URL, including placeholders.
  let scalars: [Unicode.Scalar]
  /// Whether the first scalar is a variable of kind `url`.
  private let beginsWithURLVariable: Bool

  /// Creates a target; returns `nil` if it isn't an https, http or (for a link) mailto URL.
  init?(_ url: String, isImage: Bool, scope: TemplateStepBuilder.Scope, kinds: [VariableKind]) {
    scalars = Array(url.unicodeScalars)
    if let first = scalars.first, case .tag(let name)? = scope.tagged.placeholder(first) {
      guard let variable = scope.variables[name], kinds[variable] == .url else { return nil }
      beginsWithURLVariable = true
    } else {
      guard let rest = URLScheme.afterScheme(url, mail: !isImage), !rest.isEmpty else { return nil }
      beginsWithURLVariable = false
    }
  }

  /// Appends the URL to plain text or to a quoted HTML attribute.
  func append(to builder: inout TemplateStepBuilder, isHTML: Bool, in table: inout TemplateFieldTable) {
    let rest = beginsWithURLVariable ? 1 : 0
    builder.append(scalars[..<rest], as: isHTML ? .urlAttribute : .url, in: &table)
    for scalar in scalars[rest...] {
      let isPlaceholder = SourceText.placeholders.contains(scalar.value)
      let escaping: ValueEscaping = isPlaceholder ? .urlComponent : isHTML ? .urlAttribute : .url
      builder.append(CollectionOfOne(scalar), as: escaping, in: &table)
    }
  }
}
