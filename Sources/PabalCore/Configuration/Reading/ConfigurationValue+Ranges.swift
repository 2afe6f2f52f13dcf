extension ConfigurationValue {
  /// `true` or `false`.
  func boolean() -> Bool? {
    guard case .boolean(let value) = node.value else {
      complain(expected: "true or false")
      return nil
    }
    return value
  }

  /// One of the words of `choices`.
  func choice<Choice: RawRepresentable<String>>(_ choices: [Choice]) -> Choice? {
    guard let text = text() else { return nil }
    if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    complain(
      "\(quoted(text)) is not one of them", cure: cure(forUnknown: text, among: choices.map(\.rawValue)))
    return nil
  }

  /// A whole number in `range`.
  func whole(_ range: ClosedRange<Int>) -> Int? {
    guard case .number(let text) = node.value, let number = Int(text), range.contains(number) else {
      complain("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A duration in `range`, as in `"30s"`.
  func duration(_ range: ClosedRange<Duration>) -> Duration? {
    guard let text = text() else { return nil }
    guard let duration = Duration(configured: text) else {
      complain("\(quoted(text)) is no duration", cure: "write it as in \"500ms\", \"30s\", \"10m\" or \"1h\"")
      return nil
    }
    guard range.contains(duration) else {
      complain(
        "\(quoted(text)) is out of range",
        cure: "it may be from \(range.lowerBound.configuredText) to \(range.upperBound.configuredText)")
      return nil
    }
    return duration
  }
}
