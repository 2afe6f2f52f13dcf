internal import PabalCore

/// A compiled message in all its languages.
final class CompiledMessage: Sendable {
  let name: String
  let declaration: MessageDeclaration
  /// The languages by lower-case language tag.
  let languages: [String: CompiledLanguage]
  /// The used variables without a site-wide value.
  private let callerInputs: [VariableInput]
  /// The used variables with a site-wide value.
  private let siteInputs: [VariableInput]

  /// A variable as rendering needs it.
  private final class VariableInput: Sendable {
    let number: Int
    let name: String
    let kind: VariableKind
    let purpose: String
    let defaultValue: ValidValue?

    init(_ variable: MessageDeclaration.Variable, number: Int) {
      self.number = number
      name = variable.name
      kind = variable.kind
      purpose = variable.purpose.text
      defaultValue = variable.defaultValue
    }
  }

  init(name: String, declaration: MessageDeclaration, languages: [String: CompiledLanguage]) {
    self.name = name
    self.declaration = declaration
    self.languages = languages
    let used = Set(languages.values.flatMap(\.fullPlan.variables)).sorted()
    let inputs = used.map {
      (VariableInput(declaration.variables[$0], number: $0), declaration.variables[$0].isSiteWide)
    }
    callerInputs = inputs.compactMap { $1 ? nil : $0 }
    siteInputs = inputs.compactMap { $1 ? $0 : nil }
  }

  /// The numbers of the variables that need a value from the caller.
  var required: Set<Int> { Set((callerInputs + siteInputs).filter { $0.defaultValue == nil }.map(\.number)) }

  /// The examples of all variables.
  var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in declaration.variables { examples[variable.name] = variable.exampleSource }
    return examples
  }

  /// Renders the subject, text and HTML in one language.
  func render(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> CompiledLanguage.RenderedParts {
    var filled = VariableValues(count: declaration.variables.count)
    var errors: [MessageError] = []
    let usedCount = fill(callerInputs, from: values, into: &filled, &errors)
    // Site-wide values are already folded into the plan, unless the caller overrides them.
    if errors.isEmpty, usedCount == values.count {
      return language.foldedPlan.render(filled, formatter: language.formatter)
    }
    if usedCount + fill(siteInputs, from: values, into: &filled, &errors) != values.count {
      errors += unknownVariables(in: values)
    }
    try throwAll(errors)
    return language.fullPlan.render(filled, formatter: language.formatter)
  }

  /// Renders the line that an inbox shows next to the subject; empty if the author wrote none.
  func previewLine(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> String {
    var filled = VariableValues(count: declaration.variables.count)
    var errors: [MessageError] = []
    for inputs in [callerInputs, siteInputs] { _ = fill(inputs, from: values, into: &filled, &errors) }
    try throwAll(errors)
    return language.previewLinePlan.render(filled, formatter: language.formatter).subject
  }

  /// Sets the values of `inputs`, and appends an error for each that is missing or invalid; returns how many of `values`
  /// were used.
  private func fill(
    _ inputs: [VariableInput], from values: [String: MessageValue], into filled: inout VariableValues,
    _ errors: inout [MessageError]
  ) -> Int {
    var usedCount = 0
    for input in inputs {
      if let value = values[input.name] {
        usedCount += 1
        do throws(InvalidValueError) {
          filled[input.number] = try input.kind.validate(value)
        } catch {
          errors.append(
            .invalidValue(variable: input.name, message: name, reason: error.message, remedy: error.remedy))
        }
      } else if let defaultValue = input.defaultValue {
        filled[input.number] = defaultValue
      } else {
        errors.append(.missingVariable(input.name, message: name, purpose: input.purpose))
      }
    }
    return usedCount
  }

  private func unknownVariables(in values: [String: MessageValue]) -> [MessageError] {
    // A declared but unused variable isn't an error here; lint reports it.
    values.keys.sorted().filter { declaration.index[$0] == nil }.map {
      .unknownVariable($0, message: name, nearest: nearest(to: $0, among: declaration.variables.map(\.name)))
    }
  }

  private func throwAll(_ errors: [MessageError]) throws(MessageError) {
    if errors.count > 1 { throw .several(errors) }
    if let error = errors.first { throw error }
  }
}

/// The values of a mail by variable number.
struct VariableValues {
  private var values: [ValidValue]

  init(count: Int) { values = [ValidValue](repeating: .text("", reading: nil), count: count) }

  subscript(number: Int) -> ValidValue {
    get { values[number] }
    set { values[number] = newValue }
  }
}

/// A compiled language of a message.
final class CompiledLanguage: Sendable {
  /// The result of rendering.
  typealias RenderedParts = (subject: String, text: String, html: String)

  /// The language tag, as in the file name.
  let tag: String
  let formatter: LanguageFormatter
  /// The plan that takes all values.
  let fullPlan: RenderPlan
  /// The plan with the site-wide values folded into its literals.
  let foldedPlan: RenderPlan
  /// A plan that renders the preview line as its subject; only previews need it separately.
  let previewLinePlan: RenderPlan

  init(tag: String, fullPlan: RenderPlan, previewLinePlan: RenderPlan, siteValues: [Int: ValidValue]) {
    self.tag = tag
    formatter = LanguageFormatter(tag)
    self.fullPlan = fullPlan
    self.previewLinePlan = previewLinePlan
    foldedPlan = fullPlan.folding(siteValues, formatter: formatter)
  }
}
