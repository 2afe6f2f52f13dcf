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
}
