/// Text that may stand in a header: any Unicode but controls and line separators.
///
/// Only such text reaches a header, so no CR, LF or NUL does.
struct HeaderText: Sendable, Hashable {
  let text: String

  /// The most bytes of UTF-8 one header field's text may have.
  static let limit = 16_384

  init(_ text: String, field: String, limit: Int = HeaderText.limit) throws(MailError) {
    let bytes = text.utf8Span.span
    guard bytes.count <= limit else {
      throw MailError(
        field, "the text has \(bytes.count) octets", remedy: "shorten it to at most \(limit) octets of UTF-8"
      )
    }
    var previous: UInt8 = 0
    var beforePrevious: UInt8 = 0
    for i in bytes.indices {
      let byte = bytes[i]
      // C0 and DEL; C1 (C2 80…9F), among them U+0085; U+2028 and U+2029 (E2 80 A8, A9). All of them begin
      // a line or move the cursor somewhere.
      let isControl =
        byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0)
        || (beforePrevious == 0xE2 && previous == 0x80 && (byte == 0xA8 || byte == 0xA9))
      guard !isControl else {
        throw MailError(
          field, "\(quoted(text)) holds a control character or line break",
          remedy: "write it on one line, without tabs")
      }
      beforePrevious = previous
      previous = byte
    }
    self.text = text
  }
}

/// A header field beside those that every mail has, such as `List-Unsubscribe` or `X-Campaign`.
public struct HeaderField: Sendable, Hashable {
  /// The field's name, as written.
  public let name: String
  /// What stands after the colon, unfolded and not encoded.
  public var value: String { content.text }
  let content: HeaderText
  let isVerbatim: Bool

  /// A field for people to read: what is not plain ASCII leaves as encoded words (RFC 2047).
  ///
  /// Throws when the name isn't 1 to 64 letters, digits, `-` or `_`, when the field is one that the mail
  /// itself writes, or when the text holds a control character or more than 16,384 bytes.
  public init(_ name: String, text: String) throws(MailError) {
    try HeaderField.check(name)
    self.name = name
    content = try HeaderText(text, field: name)
    isVerbatim = false
  }

  /// A field for programs to read: it is only folded, at spaces.
  ///
  /// Throws as `init(_:text:)` does, and when the value isn't words of printable ASCII, each below
  /// 900 bytes, with single spaces between them.
  public init(_ name: String, verbatim value: String) throws(MailError) {
    try HeaderField.check(name)
    self.name = name
    content = try HeaderText(value, field: name)
    isVerbatim = true
    guard value.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw MailError(name, "\(quoted(value)) is not ASCII, and this field cannot be encoded")
    }
    // RFC 5322, 2.1.1: a line has at most 998 bytes.
    let words = value.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.allSatisfy({ (1..<900).contains($0.count) }) else {
      throw MailError(
        name,
        "the value is empty, has a space at an end or two together, or 900 octets without one to fold at")
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
        "header", "\(quoted(name)) is no header field's name", remedy: "use 1 to 64 letters, digits, - or _")
    }
    let lower = name.lowercased()
    guard !reservedNames.contains(lower), !lower.hasPrefix("content-"), !lower.hasPrefix("resent-") else {
      throw MailError(name, "this header field is written by the mail itself")
    }
  }

  private static let reservedNames: Set = [
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version",
    "auto-submitted", "x-auto-response-suppress", "return-path", "received", "delivered-to", "dkim-signature",
  ]
}
