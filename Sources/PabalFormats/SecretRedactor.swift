/// Replaces secrets in a text that someone else wrote and that may repeat them.
///
/// Everything is compared byte by byte: as characters, a secret before a combining mark would not be found.
/// No description, debugger or `dump` shows the secrets.
public struct SecretRedactor: Sendable {
  /// The forms of a secret that are recognised besides itself.
  public struct Forms: OptionSet, Sendable, Hashable {
    /// The bits.
    public var rawValue: UInt8
    /// A set of bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Any eight consecutive bytes of the secret or of its Base64; not of percent-encoded forms.
    public static let fragments = Forms(rawValue: 1)
    /// Its standard Base64 (RFC 4648, section 4), also within the Base64 of something longer: there it has
    /// three forms, one for each place in a group of three bytes where it can begin.
    public static let base64 = Forms(rawValue: 2)
    /// Percent-encoding (RFC 3986, section 2.1) of any of its bytes, once or twice, and `+` for a space.
    public static let percentEncoded = Forms(rawValue: 4)
  }

  /// The length in bytes from which a secret, or a form of it, is replaced. A shorter one occurs in other text by
  /// accident: replacing it would make errors unreadable and would show where, and so what, the secret is.
  public static let minimumLength = 8

  private static let fragmentLength = 8
  private static let hintBits = 1 << 16

  private let replacement: [UInt8]
  private var wholes: [WholeSecret] = []
  private var fragments: Set<UInt64> = []
  // A bit for the hash of each fragment. Nearly every text has none of them, and finding that out costs one
  // multiplication for each byte.
  private var hints: [UInt64] = []

  /// A redactor without secrets; `replacement` takes the place of each that is found.
  public init(replacement: String) { self.replacement = Array(replacement.utf8) }

  /// Adds a secret in these forms. A form shorter than `minimumLength` is ignored.
  public mutating func add(_ secret: [UInt8], as forms: Forms = []) {
    guard !secret.isEmpty else { return }
    addForm(secret, forms)
    guard forms.contains(.base64) else { return }
    addForm(Base64.encode(secret.span), forms)
    for lead in 1...2 {
      let bytes = [UInt8](repeating: 0, count: lead) + secret
      let digits = Base64.encode(bytes.span)
      // Only the digits that depend on nothing but the secret; each has six bits.
      addForm(Array(digits[(lead + 1)..<((lead + secret.count) * 8 / 6)]), forms)
    }
  }

  private mutating func addForm(_ form: [UInt8], _ forms: Forms) {
    guard form.count >= Self.minimumLength else { return }
    let hasFragments = forms.contains(.fragments)
    if hasFragments { addFragments(form) }
    // A secret is found by its fragments already, unless it is percent-encoded.
    if !hasFragments || forms.contains(.percentEncoded) {
      wholes.append(WholeSecret(bytes: form, isPercentEncoded: forms.contains(.percentEncoded)))
    }
  }

  private mutating func addFragments(_ secret: [UInt8]) {
    if hints.isEmpty { hints = [UInt64](repeating: 0, count: Self.hintBits / 64) }
    var window: UInt64 = 0
    for (index, byte) in secret.enumerated() {
      window = window << 8 | UInt64(byte)
      guard index >= Self.fragmentLength - 1 else { continue }
      fragments.insert(window)
      let hint = Self.hint(window)
      hints[hint >> 6] |= 1 << UInt64(hint & 63)
    }
  }

  private static func hint(_ fragment: UInt64) -> Int {
    // Fibonacci hashing; the upper 16 bits depend on all of the fragment.
    Int(truncatingIfNeeded: (fragment &* 0x9E37_79B9_7F4A_7C15) >> 48)
  }

  /// Whether there is nothing to replace.
  public var isEmpty: Bool { wholes.isEmpty && fragments.isEmpty }

