/// Why a text is not Base64 in the form that was asked for.
public enum Base64Error: Error, Sendable, Hashable {
  /// The byte at `offset` is not a digit of the alphabet.
  case invalidCharacter(offset: Int)
  /// The padding that begins at `offset`, or should, is missing, misplaced or of the wrong length.
  case invalidPadding(offset: Int)
  /// The last digit has bits that belong to no byte and are not zero, or stands alone.
  case trailingBits
}

/// Base64 (RFC 4648, sections 4 and 5).
public enum Base64 {
  /// The digits for the values 62 and 63.
  public enum Alphabet: Sendable, Hashable {
    /// `+` and `/` (RFC 4648, section 4).
    case standard
    /// `-` and `_` (RFC 4648, section 5), for URLs and file names.
    case urlSafe

    // A static string is part of the program's data: it needs no initialisation, and a six-bit index no
    // bounds check.
    fileprivate var digits: UnsafePointer<UInt8> {
      switch self {
      case .standard:
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" as StaticString).utf8Start
      case .urlSafe:
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" as StaticString).utf8Start
      }
    }
  }

  /// What a decoder accepts besides digits.
  public struct DecodingOptions: Sendable, Hashable {
    /// Which digits stand for 62 and 63.
    public enum Digits: Sendable, Hashable {
      /// `+` and `/`.
      case standard
      /// `-` and `_`.
      case urlSafe
      /// All four, even mixed.
      case either
    }

    /// Where `=` may stand.
    public enum Padding: Sendable, Hashable {
      /// At the end, and the digits and `=` together are a multiple of four.
      case required
      /// As `required`, or no `=` at all.
      case optional
      /// Any number of `=` at the end, none included.
      case anyLength
      /// Anywhere; `=` means nothing.
      case ignored
    }

    /// Which digits stand for 62 and 63.
    public var digits: Digits
    /// Where `=` may stand.
    public var padding: Padding
    /// Whether space, tab, CR and LF are skipped.
    public var skipsWhitespace: Bool
    /// Whether bits after the last whole byte are dropped, whatever they are.
    public var dropsTrailingBits: Bool

    /// Options that are the strictest by default: RFC 4648, section 4, with padding and nothing else.
    public init(
      digits: Digits = .standard, padding: Padding = .required, skipsWhitespace: Bool = false,
      dropsTrailingBits: Bool = false
    ) {
      self.digits = digits
      self.padding = padding
      self.skipsWhitespace = skipsWhitespace
      self.dropsTrailingBits = dropsTrailingBits
    }

    /// RFC 4648, section 4: padded, no white space, unused bits zero.
    public static let strict = DecodingOptions()
    /// As mail is found to have it (RFC 2045, section 6.8; RFC 2047): white space is skipped, padding may be
    /// missing, unused bits are dropped.
    public static let mime = DecodingOptions(
      padding: .anyLength, skipsWhitespace: true, dropsTrailingBits: true)
  }

  /// The number of characters that encode `byteCount` bytes on one line, with padding.
  public static func encodedCount(of byteCount: Int) -> Int { (byteCount + 2) / 3 * 4 }

  /// The number of characters that encode `byteCount` bytes in lines of 76, with each line's CRLF.
  public static func encodedCount(inLines byteCount: Int) -> Int {
    (byteCount + 2) / 3 * 4 + (byteCount + 56) / 57 * 2
  }

