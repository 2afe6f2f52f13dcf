/// The compiled subject, text and HTML of one language, and the fields they share.
struct RenderPlan: Sendable {
  /// The fields of one variable.
  private struct VariableFields: Sendable {
    var variable: Int
    var isCode: Bool
    var showsDate: Bool
    /// The fields with its value, by escaping.
    var values: [(escaping: ValueEscaping, field: Int)] = []
    var particles: [(particle: Particle, field: Int)] = []
  }

  private var groups: [VariableFields] = []
  private let count: Int
  private var subject: CompiledTemplate
  private var text: CompiledTemplate
  private var html: CompiledTemplate

  init(
    subject: TemplateStepList, text: TemplateStepList, html: TemplateStepList, fields: [TemplateField],
    variables: [MessageDeclaration.Variable]
  ) {
    self.subject = CompiledTemplate(subject)
    self.text = CompiledTemplate(text)
    self.html = CompiledTemplate(html)
    count = fields.count
    for number in variables.indices {
      var group = VariableFields(
        variable: number, isCode: variables[number].kind == .code, showsDate: variables[number].showsDate)
      for (index, field) in fields.enumerated() {
        switch field {
        case .value(number, let escaping): group.values.append((escaping, index))
        case .particle(let particle, variable: number): group.particles.append((particle, index))
        default: break
        }
      }
      if !group.values.isEmpty || !group.particles.isEmpty { groups.append(group) }
    }
  }

  /// The numbers of the variables that the plan needs.
  var variables: [Int] { groups.map(\.variable) }

  /// Returns the plan with some values folded into its literals.
  func folding(_ values: [Int: ValidValue], formatter: LanguageFormatter) -> RenderPlan {
    var constants = [String?](repeating: nil, count: count)
    var plan = self
    plan.groups = groups.filter { group in
      guard let value = values[group.variable] else { return true }
      var fields = [String](repeating: "", count: count)
      RenderPlan.write(value, of: group, formatter: formatter, to: &fields)
      for field in group.values.map(\.field) + group.particles.map(\.field) {
        constants[field] = fields[field]
      }
      return false
    }
    plan.subject = subject.folding(constants)
    plan.text = text.folding(constants)
    plan.html = html.folding(constants)
    return plan
  }

  /// Renders the subject, text and HTML.
  func render(_ values: VariableValues, formatter: LanguageFormatter) -> CompiledLanguage.RenderedParts {
    // Each field is formatted once, even if it occurs several times.
    var fields = [String](repeating: "", count: count)
    for group in groups {
      RenderPlan.write(values[group.variable], of: group, formatter: formatter, to: &fields)
    }
    return (subject.filled(fields), text.filled(fields), html.filled(fields))
  }

  private static func write(
    _ value: ValidValue, of group: VariableFields, formatter: LanguageFormatter, to fields: inout [String]
  ) {
    let text: String
    var target: String?
    var reading: String?
    switch value {
    case .text(let rawText, let spokenText): (text, reading) = (rawText, spokenText)
    case .link(let address): (text, target) = (address.shown, address.target)
    case .duration(let seconds): text = formatter.duration(seconds: seconds)
    case .time(let seconds, let offset):
      text = formatter.time(secondsSince1970: seconds, offset: offset, showsDate: group.showsDate)
    }
    for (escaping, field) in group.values {
      fields[field] = escaping.escaped(escaping.isInURL ? target ?? text : text)
    }
    guard !group.particles.isEmpty else { return }
    var sound: LastSound?
    if let reading { sound = LastSound.of(reading) }
    if sound == nil { sound = LastSound.of(text, digitByDigit: group.isCode) }
    for (particle, field) in group.particles { fields[field] = particle.form(after: sound) }
  }
}

/// A part of a mail: literals with fields between them.
struct CompiledTemplate: Sendable {
  /// The literals; there is one more than there are fields.
  private var literals: [String]
  private var fields: [Int]
  private var bytes: Int

  init(_ list: TemplateStepList) {
    literals = []
    var start = 0
    for step in list.steps {
      literals.append(String(decoding: list.bytes[start..<step.end], as: UTF8.self))
      start = step.end
    }
    literals.append(String(decoding: list.bytes[start...], as: UTF8.self))
    fields = list.steps.map(\.field)
    bytes = list.bytes.count
  }

  /// Returns the part with some fields folded into its literals.
  func folding(_ constants: [String?]) -> CompiledTemplate {
    var folded = self
    folded.literals = [literals[0]]
    folded.fields = []
    for (index, field) in fields.enumerated() {
      if let constant = constants[field] {
        folded.literals[folded.literals.count - 1] += constant + literals[index + 1]
        folded.bytes += constant.utf8.count
      } else {
        folded.fields.append(field)
        folded.literals.append(literals[index + 1])
      }
    }
    return folded
  }

  /// Returns the literals with the values of the fields between them.
  ///
  /// Appends strings to a string, because bytes would have to be validated as UTF-8 again, which takes longer than
  /// everything else.
  func filled(_ values: [String]) -> String {
    var size = bytes
    for field in fields { size += values[field].utf8.count }
    var text = ""
    text.reserveCapacity(size)
    text.append(literals[0])
    for index in fields.indices {
      text.append(values[fields[index]])
      text.append(literals[index + 1])
    }
    return text
  }
}
