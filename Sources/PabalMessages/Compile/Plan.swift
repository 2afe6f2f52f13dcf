/// The steps of one language's three parts, and the fields they share.
struct Plan: Sendable {
  /// The fields of one variable.
  private struct Group: Sendable {
    var variable: Int
    var isCode: Bool
    var withDate: Bool
    /// How its value is written, and the field that is.
    var values: [(encoding: Encoding, field: Int)] = []
    var particles: [(particle: Particle, field: Int)] = []
  }

  private var groups: [Group] = []
  private let count: Int
  private var subject: CompiledSteps
  private var text: CompiledSteps
  private var html: CompiledSteps

  init(
    subject: StepList, text: StepList, html: StepList, fields: [Field], variables: [Declaration.Variable]
  ) {
    self.subject = CompiledSteps(subject)
    self.text = CompiledSteps(text)
    self.html = CompiledSteps(html)
    count = fields.count
    for number in variables.indices {
      var group = Group(
        variable: number, isCode: variables[number].kind == .code, withDate: variables[number].withDate)
      for (index, field) in fields.enumerated() {
        switch field {
        case .value(number, let encoding): group.values.append((encoding, index))
        case .particle(let particle, variable: number): group.particles.append((particle, index))
        default: break
        }
      }
      if !group.values.isEmpty || !group.particles.isEmpty { groups.append(group) }
    }
  }

  /// The numbers of the variables it asks for.
  var variables: [Int] { groups.map(\.variable) }

  /// The same plan with some values among its literals.
  func folding(_ values: [Int: FitValue], words: LanguageWords) -> Plan {
    var constants = [String?](repeating: nil, count: count)
    var plan = self
    plan.groups = groups.filter { group in
      guard let value = values[group.variable] else { return true }
      var fields = [String](repeating: "", count: count)
      Plan.write(value, of: group, words: words, to: &fields)
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

  /// Subject, text and HTML with the values in their places.
  func render(_ values: FilledValues, words: LanguageWords) -> CompiledLanguage.Mail {
    // Every field is written once, however often it stands in the mail.
    var fields = [String](repeating: "", count: count)
    for group in groups { Plan.write(values[group.variable], of: group, words: words, to: &fields) }
    return (subject.filled(fields), text.filled(fields), html.filled(fields))
  }

  private static func write(
    _ value: FitValue, of group: Group, words: LanguageWords, to fields: inout [String]
  ) {
    let text: String
    var reading: String?
    switch value {
    case .text(let given, let said): (text, reading) = (given, said)
    case .duration(let seconds): text = words.duration(seconds: seconds)
    case .time(let seconds, let offset):
      text = words.time(secondsSince1970: seconds, offset: offset, withDate: group.withDate)
    }
    for (encoding, field) in group.values { fields[field] = encoding.written(text) }
    guard !group.particles.isEmpty else { return }
    var sound: LastSound?
    if let reading { sound = LastSound.of(reading) }
    if sound == nil { sound = LastSound.of(text, digitByDigit: group.isCode) }
    for (particle, field) in group.particles { fields[field] = particle.form(after: sound) }
  }
}

/// One part of a mail: literals, and between them fields.
struct CompiledSteps: Sendable {
  /// One more than there are fields.
  private var literals: [String]
  private var fields: [Int]
  private var octets: Int

  init(_ list: StepList) {
    literals = []
    var start = 0
    for step in list.steps {
      literals.append(String(decoding: list.octets[start..<step.end], as: UTF8.self))
      start = step.end
    }
    literals.append(String(decoding: list.octets[start...], as: UTF8.self))
    fields = list.steps.map(\.field)
    octets = list.octets.count
  }

  /// The same part with some fields among its literals.
  func folding(_ constants: [String?]) -> CompiledSteps {
    var folded = self
    folded.literals = [literals[0]]
    folded.fields = []
    for (index, field) in fields.enumerated() {
      if let constant = constants[field] {
        folded.literals[folded.literals.count - 1] += constant + literals[index + 1]
        folded.octets += constant.utf8.count
      } else {
        folded.fields.append(field)
        folded.literals.append(literals[index + 1])
      }
    }
    return folded
  }

  /// The literals with the fields between them.
  ///
  /// Strings are appended to a string: octets would have to be proved UTF-8 again, which takes longer than
  /// all else.
  func filled(_ values: [String]) -> String {
    var size = octets
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
