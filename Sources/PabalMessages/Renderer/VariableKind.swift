internal import PabalFormats

/// What a variable holds.
public enum VariableKind: String, Sendable, Hashable, Codable, CaseIterable {
  /// Words, on one line.
  case text = "text"
  /// A code of 4 to 12 digits.
  case code = "code"
  /// An https, http or mailto address.
  case url = "url"
  /// A length of time.
  case duration = "duration"
  /// A moment of the day.
  case time = "time"
}

/// A value read and found fit for its kind, not yet in any language.
enum ValidValue: Sendable, Hashable {
  case text(String, reading: String?)
  case duration(seconds: Int64)
  case time(secondsSince1970: Int64, offset: Int)
}

/// Why a value does not fit; one sentence without its full stop.
struct InvalidValueError: Error, Hashable {
  let message: String
  let remedy: String
}

extension VariableKind {
  /// The most bytes a value may hold.
  static let bytes = 8192

  /// The value, read and checked.
  func validate(_ value: MessageValue) throws(InvalidValueError) -> ValidValue {
    switch value {
    case .text(let text, let reading):
      try VariableKind.check(text)
      if let reading { try VariableKind.check(reading) }
      return try validate(text, reading: reading)
    case .duration(let duration):
      guard self == .duration else { throw typeMismatch("a duration") }
      return try VariableKind.validate(seconds: duration.components.seconds)
    case .time(let seconds, let offset):
      guard self == .time else { throw typeMismatch("a time") }
      return try VariableKind.validate(secondsSince1970: seconds, offset: offset)
    }
  }

  private func typeMismatch(_ valueName: String) -> InvalidValueError {
    InvalidValueError(message: "\(valueName) where a \(rawValue) belongs", remedy: "give a \(rawValue)")
  }

  private func validate(_ text: String, reading: String?) throws(InvalidValueError) -> ValidValue {
    switch self {
    case .text:
      guard text.utf8.contains(where: { $0 != 0x20 }) else {
        throw InvalidValueError(message: "empty", remedy: "give it a text")
      }
      return .text(text, reading: reading)
    case .code:
      guard (4...12).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        throw InvalidValueError(
          message: "not a code", remedy: "give 4 to 12 digits with nothing between them")
      }
      return .text(text, reading: reading)
    case .url:
      guard URLScheme.isURL(text) else {
        throw InvalidValueError(
          message: "not an address", remedy: "give one that begins with https://, http:// or mailto:")
      }
      return .text(text, reading: reading)
    case .duration:
      guard let seconds = VariableKind.seconds(text) else {
        throw InvalidValueError(message: "not a duration", remedy: "write it as 90s, 10m, 2h or 3d")
      }
      return try VariableKind.validate(seconds: seconds)
    case .time:
      guard let time = try? RFC3339.parse(text, .space), time.year >= 1 else {
        throw InvalidValueError(message: "not a time", remedy: "write it as 2026-01-02T15:24:00+09:00")
      }
      return try VariableKind.validate(secondsSince1970: time.secondsSince1970, offset: time.offset)
    }
  }

  private static func validate(seconds: Int64) throws(InvalidValueError) -> ValidValue {
    // A hundred years: more is a slip of units.
    guard (0...3_155_760_000).contains(seconds) else {
      throw InvalidValueError(message: "not a duration", remedy: "give 0 seconds to 100 years")
    }
    return .duration(seconds: seconds)
  }

  private static func validate(secondsSince1970 seconds: Int64, offset: Int) throws(InvalidValueError)
    -> ValidValue
  {
    // The years 0001 to 9999, and the widest offset RFC 3339 can write.
    guard (-62_135_596_800...253_402_300_799).contains(seconds), (-86_340...86_340).contains(offset) else {
      throw InvalidValueError(message: "not a time", remedy: "give a moment of the years 1 to 9999")
    }
    return .time(secondsSince1970: seconds, offset: offset)
  }

  /// The seconds in `90s`, `10m`, `2h`, `3d`, or bare seconds.
  static func seconds(_ text: String) -> Int64? {
    var digits = Substring(text)
    var unit: Int64 = 1
    switch text.last {
    case "s": digits.removeLast()
    case "m": (digits, unit) = (digits.dropLast(), 60)
    case "h": (digits, unit) = (digits.dropLast(), 3600)
    case "d": (digits, unit) = (digits.dropLast(), 86_400)
    default: break
    }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int64(digits)
    else { return nil }
    let (seconds, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow ? nil : seconds
  }

  /// Refuses what could break a line, hide text or pass for a placeholder.
  private static func check(_ text: String) throws(InvalidValueError) {
    var text = text
    let found = text.withUTF8 { bytes -> InvalidValueError? in
      guard bytes.count <= VariableKind.bytes else {
        return InvalidValueError(
          message: "longer than \(VariableKind.bytes) octets", remedy: "give a shorter one")
      }
      var index = 0
      while index < bytes.count {
        let byte = bytes[index]
        if byte < 0x20 || byte == 0x7F { return forbiddenCharacterError(UInt32(byte)) }
        if byte < 0xC2 || byte > 0xEF {
          index += 1
          continue
        }
        if byte == 0xC2, bytes[index + 1] < 0xA0 {
          return forbiddenCharacterError(UInt32(bytes[index + 1]))
        }
        if byte == 0xE2 || byte >= 0xEE {
          let scalar =
            UInt32(byte & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6
            | UInt32(bytes[index + 2] & 0x3F)
          if isForbidden(scalar) { return forbiddenCharacterError(scalar) }
        }
        index += byte < 0xE0 ? 2 : 3
      }
      return nil
    }
    if let found { throw found }
  }

  /// Line and paragraph separators, overrides of the reading direction, private use.
  private static func isForbidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x2028...0x202E, 0x2066...0x2069, SourceText.placeholders: true
    default: false
    }
  }

  private static func forbiddenCharacterError(_ scalar: UInt32) -> InvalidValueError {
    let name = Unicode.Scalar(scalar)?.codePoint ?? ""
    return InvalidValueError(message: "holds the character \(name)", remedy: "take it out")
  }
}

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

/// The addresses that may stand behind a link in a mail.
enum URLScheme {
  /// Whether `text` is an https, http or mailto address without blanks.
  static func isURL(_ text: String) -> Bool {
    guard let rest = afterScheme(text) else { return false }
    return !rest.isEmpty && !rest.utf8.contains(0x20)
  }

  /// What follows `https://`, `http://` or `mailto:`; `nil` where none of them begins it.
  static func afterScheme(_ text: String, mail: Bool = true) -> Substring? {
    for scheme in mail ? ["https://", "http://", "mailto:"] : ["https://", "http://"] {
      let start = text.prefix(scheme.count)
      if start.lowercased() == scheme { return text[start.endIndex...] }
    }
    return nil
  }
}
