internal import PabalCore

/// A message made ready to be filled in, in all its languages.
struct CompiledMessage: Sendable {
  let name: String
  let declaration: Declaration
  /// By language tag in small letters.
  let languages: [String: CompiledLanguage]
  /// The numbers of the variables that some language uses.
  let used: [Int]
}

/// One language of a message.
struct CompiledLanguage: Sendable {
  /// The tag as its file is named.
  let tag: String
  let words: LanguageWords
  let fields: [Field]
  let subject: StepList
  let text: StepList
  let html: StepList
}

extension CompiledMessage {
  /// The values as a mail shows them: filled up, checked, in a language's words.
  struct Shown {
    var text: String
    var reading: String?
    var isCode: Bool
  }

  /// The example of every variable.
  var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in declaration.variables { examples[variable.name] = variable.exampleWritten }
    return examples
  }

  /// The values given, or what stands in their place, for every variable that is used.
  func fill(_ given: [String: MessageValue]) throws(MessageError) -> [FitValue?] {
    var values = [FitValue?](repeating: nil, count: declaration.variables.count)
    var taken = 0
    for number in used {
      let variable = declaration.variables[number]
      if let value = given[variable.name] {
        taken += 1
        do throws(UnfitValue) {
          values[number] = try variable.kind.fit(value)
        } catch {
          throw .unfitValue(variable: variable.name, message: name, what: error.what, cure: error.cure)
        }
      } else if let fallback = variable.fallback {
        values[number] = fallback
      } else {
        throw .missingVariable(variable.name, message: name, purpose: variable.purpose)
      }
    }
    if taken != given.count { try refuseUnknown(given) }
    return values
  }

  private func refuseUnknown(_ given: [String: MessageValue]) throws(MessageError) {
    for name in given.keys.sorted() where declaration.index[name] == nil {
      let near = nearest(to: name, among: declaration.variables.map(\.name))
      throw .unknownVariable(name, message: self.name, nearest: near)
    }
  }
}

extension CompiledLanguage {
  /// Subject, text and HTML with the values in their places.
  func render(
    _ values: [FitValue?], of variables: [Declaration.Variable]
  ) -> (subject: String, text: String, html: String) {
    var shown = [CompiledMessage.Shown?](repeating: nil, count: values.count)
    for index in values.indices {
      guard let value = values[index] else { continue }
      shown[index] = show(value, of: variables[index])
    }
    // Every field is written once, however often it stands in the mail.
    var octets: [UInt8] = []
    octets.reserveCapacity(512)
    var ends: [Int] = []
    ends.reserveCapacity(fields.count)
    for field in fields {
      switch field {
      case .value(let variable, let encoding):
        if var text = shown[variable]?.text { text.withUTF8 { encoding.append($0, to: &octets) } }
      case .particle(let particle, let variable):
        let sound = shown[variable].flatMap { value in
          value.reading.flatMap { LastSound.of($0) } ?? LastSound.of(value.text, digitByDigit: value.isCode)
        }
        octets.append(contentsOf: particle.form(after: sound).utf8)
      }
      ends.append(octets.count)
    }
    return octets.withUnsafeBufferPointer { octets in
      ends.withUnsafeBufferPointer { ends in
        let filled = FilledFields(octets: octets, ends: ends)
        return (subject.string(filled), text.string(filled), html.string(filled))
      }
    }
  }

  private func show(_ value: FitValue, of variable: Declaration.Variable) -> CompiledMessage.Shown {
    switch value {
    case .text(let text, let reading):
      CompiledMessage.Shown(text: text, reading: reading, isCode: variable.kind == .code)
    case .duration(let seconds):
      CompiledMessage.Shown(text: words.duration(seconds: seconds), reading: nil, isCode: false)
    case .time(let seconds, let offset):
      CompiledMessage.Shown(
        text: words.time(secondsSince1970: seconds, offset: offset, withDate: variable.withDate),
        reading: nil, isCode: false)
    }
  }
}

/// All fields' octets in a row, and where each ends.
struct FilledFields {
  let octets: UnsafeBufferPointer<UInt8>
  let ends: UnsafeBufferPointer<Int>

  func range(_ field: Int) -> Range<Int> { (field == 0 ? 0 : ends[field - 1])..<ends[field] }
}

extension StepList {
  /// The literals with the fields between them.
  func string(_ fields: FilledFields) -> String {
    var size = octets.count
    for step in steps { size += fields.range(step.field).count }
    return String(unsafeUninitializedCapacity: size) { output in
      octets.withUnsafeBytes { octets in
        let output = UnsafeMutableRawBufferPointer(output)
        var written = 0
        var read = 0
        func append(_ part: UnsafeRawBufferPointer.SubSequence) {
          guard !part.isEmpty else { return }
          output[written..<(written + part.count)].copyBytes(from: part)
          written += part.count
        }
        for step in steps {
          append(octets[read..<step.end])
          read = step.end
          append(UnsafeRawBufferPointer(fields.octets)[fields.range(step.field)])
        }
        append(octets[read..<octets.count])
        return written
      }
    }
  }
}
