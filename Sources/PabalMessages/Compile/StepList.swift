/// Octets to append, and between them the fields to append.
struct TemplateStepList: Sendable {
  /// The literal octets up to `end`, then the field.
  struct Step: Sendable {
    var end: Int
    var field: Int
  }

  var octets: [UInt8] = []
  var steps: [Step] = []
}

/// How a value is written where it stands.
enum ValueEscaping: Sendable, Hashable {
  /// As it is: plain text and header lines.
  case plain
  /// HTML text and quoted attributes.
  case html
  /// A whole address, in plain text.
  case url
  /// A whole address, in an HTML attribute.
  case urlAttribute
  /// A part of an address; needs no further care in HTML.
  case urlComponent
}

/// Something that a render fills in, written out once however often it stands in the mail.
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

/// Gathers the steps of one part of a mail.
struct TemplateStepBuilder {
  private(set) var list = TemplateStepList()
  /// What each placeholder scalar stands for, and its variable's number.
  let scope: Scope

  /// Where a tagged text's placeholders lead.
  struct Scope: Sendable {
    let tagged: TaggedText
    let variables: [String: Int]
  }

  init(scope: Scope) { self.scope = scope }

  /// Octets as they are.
  mutating func append(literal text: String) { list.octets.append(contentsOf: text.utf8) }

  /// All the steps of another list.
  mutating func append(_ other: TemplateStepList) {
    let shift = list.octets.count
    list.octets.append(contentsOf: other.octets)
    list.steps.append(
      contentsOf: other.steps.map { TemplateStepList.Step(end: $0.end + shift, field: $0.field) })
  }

  /// Text that may hold placeholders, written for its place.
  mutating func append(
    _ text: some Sequence<Unicode.Scalar>, as escaping: ValueEscaping, in table: inout TemplateFieldTable
  ) {
    for scalar in text {
      if let placeholder = scope.tagged.placeholder(scalar) {
        append(placeholder, as: escaping, in: &table)
      } else {
        escaping.append(scalar, to: &list.octets)
      }
    }
  }

  /// What a placeholder stands for; names nobody declared were reported before and leave nothing.
  mutating func append(_ placeholder: Placeholder, as escaping: ValueEscaping, in table: inout TemplateFieldTable) {
    guard let variable = scope.variables[placeholder.name] else { return }
    let field: TemplateField =
      switch placeholder {
      case .tag: .value(variable: variable, escaping)
      case .particle(let particle, _): .particle(particle, variable: variable)
      }
    list.steps.append(TemplateStepList.Step(end: list.octets.count, field: table.number(of: field)))
  }
}