  /// Returns the text with the replacement for each secret, and one for secrets that overlap or touch.
  public func redact(_ text: String) -> String {
    if isEmpty { return text }
    let bytes = text.utf8Span.span
    guard mayContainSecret(bytes) else { return text }
    let ranges = secretRanges(bytes)
    guard !ranges.isEmpty else { return text }
    var redacted: [UInt8] = []
    redacted.reserveCapacity(bytes.count)
    var end = -1
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > end {
        for index in max(end, 0)..<range.lowerBound { redacted.append(bytes[index]) }
        redacted += replacement
      }
      end = max(end, range.upperBound)
    }
    for index in end..<bytes.count { redacted.append(bytes[index]) }
    return String(decoding: redacted, as: UTF8.self)
  }

  /// False if no secret is in the text; true if one may be.
  private func mayContainSecret(_ bytes: Span<UInt8>) -> Bool {
    if !hints.isEmpty {
      var window: UInt64 = 0
      for index in bytes.indices {
        window = window << 8 | UInt64(bytes[index])
        guard index >= Self.fragmentLength - 1 else { continue }
        let hint = Self.hint(window)
        if hints[hint >> 6] & (1 << UInt64(hint & 63)) != 0 { return true }
      }
    }
    for whole in wholes {
      for index in bytes.indices where whole.end(in: bytes, from: index) != nil { return true }
    }
    return false
  }

  private func secretRanges(_ bytes: Span<UInt8>) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    if !fragments.isEmpty {
      var window: UInt64 = 0
      for index in bytes.indices {
        window = window << 8 | UInt64(bytes[index])
        if index >= Self.fragmentLength - 1, fragments.contains(window) {
          ranges.append((index + 1 - Self.fragmentLength)..<(index + 1))
        }
      }
    }
    for whole in wholes {
      for index in bytes.indices {
        if let end = whole.end(in: bytes, from: index) { ranges.append(index..<end) }
      }
    }
    return ranges
  }
}

/// A secret, or a form of it, that is recognised only as a whole.
private struct WholeSecret {
  /// At least one.
  let bytes: [UInt8]
  /// Whether each of its bytes may be percent-encoded.
  let isPercentEncoded: Bool

  /// The end of the secret if it begins at `start`.
  func end(in text: Span<UInt8>, from start: Int) -> Int? {
    guard isPercentEncoded else {
      guard start + bytes.count <= text.count, text[start] == bytes[0] else { return nil }
      for index in 1..<bytes.count where text[start + index] != bytes[index] { return nil }
      return start + bytes.count
    }
    return encodedEnd(of: 0, in: text, from: start)
  }

  /// The end of the secret's bytes from `place` on, if they, encoded or not, begin at `start`.
  private func encodedEnd(of place: Int, in text: Span<UInt8>, from start: Int) -> Int? {
    var index = start
    for place in place..<bytes.count {
      let byte = bytes[place]
      if byte == UInt8(ascii: "%") {
        // Ambiguous: a bare percent sign of the secret, or the beginning of an encoded one.
        for form in ["%2525", "%25", "%"] as [StaticString] where text.has(form, at: index) {
          if let end = encodedEnd(of: place + 1, in: text, from: index + form.utf8CodeUnitCount) {
            return end
          }
        }
        return nil
      }
      guard let length = encodedLength(of: byte, in: text, at: index) else { return nil }
      index += length
    }
    return index
  }

  /// The number of bytes at `index` that stand for `byte`, which is not `%`: 1, 3 or 5.
  private func encodedLength(of byte: UInt8, in text: Span<UInt8>, at index: Int) -> Int? {
    guard index < text.count else { return nil }
    if text[index] == byte || byte == UInt8(ascii: " ") && text[index] == UInt8(ascii: "+") { return 1 }
    guard text[index] == UInt8(ascii: "%") else { return nil }
    // %252F is %2F, encoded again.
    let digits = index + (text.has("25", at: index + 1) ? 3 : 1)
    guard digits + 2 <= text.count, let high = Hexadecimal.value(ofDigit: text[digits]),
      let low = Hexadecimal.value(ofDigit: text[digits + 1]), high << 4 | low == byte
    else { return nil }
    return digits + 2 - index
  }
}

extension SecretRedactor: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `a redactor of secrets`.
  public var description: String { "a redactor of secrets" }
  /// `a redactor of secrets`.
  public var debugDescription: String { description }
  /// Nothing.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
