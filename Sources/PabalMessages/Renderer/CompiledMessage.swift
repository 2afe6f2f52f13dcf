internal import PabalCore

/// A message made ready to be filled in, in all its languages.
final class CompiledMessage: Sendable {
  let name: String
  let declaration: MessageDeclaration
  /// By language tag in small letters.
  let languages: [String: CompiledLanguage]
  /// The variables that some language uses and that the site gives no value for.
  private let callerInputs: [VariableInput]
  /// The variables that some language uses and that the site gives a value for.
  private let siteInputs: [VariableInput]

  /// What a render asks of a variable.
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
      purpose = variable.purpose
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

  /// The numbers of the variables that rendering needs a value for.
  var required: Set<Int> { Set((callerInputs + siteInputs).filter { $0.defaultValue == nil }.map(\.number)) }

  /// The example of every variable.
  var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in declaration.variables { examples[variable.name] = variable.exampleSource }
    return examples
  }

  /// Subject, text and HTML in one of its languages.
  func render(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> CompiledLanguage.RenderedParts {
    var filled = VariableValues(count: declaration.variables.count)
    let usedCount = try fill(callerInputs, from: values, into: &filled)
    // What the site gives stands in the steps already, unless this mail has its own.
    if usedCount == values.count { return language.foldedPlan.render(filled, formatter: language.formatter) }
    if usedCount + (try fill(siteInputs, from: values, into: &filled)) != values.count {
      try rejectUnknown(values)
    }
    return language.fullPlan.render(filled, formatter: language.formatter)
  }

  /// The line an inbox shows beside the subject, empty where the author wrote none.
  func previewLine(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> String {
    var filled = VariableValues(count: declaration.variables.count)
    for inputs in [callerInputs, siteInputs] { _ = try fill(inputs, from: values, into: &filled) }
    return language.previewLinePlan.render(filled, formatter: language.formatter).subject
  }

  private func fill(
    _ inputs: [VariableInput], from values: [String: MessageValue], into filled: inout VariableValues
  ) throws(MessageError) -> Int {
    var usedCount = 0
    for input in inputs {
      if let value = values[input.name] {
        usedCount += 1
        do throws(InvalidValueError) {
          filled[input.number] = try input.kind.validate(value)
        } catch {
          throw .invalidValue(
            variable: input.name, message: name, reason: error.message, remedy: error.remedy)
        }
      } else if let defaultValue = input.defaultValue {
        filled[input.number] = defaultValue
      } else {
        throw .missingVariable(input.name, message: name, purpose: input.purpose)
      }
    }
    return usedCount
  }

  private func rejectUnknown(_ values: [String: MessageValue]) throws(MessageError) {
    for name in values.keys.sorted() where declaration.index[name] == nil {
      let near = nearest(to: name, among: declaration.variables.map(\.name))
      throw .unknownVariable(name, message: self.name, nearest: near)
    }
    // A declared variable that no language uses is nobody's mistake here; lint tells of it.
  }
}

/// The values of a mail by the numbers of their variables.
struct VariableValues {
  private var values: [ValidValue]

  init(count: Int) { values = [ValidValue](repeating: .text("", reading: nil), count: count) }

  subscript(number: Int) -> ValidValue {
    get { values[number] }
    set { values[number] = newValue }
  }
}

/// One language of a message.
final class CompiledLanguage: Sendable {
  /// What a render gives.
  typealias RenderedParts = (subject: String, text: String, html: String)

  /// The tag as its file is named.
  let tag: String
  let formatter: LanguageFormatter
  /// Asks for every value.
  let fullPlan: RenderPlan
  /// Has the site's values among its literals.
  let foldedPlan: RenderPlan
  /// The preview line where a subject stands; only pictures of an inbox need it by itself.
  let previewLinePlan: RenderPlan

  init(tag: String, fullPlan: RenderPlan, previewLinePlan: RenderPlan, siteValues: [Int: ValidValue]) {
    self.tag = tag
    formatter = LanguageFormatter(tag)
    self.fullPlan = fullPlan
    self.previewLinePlan = previewLinePlan
    foldedPlan = fullPlan.folding(siteValues, formatter: formatter)
  }
}
