/// Why a text is not a date and time of RFC 3339.
public enum RFC3339Error: Error, Sendable, Hashable {
  /// The text breaks the form at `offset`.
  case syntax(offset: Int)
  /// The date, the time or the offset does not exist, as 30 February.
  case outOfRange
}

/// Dates and times of the Internet (RFC 3339): `2026-11-23T04:05:06.789+09:00`.
public enum RFC3339 {
  /// What a parser accepts besides the form of RFC 3339, section 5.6.
  public struct Leniency: OptionSet, Sendable, Hashable {
    /// The bits.
    public var rawValue: UInt8
    /// A set of bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A space in place of the `T` (RFC 3339, section 5.6, last note).
    public static let space = Leniency(rawValue: 1)
    /// No offset at all, which means UTC.
    public static let missingOffset = Leniency(rawValue: 2)
    /// Anything after the date and time.
    public static let trailingText = Leniency(rawValue: 4)
  }

  /// How digits below a millisecond are treated.
  public enum Rounding: Sendable, Hashable {
    /// They are dropped.
    case down
    /// The next millisecond is taken unless all of them are zero.
    case up
  }

  /// Parses a date and time of the years 0000 to 9999.
  ///
  /// `T` and `Z` may be lower-case. A fraction may have any number of digits, at least one. The second may be
  /// 60 at any minute, because tables of leap seconds become outdated. Rounding up may yield
  /// millisecond 1000.
  public static func parse(
    _ text: Span<UInt8>, _ leniency: Leniency = [], rounding: Rounding = .down
  ) throws(RFC3339Error) -> CivilDateTime {
    func field(_ offset: Int, _ digits: Int) throws(RFC3339Error) -> Int {
      guard let number = text.number(at: offset, digits: digits) else { throw .syntax(offset: offset) }
      return number
    }
    func expect(_ character: StaticString, at offset: Int) throws(RFC3339Error) {
      guard text.has(character, at: offset) else { throw .syntax(offset: offset) }
    }
    var date = CivilDateTime(year: try field(0, 4), month: 0, day: 0)
    try expect("-", at: 4)
    date.month = try field(5, 2)
    try expect("-", at: 7)
    date.day = try field(8, 2)
    guard
      text.has("T", at: 10) || text.has("t", at: 10)
        || leniency.contains(.space) && text.has(" ", at: 10)
    else { throw .syntax(offset: 10) }
    date.hour = try field(11, 2)
    try expect(":", at: 13)
    date.minute = try field(14, 2)
    try expect(":", at: 16)
    date.second = try field(17, 2)
    guard date.isInRange else { throw .outOfRange }

    var index = 19
    if text.has(".", at: index) {
      index += 1
      var scale = 100
      var isRounded = false
      _ = try field(index, 1)
      while let digit = text.number(at: index, digits: 1) {
        date.millisecond += digit * scale
        isRounded = isRounded || scale == 0 && digit > 0
        scale /= 10
        index += 1
      }
      if isRounded, rounding == .up { date.millisecond += 1 }
    }
    if text.has("Z", at: index) || text.has("z", at: index) {
      index += 1
    } else if text.has("+", at: index) || text.has("-", at: index) {
      let sign = text.has("-", at: index) ? -1 : 1
      let hours = try field(index + 1, 2)
      try expect(":", at: index + 3)
      let minutes = try field(index + 4, 2)
      guard hours < 24, minutes < 60 else { throw .outOfRange }
      date.offset = sign * (hours * 3_600 + minutes * 60)
      index += 6
    } else if !leniency.contains(.missingOffset) {
      throw .syntax(offset: index)
    }
    guard index == text.count || leniency.contains(.trailingText) else { throw .syntax(offset: index) }
    return date
  }

  /// Parses a date and time; see `parse(_:_:rounding:)`.
  public static func parse(
    _ text: String, _ leniency: Leniency = [], rounding: Rounding = .down
  ) throws(RFC3339Error) -> CivilDateTime {
    try parse(text.utf8Span.span, leniency, rounding: rounding)
  }

  /// Returns the moment in UTC, rounded down to the second: `2026-11-23T04:05:06Z`.
  ///
  /// google-auth reads this form as UTC. A year after 9999 has five digits or more.
  public static func string(millisecondsSince1970 milliseconds: Int64) -> String {
    let date = CivilDateTime(millisecondsSince1970: milliseconds)
    let pattern: StaticString = "yyyy-mm-ddThh:mm:ssZ"
    let text = String(unsafeUninitializedCapacity: pattern.utf8CodeUnitCount) { text in
      for i in 0..<pattern.utf8CodeUnitCount { text[i] = pattern.utf8Start[i] }
      text.putFourDigits(max(date.year, 0), at: 0)
      text.putTwoDigits(date.month, at: 5)
      text.putTwoDigits(date.day, at: 8)
      text.putTwoDigits(date.hour, at: 11)
      text.putTwoDigits(date.minute, at: 14)
      text.putTwoDigits(date.second, at: 17)
      return pattern.utf8CodeUnitCount
    }
    return 0...9_999 ~= date.year ? text : "\(date.year)" + text.dropFirst(4)
  }
}
