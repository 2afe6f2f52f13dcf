internal import PabalCore

/// Korean particles that would be mailed in both forms, or in one that fits some values only.
extension MessageLint {
  /// Looks through the words of any file.
  mutating func checkParticles(_ text: TaggedText) {
    let scalars = text.scalars
    var index = 0
    // The variable just before, marks passed over, and whether blanks came since.
    var variable: String?
    var hasSpace = false
    func warn(_ message: String, _ remedy: String) {
      report(message, remedy, in: text, at: text.position(at: index), severity: .warning)
    }
    while index < scalars.count {
      let scalar = scalars[index]
      if let placeholder = text.placeholder(scalar) {
        hasSpace = false
        switch placeholder {
        case .tag(let name): variable = name
        case .particle(let particle, _):
          variable = nil
          if Particle.misspelt.contains(particle.written) {
            warn("\(particle.written) is misspelt", "write (이)에요")
          }
        }
        index += 1
        continue
      }
      if let both = ParticlePair(at: index, in: scalars, isAfterVariable: variable != nil),
        !MessageLint.isQuoted(index, both.count, in: scalars)
      {
        if let name = variable, hasSpace {
          warn("a blank between {{\(name)}} and \(both.written)", "remove the blank")
        } else if let name = variable {
          warn("\(both.written) after {{\(name)}} is no particle that Pabal knows", "write \(both.canonical)")
        } else if let particle = both.particle, let word = MessageLint.word(before: index, in: scalars) {
          let form = LastSound.of(word).map { particle.form(after: $0) }
          warn(
            "\(both.written) after a word that is always the same",
            form.map { $0.isEmpty ? "take it out" : "write \($0)" } ?? "choose one")
        } else {
          warn(
            "\(both.written) after no variable is mailed as it is",
            "write one form, or a variable straight before it")
        }
        variable = nil
        index += both.count
        continue
      }
      if let name = variable {
        if !hasSpace, let (fixed, both, isMisspelt) = fixedParticle(at: index, in: scalars) {
          warn(
            isMisspelt
              ? "\(fixed) is misspelt" : "\(fixed) after {{\(name)}} is right for some values only",
            "write \(both)")
        }
        if scalar == " " || scalar == "\n" || scalar.properties.isWhitespace {
          // After an empty line another paragraph begins.
          if scalar == "\n", index > 0, scalars[index - 1] == "\n" { variable = nil }
          hasSpace = true
        } else if !TaggedText.isSkipped(scalar) {
          variable = nil
        }
      }
      index += 1
    }
  }

  /// Whether what stands there is spoken of: `은(는)` in backticks or quotes of its own.
  private static func isQuoted(_ start: Int, _ count: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard start > 0, start + count < scalars.count else { return false }
    switch (scalars[start - 1], scalars[start + count]) {
    case ("`", "`"), ("\"", "\""), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"): return true
    default: return false
    }
  }

  /// The end of the line before, where a word stands straight before, marks passed over.
  private static func word(before index: Int, in scalars: [Unicode.Scalar]) -> String? {
    var end = index
    while end > 0, TaggedText.isSkipped(scalars[end - 1]) { end -= 1 }
    guard end > 0, !SourceText.placeholders.contains(scalars[end - 1].value) else { return nil }
    let last = scalars[end - 1].properties
    guard last.isAlphabetic || last.numericType != nil else { return nil }
    return String(scalars: scalars[max(0, end - 20)..<end])
  }

  /// A particle in one form only, with nothing after it that would make it another word.
  private func fixedParticle(
    at index: Int, in scalars: [Unicode.Scalar]
  ) -> (fixed: String, both: String, isMisspelt: Bool)? {
    for (fixed, both) in MessageLint.fixed where scalars[index...].starts(with: fixed.unicodeScalars) {
      let end = index + fixed.unicodeScalars.count
      guard end >= scalars.count || !scalars[end].properties.isAlphabetic else { continue }
      return (fixed, both, fixed == "이예요" || fixed == "에요")
    }
    return nil
  }

  private static let fixed = [
    ("은", "은(는)"), ("는", "은(는)"), ("이", "이(가)"), ("가", "이(가)"), ("을", "을(를)"), ("를", "을(를)"),
    ("와", "와(과)"), ("과", "와(과)"), ("으로", "(으)로"), ("로", "(으)로"), ("아", "아(야)"), ("야", "아(야)"),
    ("이에요", "(이)에요"), ("예요", "(이)에요"), ("이예요", "(이)에요"), ("에요", "(이)에요"),
  ]
}
