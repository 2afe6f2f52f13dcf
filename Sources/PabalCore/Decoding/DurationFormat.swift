extension Duration {
  /// Parses `"500ms"`, `"30s"`, `"10m"` or `"1h"`; `nil` for any other text and on overflow.
  package init?(configured text: String) {
    guard let milliseconds = Duration.milliseconds(configured: text) else { return nil }
    self = .milliseconds(milliseconds)
  }

  /// The milliseconds of a text such as `"30s"`; `nil` for any other text and on overflow.
  static func milliseconds(configured text: String) -> Int64? {
    let digits = text.prefix { "0"..."9" ~= $0 && $0.isASCII }
    let factor: Int64
    switch text[digits.endIndex...] {
    case "ms": factor = 1
    case "s": factor = 1000
    case "m": factor = 60_000
    case "h": factor = 3_600_000
    default: return nil
    }
    guard let number = Int64(digits) else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : product
  }

  /// The duration as the configuration writes it, in its largest whole unit: `30s`, `50ms`.
  package var configurationText: String {
    let (seconds, attoseconds) = components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    if milliseconds % 1000 != 0 || milliseconds == 0 { return "\(milliseconds)ms" }
    if seconds % 3600 == 0 { return "\(seconds / 3600)h" }
    return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s"
  }

  /// What to do about a text or number that isn't a duration: the form it was most likely meant in, or examples.
  ///
  /// A number without a unit is in seconds, unless only milliseconds are in `range`.
  package static func remedy(forInvalid written: String, in range: ClosedRange<Duration>? = nil) -> String {
    guard let meant = meant(by: written, in: range) else {
      return #"write it like "500ms", "30s", "10m" or "1h""#
    }
    return "write \"\(meant.configurationText)\""
  }

  /// Reads a duration in one of the forms that people use elsewhere, for a suggestion: `600`, `10 min`, `1.5h`, `1d`, `1h30m`, `PT10M`, `10분`.
  package static func meant(by written: String, in range: ClosedRange<Duration>? = nil) -> Duration? {
    var rest = Substring(written.trimmed.lowercased())
    guard rest.utf8.count <= 64 else { return nil }
    // ISO 8601: PT10M, P1D.
    if rest.first == "p" { rest = rest.dropFirst().drop { $0 == "t" } }
    var milliseconds = 0.0
    var count = 0
    while !rest.isEmpty {
      let digits = rest.prefix { "0"..."9" ~= $0 || $0 == "." }
      rest = rest[digits.endIndex...].drop { $0 == " " }
      let unit = rest.prefix { !("0"..."9" ~= $0) && $0 != " " && $0 != "." }
      rest = rest[unit.endIndex...].drop { $0 == " " || $0 == "t" }
      guard let number = Double(digits), let factor = factor(ofUnit: unit) else { return nil }
      milliseconds += number * factor
      count += 1
      guard !unit.isEmpty || rest.isEmpty && count == 1 else { return nil }
      guard unit.isEmpty, let range, number >= 1, number < 1e15 else { continue }
      // 30000 for a setting that takes 1s to 1h.
      let (asSeconds, asMilliseconds) = (
        Duration.seconds(Int64(number)), Duration.milliseconds(Int64(number))
      )
      if !range.contains(asSeconds), range.contains(asMilliseconds) { return asMilliseconds }
    }
    let rounded = milliseconds.rounded()
    return (1..<1e15).contains(rounded) ? .milliseconds(Int64(rounded)) : nil
  }

  /// The milliseconds of a unit as people write it; seconds for none.
  private static func factor(ofUnit unit: Substring) -> Double? {
    switch unit {
    case "ms", "msec", "millis", "millisecond", "milliseconds", "밀리초": 1
    case "", "s", "sec", "secs", "second", "seconds", "초": 1000
    case "m", "min", "mins", "minute", "minutes", "분": 60_000
    case "h", "hr", "hrs", "hour", "hours", "시간": 3_600_000
    case "d", "day", "days", "일": 86_400_000
    case "w", "week", "weeks", "주": 604_800_000
    default: nil
    }
  }
}