  /// Appends the encoded bytes on one line.
  public static func append(
    _ source: Span<UInt8>, alphabet: Alphabet = .standard, isPadded: Bool = true, to bytes: inout [UInt8]
  ) {
    let length = isPadded ? encodedCount(of: source.count) : (source.count * 4 + 2) / 3
    let digits = alphabet.digits
    bytes.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
      output.withUnsafeMutableBufferPointer { buffer, count in
        source.withUnsafeBufferPointer { source in
          guard let target = buffer.baseAddress, let base = source.baseAddress else { return }
          _ = encode(base, source.count, digits, isPadded: isPadded, to: target)
          count = length
        }
      }
    }
  }

  /// Appends the encoded bytes in lines of 76 characters, each ended by CRLF (RFC 2045, section 6.8).
  public static func append(lines source: Span<UInt8>, to bytes: inout [UInt8]) {
    let length = encodedCount(inLines: source.count)
    let digits = Alphabet.standard.digits
    bytes.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
      output.withUnsafeMutableBufferPointer { buffer, count in
        source.withUnsafeBufferPointer { source in
          // One pointer for many short steps, because an append for each takes three times as long.
          guard var target = buffer.baseAddress, let base = source.baseAddress else { return }
          var start = 0
          while start < source.count {
            let next = min(start + 57, source.count)
            target = encode(base + start, next - start, digits, isPadded: true, to: target)
            target[0] = 0x0D
            target[1] = 0x0A
            target += 2
            start = next
          }
          count = length
        }
      }
    }
  }

  /// Returns the encoded bytes on one line.
  public static func encode(
    _ source: Span<UInt8>, alphabet: Alphabet = .standard, isPadded: Bool = true
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    append(source, alphabet: alphabet, isPadded: isPadded, to: &bytes)
    return bytes
  }

  /// Returns the encoded bytes on one line, as text.
  public static func string(
    _ source: Span<UInt8>, alphabet: Alphabet = .standard, isPadded: Bool = true
  ) -> String {
    String(decoding: encode(source, alphabet: alphabet, isPadded: isPadded), as: UTF8.self)
  }

  /// Writes four digits for every three bytes and returns the place after them.
  private static func encode(
    _ source: UnsafePointer<UInt8>, _ count: Int, _ digits: UnsafePointer<UInt8>, isPadded: Bool,
    to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var target = start
    var i = 0
    // One load for three bytes and the one after them: a twentieth fewer instructions than three loads.
    let raw = UnsafeRawPointer(source)
    while i + 3 < count {
      let group = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: i, as: UInt32.self))
      target[0] = digits[Int(group >> 26)]
      target[1] = digits[Int(group >> 20 & 63)]
      target[2] = digits[Int(group >> 14 & 63)]
      target[3] = digits[Int(group >> 8 & 63)]
      target += 4
      i += 3
    }
    let rest = count - i
    guard rest > 0 else { return target }
    let group =
      Int(source[i]) << 16 | (rest > 1 ? Int(source[i + 1]) << 8 : 0) | (rest > 2 ? Int(source[i + 2]) : 0)
    target[0] = digits[group >> 18]
    target[1] = digits[group >> 12 & 63]
    if rest > 1 { target[2] = digits[group >> 6 & 63] }
    if rest > 2 { target[3] = digits[group & 63] }
    guard isPadded else { return target + rest + 1 }
    if rest < 2 { target[2] = UInt8(ascii: "=") }
    if rest < 3 { target[3] = UInt8(ascii: "=") }
    return target + 4
  }

  /// Returns the bytes that `text` encodes.
  public static func decode(
    _ text: Span<UInt8>, _ options: DecodingOptions = .strict
  ) throws(Base64Error) -> [UInt8] {
    // A local copy: typed errors do not cross the closure that fills an array's storage.
    var failure: Base64Error?
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { target, count in
      text.withUnsafeBufferPointer { text in
        do throws(Base64Error) {
          count = try decode(text, options, to: target)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Decodes `text` and returns the number of bytes written, at most three for every four digits begun.
  private static func decode(
    _ text: UnsafeBufferPointer<UInt8>, _ options: DecodingOptions,
    to target: UnsafeMutableBufferPointer<UInt8>
  ) throws(Base64Error) -> Int {
    var written = 0
    var pending: UInt32 = 0
    var bits: UInt32 = 0
    var digits = 0
    var padding = 0
    for offset in text.indices {
      let byte = text[offset]
      guard let value = value(of: byte, options.digits) else {
        switch byte {
        case UInt8(ascii: "=") where options.padding == .ignored: continue
        case UInt8(ascii: "="): padding += 1
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
          guard options.skipsWhitespace else { throw .invalidCharacter(offset: offset) }
        default: throw .invalidCharacter(offset: offset)
        }
        continue
      }
      guard padding == 0 else { throw .invalidPadding(offset: offset) }
      digits += 1
      pending = (pending << 6 | UInt32(value)) & 0xFFFF
      bits += 6
      if bits >= 8 {
        bits -= 8
        target[written] = UInt8(truncatingIfNeeded: pending >> bits)
        written += 1
      }
    }
    let isComplete = (digits + padding) % 4 == 0 && padding <= 2
    switch options.padding {
    case .required: guard isComplete else { throw .invalidPadding(offset: text.count - padding) }
    case .optional:
      guard isComplete || padding == 0 else { throw .invalidPadding(offset: text.count - padding) }
    case .anyLength, .ignored: break
    }
    if !options.dropsTrailingBits {
      guard bits < 6, pending & (1 << bits - 1) == 0 else { throw .trailingBits }
    }
    return written
  }

  private static func value(of digit: UInt8, _ digits: DecodingOptions.Digits) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+") where digits != .urlSafe, UInt8(ascii: "-") where digits != .standard: 62
    case UInt8(ascii: "/") where digits != .urlSafe, UInt8(ascii: "_") where digits != .standard: 63
    default: nil
    }
  }
}
