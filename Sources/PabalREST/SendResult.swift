internal import PabalFormats
package import PabalPlugin

/// The result of an attempt.
package struct SendResult: Equatable {
  package let verdict: Verdict
  /// The API's reply, or what is wrong and what to do.
  package var message: String
  /// The API's id of the mail, or of the request.
  package var id: String?

  package init(_ verdict: Verdict, _ message: String, id: String? = nil) {
    self.verdict = verdict
    self.message = message
    self.id = id
  }
}

extension SendResult {
  /// Returns the result for display: on one line, at most `maxLength` bytes, and without tokens, which the server may
  /// have repeated.
  package func redacted(removing tokens: String...) -> SendResult {
    var redactor = SecretRedactor(replacement: "…")
    for token in tokens { redactor.add(Array(token.utf8)) }
    var redacted = self
    redacted.message = Self.redacted(message, by: redactor)
    redacted.id = id.map { Self.redacted($0, by: redactor) }
    return redacted
  }

  /// The maximum size of a text from the server, in bytes.
  private static let maxLength = 1_024

  private static func redacted(_ text: String, by redactor: SecretRedactor) -> String {
    let text = redactor.redact(text)
    // Nearly all messages need no change.
    if isShortAndPlain(text) { return text }
    var line = ""
    var count = 0
    for scalar in text.unicodeScalars {
      let redacted = isControlOrLineBreak(scalar) ? " " : scalar
      count += UTF8.width(redacted)
      guard count <= maxLength else { break }
      line.unicodeScalars.append(redacted)
    }
    return line
  }

  /// Whether a text is short and printable ASCII.
  private static func isShortAndPlain(_ text: String) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count <= maxLength else { return false }
    for index in bytes.indices {
      guard bytes[index] >= 0x20, bytes[index] < 0x7F else { return false }
    }
    return true
  }

  /// Whether a character is a control character or a line or paragraph separator (Unicode Cc, Zl and Zp).
  private static func isControlOrLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}

extension Attempt {
  /// Reports the result to the host; `nil` means that the host had no token and has set the verdict.
  package func report(_ sendResult: SendResult?) -> Verdict {
    guard let sendResult else { return .alreadySet }
    reply(sendResult.message)
    if let id = sendResult.id { remoteID(id) }
    return sendResult.verdict
  }
}
