/// Text that is safe in a header: any Unicode except control characters and line separators.
///
/// Headers are only built from this type, so no CR, LF or NUL can reach one.
struct HeaderText: Sendable, Hashable {
  let text: String

  /// The maximum length of one header field's text in UTF-8 bytes.
  static let limit = 16_384

  init(_ text: String, field: String, limit: Int = HeaderText.limit) throws(MailError) {
    let bytes = text.utf8Span.span
    guard bytes.count <= limit else {
      throw MailError(
        field, "the text has \(bytes.count) bytes", remedy: "shorten it to at most \(limit) bytes of UTF-8"
      )
    }
    var previous: UInt8 = 0
    var beforePrevious: UInt8 = 0
    for i in bytes.indices {
      let byte = bytes[i]
      // C0 and DEL; C1 (C2 80…9F), including U+0085; U+2028 and U+2029 (E2 80 A8, A9). Each of them can start
      // a new line or move the cursor.
      let isControl =
        byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0)
        || (beforePrevious == 0xE2 && previous == 0x80 && (byte == 0xA8 || byte == 0xA9))
      guard !isControl else {
        throw MailError(
          field, "\(quoted(text)) contains a control character or line break",
          remedy: "write it on one line, without tabs")
      }
      beforePrevious = previous
      previous = byte
    }
    self.text = text
  }
}

/// An additional header field, such as `List-Unsubscribe` or `X-Campaign`.
public struct HeaderField: Sendable, Hashable {
  /// The field's name, as written.
  public let name: String
  /// The value, unfolded and not encoded.
  public var value: String { content.text }
  let content: HeaderText
  let isVerbatim: Bool

  /// Creates a field with human-readable text; text that isn't plain ASCII is sent as encoded words (RFC 2047).
  ///
  /// Throws if the name isn't 1 to 64 letters, digits, `-` or `_`, if Pabal writes that field itself, or if the text
  /// contains a control character or has more than 16,384 bytes.
  public init(_ name: String, text: String) throws(MailError) {
    try HeaderField.check(name)
    self.name = name
    content = try HeaderText(text, field: name)
    isVerbatim = false
  }

  /// Creates a field with a machine-readable value, which is folded at spaces but never encoded.
  ///
  /// Throws as `init(_:text:)` does, and if the value isn't a sequence of words of printable ASCII, each shorter than
  /// 900 bytes, separated by single spaces.
  public init(_ name: String, verbatim value: String) throws(MailError) {
    try HeaderField.check(name)
    self.name = name
    content = try HeaderText(value, field: name)
    isVerbatim = true
    guard value.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw MailError(name, "\(quoted(value)) isn't ASCII, and this field can't be encoded")
    }
    // A line has at most 998 bytes (RFC 5322, 2.1.1).
    let words = value.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.allSatisfy({ (1..<900).contains($0.count) }) else {
      throw MailError(
        name,
        "the value is empty, starts or ends with a space, has two spaces in a row, or has a word of 900 bytes or more"
      )
    }
  }

  private static func check(_ name: String) throws(MailError) {
    let isPlain = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    guard isPlain, (1...64).contains(name.utf8.count) else {
      throw MailError(
        "header", "\(quoted(name)) isn't a valid header field name",
        remedy: "use 1 to 64 letters, digits, - or _")
    }
    let lower = name.lowercased()
    guard !reservedNames.contains(lower), !lower.hasPrefix("content-"), !lower.hasPrefix("resent-") else {
      throw MailError(name, "Pabal writes this header field itself")
    }
  }

  private static let reservedNames: Set = [
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version",
    "auto-submitted", "x-auto-response-suppress", "return-path", "received", "delivered-to", "dkim-signature",
  ]
}
