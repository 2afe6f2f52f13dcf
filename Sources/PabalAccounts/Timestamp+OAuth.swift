internal import PabalCore
internal import PabalFormats

extension Timestamp {
  /// `2026-11-23 04:05 UTC`, for a page or a terminal; its spaces do not break.
  var displayText: String {
    "\(text.prefix(10))\u{A0}\(text.dropFirst(11).prefix(5))\u{A0}UTC"
  }

  /// Parses RFC 3339 or what google-auth writes, whose offset may be missing and is then UTC.
  init?(_ text: String) {
    guard let time = try? RFC3339.parse(text, [.space, .missingOffset]) else { return nil }
    self.init(milliseconds: time.millisecondsSince1970)
  }

  /// Parses the date of an HTTP field, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
  init?(httpDate text: String) {
    guard let time = HTTPDate.parse(text.utf8Span.span) else { return nil }
    self.init(milliseconds: time.millisecondsSince1970)
  }
}
