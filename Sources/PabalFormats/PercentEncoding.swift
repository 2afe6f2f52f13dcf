/// Why a text is not percent-encoded.
public struct PercentEncodingError: Error, Sendable, Hashable {
  /// The offset of the `%` that is not followed by two hexadecimal digits.
  public var offset: Int
}

/// Percent-encoding (RFC 3986, section 2.1).
public enum PercentEncoding {
  /// The ASCII characters that an encoder leaves as they are.
  public struct AllowedCharacters: Sendable, Hashable {
    private let low: UInt64
    private let high: UInt64

    private init(_ characters: StaticString) {
      var low: UInt64 = 0
      var high: UInt64 = 0
      for i in 0..<characters.utf8CodeUnitCount {
        let byte = characters.utf8Start[i]
        if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
      }
      (self.low, self.high) = (low, high)
    }

    /// Whether `byte` is one of them.
    public func contains(_ byte: UInt8) -> Bool {
      // A shift by 64 and more gives 0, and so no byte above 127 is in the set.
      (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte - 64)) & 1 != 0
    }

    /// The unreserved characters (RFC 3986, section 2.3): for a value in a path segment, a query or a form.
    public static let unreserved = AllowedCharacters(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    /// Unreserved and reserved characters and `%`, but not `'`: for a whole URI, which keeps its shape and
    /// can stand in an HTML attribute between either kind of quotes.
    public static let uri = AllowedCharacters(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&()*+,;=%")
  }

  /// Appends `byte`, encoded unless it is allowed.
  public static func append(_ byte: UInt8, allowing allowed: AllowedCharacters, to bytes: inout [UInt8]) {
    guard !allowed.contains(byte) else {
      bytes.append(byte)
      return
    }
    bytes.append(UInt8(ascii: "%"))
    bytes.append(Hexadecimal.upperCaseDigit(byte >> 4))
    bytes.append(Hexadecimal.upperCaseDigit(byte & 15))
  }

  /// Appends `source` with every byte encoded that is not allowed; hexadecimal digits are upper-case.
  public static func append(
    _ source: Span<UInt8>, allowing allowed: AllowedCharacters, to bytes: inout [UInt8]
  ) {
    for index in source.indices { append(source[index], allowing: allowed, to: &bytes) }
  }

  /// Returns `text` with every byte of its UTF-8 encoded that is not allowed.
  public static func encode(_ text: String, allowing allowed: AllowedCharacters) -> String {
    var bytes: [UInt8] = []
    append(text.utf8Span.span, allowing: allowed, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Returns the decoded bytes.
  ///
  /// In a form or query (`application/x-www-form-urlencoded`) `+` is a space: `plusIsSpace`.
  public static func decode(
    _ source: Span<UInt8>, plusIsSpace: Bool = false
  ) throws(PercentEncodingError) -> [UInt8] {
    let (bytes, malformed) = decode(source, plusIsSpace)
    if let malformed { throw PercentEncodingError(offset: malformed) }
    return bytes
  }

  /// Returns the decoded text of a form's or query's name or value, where `+` is a space.
  ///
  /// A `%` without two digits stays as it is, and what is not UTF-8 becomes U+FFFD, as browsers do it.
  public static func decodeForm(_ text: String) -> String {
    String(decoding: decode(text.utf8Span.span, true).bytes, as: UTF8.self)
  }

  /// Returns the decoded bytes and the offset of the first `%` that is not followed by two digits.
  private static func decode(
    _ source: Span<UInt8>, _ plusIsSpace: Bool
  ) -> (bytes: [UInt8], malformed: Int?) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(source.count)
    var malformed: Int?
    var index = 0
    while index < source.count {
      let byte = source[index]
      if byte == UInt8(ascii: "%") {
        if index + 2 < source.count, let high = Hexadecimal.value(ofDigit: source[index + 1]),
          let low = Hexadecimal.value(ofDigit: source[index + 2])
        {
          bytes.append(high << 4 | low)
          index += 3
          continue
        }
        malformed = malformed ?? index
      }
      bytes.append(byte == UInt8(ascii: "+") && plusIsSpace ? UInt8(ascii: " ") : byte)
      index += 1
    }
    return (bytes, malformed)
  }
}

/// Hexadecimal digits.
public enum Hexadecimal {
  /// The value of an ASCII digit, `0` to `9`, `a` to `f` or `A` to `F`; `nil` for any other byte.
  ///
  /// Unlike `UInt8(_:radix:)` it accepts no sign.
  public static func value(ofDigit digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Returns two lower-case digits for every byte.
  public static func string(_ bytes: Span<UInt8>) -> String {
    String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
      for index in bytes.indices {
        text[2 * index] = lowerCaseDigit(bytes[index] >> 4)
        text[2 * index + 1] = lowerCaseDigit(bytes[index] & 15)
      }
      return 2 * bytes.count
    }
  }

  /// The bytes that pairs of digits stand for; `nil` if there is another character or a digit is left over.
  public static func bytes(_ text: Span<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    for index in stride(from: 0, to: text.count, by: 2) {
      guard let high = value(ofDigit: text[index]), let low = value(ofDigit: text[index + 1]) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  static func lowerCaseDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  static func upperCaseDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
  }
}
