internal import PabalFormats

/// The type of a variable.
public enum VariableKind: String, Sendable, Hashable, Codable, CaseIterable {
  /// Text on one line.
  case text = "text"
  /// A code of 4 to 12 digits.
  case code = "code"
  /// An https, http or mailto URL.
  case url = "url"
  /// A duration.
  case duration = "duration"
  /// A point in time.
  case time = "time"
}

/// A parsed and validated value, not yet formatted for a language.
enum ValidValue: Sendable, Hashable {
  case text(String, reading: String?)
  case link(LinkAddress)
  case duration(seconds: Int64)
  case time(secondsSince1970: Int64, offset: Int)
}

/// Why a value is invalid.
struct InvalidValueError: Error, Hashable {
  let message: String
  let remedy: String
}

extension VariableKind {
  /// The maximum length of a value in bytes.
  static let maxByteCount = 8192

  /// Parses and validates a value.
  func validate(_ value: MessageValue) throws(InvalidValueError) -> ValidValue {
    switch value {
    case .text(let text, let reading):
      let composed = try VariableKind.check(text) ? text.composed : text
      guard let reading else { return try validate(composed, reading: nil) }
      return try validate(composed, reading: try VariableKind.check(reading) ? reading.composed : reading)
    case .duration(let duration):
      guard self == .duration else { throw typeMismatch("a duration") }
      return try VariableKind.validate(seconds: duration.components.seconds)
    case .time(let seconds, let offset):
      guard self == .time else { throw typeMismatch("a time") }
      return try VariableKind.validate(secondsSince1970: seconds, offset: offset)
    }
  }

  private func typeMismatch(_ valueName: String) -> InvalidValueError {
    InvalidValueError(message: "expected a \(rawValue), got \(valueName)", remedy: "pass a \(rawValue)")
  }

  private func validate(_ text: String, reading: String?) throws(InvalidValueError) -> ValidValue {
    switch self {
    case .text:
      guard text.utf8.contains(where: { $0 != 0x20 }) else {
        throw InvalidValueError(message: "empty", remedy: "enter some text")
      }
      return .text(text, reading: reading)
    case .code:
      guard (4...12).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        throw InvalidValueError(
          message: "not a code", remedy: "use 4 to 12 digits without spaces")
      }
      return .text(text, reading: reading)
    case .url:
      return .link(try LinkAddress(text))
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
    // At most a hundred years; more is likely a mistake in the unit.
    guard (0...3_155_760_000).contains(seconds) else {
      throw InvalidValueError(message: "not a duration", remedy: "use at most 100 years")
    }
    return .duration(seconds: seconds)
  }

  private static func validate(secondsSince1970 seconds: Int64, offset: Int) throws(InvalidValueError)
    -> ValidValue
  {
    // The years 0001 to 9999, and the largest offset in RFC 3339.
    guard (-62_135_596_800...253_402_300_799).contains(seconds), (-86_340...86_340).contains(offset) else {
      throw InvalidValueError(message: "not a time", remedy: "use a year from 1 to 9999")
    }
    return .time(secondsSince1970: seconds, offset: offset)
  }

  /// Parses `90s`, `10m`, `2h`, `3d` or a number of seconds.
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

  /// Rejects characters that could break a line, hide text or be mistaken for a placeholder; returns whether the text
  /// may have to be composed to NFC.
  private static func check(_ text: String) throws(InvalidValueError) -> Bool {
    var text = text
    var mayChange = false
    let found = text.withUTF8 { bytes -> InvalidValueError? in
      guard bytes.count <= VariableKind.maxByteCount else {
        return InvalidValueError(
          message: "longer than \(VariableKind.maxByteCount) bytes", remedy: "shorten it")
      }
      var index = 0
      while index < bytes.count {
        let byte = bytes[index]
        switch byte {
        case 0x20..<0x7F: index += 1
        // Most Hangul syllables, which need no further checks.
        case 0xEB...0xED: index += 3
        case 0x00..<0x20, 0x7F: return forbiddenCharacterError(UInt32(byte))
        case 0xC2:
          if bytes[index + 1] < 0xA0 { return forbiddenCharacterError(UInt32(bytes[index + 1])) }
          index += 2
        default:
          mayChange = mayChange || UnicodeComposition.mayChange(bytes, at: index)
          if byte == 0xE2 || byte == 0xEE || byte == 0xEF {
            let scalar =
              UInt32(byte & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6
              | UInt32(bytes[index + 2] & 0x3F)
            if isForbidden(scalar) { return forbiddenCharacterError(scalar) }
          }
          index += byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        }
      }
      return nil
    }
    if let found { throw found }
    return mayChange
  }

  /// Whether a scalar is a line or paragraph separator, a bidirectional control or a private-use character.
  private static func isForbidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x2028...0x202E, 0x2066...0x2069, SourceText.placeholders: true
    default: false
    }
  }

  private static func forbiddenCharacterError(_ scalar: UInt32) -> InvalidValueError {
    let name = Unicode.Scalar(scalar)?.codePoint ?? ""
    return InvalidValueError(message: "contains the character \(name)", remedy: "remove it")
  }
}

/// A value for a message variable.
public enum MessageValue: Sendable, Hashable, ExpressibleByStringLiteral {
  /// A value of any kind in written form (`10m`, `2026-01-02T15:24:00+09:00`). `reading` is its pronunciation in
  /// Hangul, which selects the Korean particles after it.
  case text(String, reading: String? = nil)
  /// A duration, shown in the mail's language and rounded down to whole units.
  case duration(Duration)
  /// A point in time, in seconds since 1970-01-01T00:00:00Z, shown with an offset in seconds east of UTC.
  case time(secondsSince1970: Int64, offsetFromUTC: Int)

  /// Creates a text value.
  public init(stringLiteral value: String) { self = .text(value) }
}

extension MessageValue {
  /// Converts written values; a key `name.reading` is the Korean reading of the text `name`.
  public static func values(_ written: [String: String]) -> [String: MessageValue] {
    var values: [String: MessageValue] = [:]
    for (name, text) in written {
      // A reading without its text stays a separate value, which rendering rejects by name.
      if name.hasSuffix(readingSuffix), written[String(name.dropLast(readingSuffix.count))] != nil {
        continue
      }
      values[name] = .text(text, reading: written[name + readingSuffix])
    }
    return values
  }

  /// The suffix of a reading's key where values are plain strings.
  static let readingSuffix = ".reading"
}
