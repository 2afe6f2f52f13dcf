extension FieldDecoder {
  /// `true` or `false`.
  func boolean() -> Bool? {
    guard case .boolean(let value) = node.value else {
      report(expected: "true or false")
      return nil
    }
    return value
  }

  /// One of the words of `choices`.
  func choice<Choice: RawRepresentable<String>>(_ choices: [Choice]) -> Choice? {
    guard let text = text() else { return nil }
    if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    report(
      "\(quoted(text)) is not one of them", remedy: remedy(forUnknown: text, among: choices.map(\.rawValue)))
    return nil
  }

  /// A whole number in `range`.
  func integer(_ range: ClosedRange<Int>) -> Int? {
    guard case .number(let text) = node.value, let number = Int(text), range.contains(number) else {
      report("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A duration in `range`, as in `"30s"`.
  func duration(_ range: ClosedRange<Duration>) -> Duration? {
    guard let text = text() else { return nil }
    guard let duration = Duration(configured: text) else {
      report("\(quoted(text)) is no duration", remedy: "write it as in \"500ms\", \"30s\", \"10m\" or \"1h\"")
      return nil
    }
    guard range.contains(duration) else {
      report(
        "\(quoted(text)) is out of range",
        remedy: "it may be from \(range.lowerBound.configurationText) to \(range.upperBound.configurationText)")
      return nil
    }
    return duration
  }
}
