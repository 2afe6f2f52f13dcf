internal import PabalCore

/// Checks for Korean particles that would be mailed in both forms, or in a form that fits only some values.
extension MessageLint {
  /// Checks the text of a file. `mistakenTags` are the indexes after tags that were reported as invalid, whose particles
  /// are right once the tag is.
  mutating func checkParticles(_ text: TaggedText, after mistakenTags: Set<Int>) {
    let scalars = text.scalars
    var index = 0
    // The variable directly before, ignoring closing marks, and whether there is a space after it.
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
          if Particle.misspelled.contains(particle.written) {
            warn("\(particle.written) is misspelled", "write (이)에요")
          }
        }
        index += 1
        continue
      }
      if let pair = ParticlePair(at: index, in: scalars, isAfterVariable: variable != nil),
        !MessageLint.isQuoted(index, pair.count, in: scalars)
      {
        if let name = variable, hasSpace {
          warn("a space between {{\(name)}} and \(pair.written)", "remove the space")
        } else if let name = variable {
          warn(
            "\(pair.written) after {{\(name)}} is not a particle that Pabal knows", "write \(pair.canonical)")
        } else if MessageLint.follows(mistakenTags, index, in: scalars) {
        } else if let particle = pair.particle, let word = MessageLint.word(before: index, in: scalars) {
          let form = LastSound.of(word).map { particle.form(after: $0) }
          warn(
            "\(pair.written) after a word that never changes",
            form.map { $0.isEmpty ? "remove it" : "write \($0)" } ?? "choose one form")
        } else {
          warn(
            "\(pair.written) does not follow a variable, so it is mailed as written",
            "choose one form, or put a variable directly before it")
        }
        variable = nil
        index += pair.count
        continue
      }
      if let name = variable, let (wide, particle) = MessageLint.wideParticle(at: index, in: scalars) {
        warn("\(wide) after {{\(name)}} is in full-width characters", "write \(particle.written)")
        variable = nil
        index += wide.unicodeScalars.count
        continue
      }
      if let name = variable {
        if !hasSpace, let (oneForm, bothForms, isMisspelt) = oneFormParticle(at: index, in: scalars) {
          warn(
            isMisspelt
              ? "\(oneForm) is misspelled" : "\(oneForm) after {{\(name)}} fits only some values",
            "write \(bothForms)")
        }
        if scalar == " " || scalar == "\n" || scalar.properties.isWhitespace {
          // An empty line ends the paragraph.
          if scalar == "\n", index > 0, scalars[index - 1] == "\n" { variable = nil }
          hasSpace = true
        } else if !TaggedText.isSkipped(scalar) {
          variable = nil
        }
      }
      index += 1
    }
  }

  /// Whether only closing marks are between `index` and the end of a mistaken tag.
  private static func follows(_ mistakenTags: Set<Int>, _ index: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard !mistakenTags.isEmpty else { return false }
    var end = index
    while end > 0, !mistakenTags.contains(end), TaggedText.isSkipped(scalars[end - 1]) { end -= 1 }
    return mistakenTags.contains(end)
  }

  /// Whether the particle is itself in backticks or quotes, as when a text mentions `은(는)`.
  private static func isQuoted(_ start: Int, _ count: Int, in scalars: [Unicode.Scalar]) -> Bool {
    guard start > 0, start + count < scalars.count else { return false }
    switch (scalars[start - 1], scalars[start + count]) {
    case ("`", "`"), ("\"", "\""), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"): return true
    default: return false
    }
  }

  /// Returns the text before `index` if it ends in a word, ignoring closing marks.
  private static func word(before index: Int, in scalars: [Unicode.Scalar]) -> String? {
    var end = index
    while end > 0, TaggedText.isSkipped(scalars[end - 1]) { end -= 1 }
    guard end > 0, !SourceText.placeholders.contains(scalars[end - 1].value) else { return nil }
    let last = scalars[end - 1].properties
    guard last.isAlphabetic || last.numericType != nil else { return nil }
    return String(scalars: scalars[max(0, end - 20)..<end])
  }

  /// Finds a particle with full-width brackets or a full-width slash, as East Asian keyboards write them.
  private static func wideParticle(
    at index: Int, in scalars: [Unicode.Scalar]
  ) -> (written: String, particle: Particle)? {
    let raw = scalars[index...].prefix(10)
    let narrow = raw.map(LookAlike.narrowed)
    guard narrow != Array(raw), let particle = Particle.written(at: narrow[...]) else { return nil }
    let written = String(scalars: raw.prefix(particle.written.unicodeScalars.count))
    return written == particle.written ? nil : (written, particle)
  }

  /// Finds a particle in only one form that isn't the start of a longer word.
  private func oneFormParticle(
    at index: Int, in scalars: [Unicode.Scalar]
  ) -> (oneForm: String, bothForms: String, isMisspelt: Bool)? {
    for (oneForm, bothForms) in MessageLint.oneForms
    where scalars[index...].starts(with: oneForm.unicodeScalars) {
      let end = index + oneForm.unicodeScalars.count
      guard end >= scalars.count || !scalars[end].properties.isAlphabetic else { continue }
      return (oneForm, bothForms, oneForm == "이예요" || oneForm == "에요")
    }
    return nil
  }

  private static let oneForms =
    basicOneForms + particlesWithI.flatMap { [($0, "(이)" + $0), ("이" + $0, "(이)" + $0)] }

  /// The particles that have 이 before them after a consonant.
  private static let particlesWithI = ["라는", "라고", "라서", "라도", "란", "랑", "나", "며"]

  private static let basicOneForms = [
    ("은", "은(는)"), ("는", "은(는)"), ("이", "이(가)"), ("가", "이(가)"), ("을", "을(를)"), ("를", "을(를)"),
    ("와", "와(과)"), ("과", "와(과)"), ("으로", "(으)로"), ("로", "(으)로"), ("아", "아(야)"), ("야", "아(야)"),
    ("이에요", "(이)에요"), ("예요", "(이)에요"), ("이예요", "(이)에요"), ("에요", "(이)에요"),
  ]
}
