public import PabalCore

extension Diagnostic {
  /// The diagnostic in a language; a part without a translation stays English.
  public func translated(to language: InterfaceLanguage) -> Diagnostic {
    guard language == .korean else { return self }
    var translated = self
    translated.message = KoreanDiagnostics.translation(of: message) ?? message
    translated.remedy = remedy.map { KoreanDiagnostics.translation(of: $0) ?? $0 }
    return translated
  }

  /// The diagnostic as one line, `file:line:column: error: path: message; remedy`, in a language.
  public func description(in language: InterfaceLanguage) -> String {
    guard language == .korean else { return description }
    var plain = translated(to: language)
    // The place is written as in English, because editors read it.
    (plain.message, plain.remedy, plain.path) = ("", nil, nil)
    let place = plain.description.dropLast("\(severity.rawValue): ".count)
    let (text, cure) = (translated(to: language).message, translated(to: language).remedy)
    return place + "\(language.word(for: severity)): " + (path.map { "\($0): " } ?? "") + text
      + (cure.map { ". \($0)" } ?? "")
  }

  /// Whether every part of the diagnostic has a Korean translation; tests check that.
  var isTranslated: Bool {
    KoreanDiagnostics.translation(of: message) != nil
      && remedy.map { KoreanDiagnostics.translation(of: $0) != nil } ?? true
  }
}

/// The Korean texts of what lint reports.
///
/// Diagnostics are translated when they are shown and not where they are made, because logs and `--json` have them in
/// English, and because some come from the JSON reader, which serves `config.json` too.
enum KoreanDiagnostics {
  /// Returns the translation of a message or a remedy.
  static func translation(of text: String) -> String? {
    for entry in entries {
      if let values = entry.values(in: text) { return entry.korean(values) }
    }
    return nil
  }

  /// An English text and its translation, with `<1>` … `<9>` for what varies.
  private struct Entry {
    /// The text around the variable parts.
    let literals: [String]
    /// The numbers of the variable parts.
    let numbers: [Int]
    let translation: [Unicode.Scalar]

    init(_ english: String, _ korean: String) {
      var literals = [""]
      var numbers: [Int] = []
      var rest = Substring(english)
      while let (before, number, after) = Entry.firstHole(in: rest) {
        literals[literals.count - 1] += before
        numbers.append(number)
        literals.append("")
        rest = after
      }
      literals[literals.count - 1] += rest
      (self.literals, self.numbers) = (literals, numbers)
      translation = Array(korean.unicodeScalars)
    }

    private static func firstHole(in text: Substring) -> (before: Substring, number: Int, after: Substring)? {
      for index in text.indices where text[index] == "<" {
        let hole = text[index...].prefix(3)
        if hole.count == 3, hole.last == ">", let number = hole.dropFirst().first?.wholeNumberValue {
          return (text[..<index], number, text[hole.endIndex...])
        }
      }
      return nil
    }

    /// Returns the variable parts of a text by number; `nil` if the text is another one.
    func values(in text: String) -> [Int: String]? {
      guard text.hasPrefix(literals[0]) else { return nil }
      var rest = text.dropFirst(literals[0].count)
      var values: [Int: String] = [:]
      for (index, number) in numbers.enumerated() {
        let next = literals[index + 1]
        let isLast = index + 2 == literals.count
        if isLast {
          guard rest.hasSuffix(next), rest.count >= next.count else { return nil }
          values[number] = String(rest.dropLast(next.count))
          rest = ""
        } else {
          guard let found = rest.firstRange(of: next) else { return nil }
          values[number] = String(rest[..<found.lowerBound])
          rest = rest[found.upperBound...]
        }
      }
      return rest.isEmpty ? values : nil
    }

    /// Returns the translation with the variable parts, and the particles that fit them.
    func korean(_ values: [Int: String]) -> String {
      var text = String.UnicodeScalarView()
      var index = 0
      while index < translation.count {
        guard translation[index] == "<", index + 2 < translation.count, translation[index + 2] == ">",
          let number = translation[index + 1].properties.numericValue, let value = values[Int(number)]
        else {
          text.append(translation[index])
          index += 1
          continue
        }
        let written = KoreanDiagnostics.translation(of: value) ?? value
        text.append(contentsOf: written.unicodeScalars)
        index += 3
        if let particle = Particle.written(at: translation[index...]) {
          text.append(contentsOf: particle.form(after: LastSound.of(written)).unicodeScalars)
          index += particle.written.unicodeScalars.count
        }
      }
      return String(text)
    }
  }

  private static let entries = (declarations + tags + markdown + lookAlikes + particles + files + html + json)
    .map {
      Entry($0, $1)
    }
}
