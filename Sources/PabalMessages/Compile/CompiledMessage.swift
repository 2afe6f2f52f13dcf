internal import PabalCore

/// A message made ready to be filled in, in all its languages.
final class CompiledMessage: Sendable {
  let name: String
  let declaration: Declaration
  /// By language tag in small letters.
  let languages: [String: CompiledLanguage]
  /// The variables that some language uses and that the site gives no value for.
  private let asked: [Input]
  /// The variables that some language uses and that the site gives a value for.
  private let given: [Input]

  /// What a render asks of a variable.
  private final class Input: Sendable {
    let number: Int
    let name: String
    let kind: VariableKind
    let purpose: String
    let fallback: FitValue?

    init(_ variable: Declaration.Variable, number: Int) {
      self.number = number
      name = variable.name
      kind = variable.kind
      purpose = variable.purpose
      fallback = variable.fallback
    }
  }

  init(name: String, declaration: Declaration, languages: [String: CompiledLanguage]) {
    self.name = name
    self.declaration = declaration
    self.languages = languages
    let used = Set(languages.values.flatMap(\.whole.variables)).sorted()
    let inputs = used.map {
      (Input(declaration.variables[$0], number: $0), declaration.variables[$0].isOfSite)
    }
    asked = inputs.compactMap { $1 ? nil : $0 }
    given = inputs.compactMap { $1 ? $0 : nil }
  }

  /// The numbers of the variables that rendering needs a value for.
  var required: Set<Int> { Set((asked + given).filter { $0.fallback == nil }.map(\.number)) }

  /// The example of every variable.
  var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in declaration.variables { examples[variable.name] = variable.exampleWritten }
    return examples
  }

  /// Subject, text and HTML in one of its languages.
  func render(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> CompiledLanguage.Mail {
    var filled = FilledValues(count: declaration.variables.count)
    let taken = try take(asked, from: values, into: &filled)
    // What the site gives stands in the steps already, unless this mail has its own.
    if taken == values.count { return language.lean.render(filled, words: language.words) }
    if taken + (try take(given, from: values, into: &filled)) != values.count { try refuseUnknown(values) }
    return language.whole.render(filled, words: language.words)
  }

  /// The line an inbox shows beside the subject, empty where the author wrote none.
  func previewLine(
    _ language: CompiledLanguage, _ values: [String: MessageValue]
  ) throws(MessageError) -> String {
    var filled = FilledValues(count: declaration.variables.count)
    for inputs in [asked, given] { _ = try take(inputs, from: values, into: &filled) }
    return language.inbox.render(filled, words: language.words).subject
  }

  private func take(
    _ inputs: [Input], from values: [String: MessageValue], into filled: inout FilledValues
  ) throws(MessageError) -> Int {
    var taken = 0
    for input in inputs {
      if let value = values[input.name] {
        taken += 1
        do throws(UnfitValue) {
          filled[input.number] = try input.kind.fit(value)
        } catch {
          throw .unfitValue(variable: input.name, message: name, reason: error.what, cure: error.cure)
        }
      } else if let fallback = input.fallback {
        filled[input.number] = fallback
      } else {
        throw .missingVariable(input.name, message: name, purpose: input.purpose)
      }
    }
    return taken
  }

  private func refuseUnknown(_ values: [String: MessageValue]) throws(MessageError) {
    for name in values.keys.sorted() where declaration.index[name] == nil {
      let near = nearest(to: name, among: declaration.variables.map(\.name))
      throw .unknownVariable(name, message: self.name, nearest: near)
    }
    // A declared variable that no language uses is nobody's mistake here; lint tells of it.
  }
}

/// The values of a mail by the numbers of their variables.
struct FilledValues {
  private var values: [FitValue]

  init(count: Int) { values = [FitValue](repeating: .text("", reading: nil), count: count) }

  subscript(number: Int) -> FitValue {
    get { values[number] }
    set { values[number] = newValue }
  }
}

/// One language of a message.
final class CompiledLanguage: Sendable {
  /// What a render gives.
  typealias Mail = (subject: String, text: String, html: String)

  /// The tag as its file is named.
  let tag: String
  let words: LanguageWords
  /// Asks for every value.
  let whole: Plan
  /// Has the site's values among its literals.
  let lean: Plan
  /// The preview line where a subject stands; only pictures of an inbox need it by itself.
  let inbox: Plan

  init(tag: String, whole: Plan, inbox: Plan, siteValues: [Int: FitValue]) {
    self.tag = tag
    words = LanguageWords(tag)
    self.whole = whole
    self.inbox = inbox
    lean = whole.folding(siteValues, words: words)
  }
}
