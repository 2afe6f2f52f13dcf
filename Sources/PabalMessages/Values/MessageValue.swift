/// A value for a variable of a message.
public enum MessageValue: Sendable, Hashable, ExpressibleByStringLiteral {
  /// A text, code, URL, or any kind as a person writes it (`10m`, `2026-01-02T15:24:00+09:00`);
  /// `reading` is how a Korean reads it aloud, for the particles after it.
  case text(String, reading: String? = nil)
  /// A length of time, shown in the mail's language and floored to whole units.
  case duration(Duration)
  /// A moment, in seconds since 1970-01-01T00:00:00Z, shown at this many seconds east of UTC.
  case time(secondsSince1970: Int64, offsetFromUTC: Int)

  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
}

extension MessageValue {
  /// Values as a person writes them, a Korean reading beside its text as `name.reading`.
  public static func values(_ written: [String: String]) -> [String: MessageValue] {
    var values: [String: MessageValue] = [:]
    for (name, text) in written {
      // A reading without its text stays a value of its own, which rendering refuses by name.
      if name.hasSuffix(readingSuffix), written[String(name.dropLast(readingSuffix.count))] != nil {
        continue
      }
      values[name] = .text(text, reading: written[name + readingSuffix])
    }
    return values
  }

  /// What follows a variable's name where a door takes only strings.
  static let readingSuffix = ".reading"
}
