package import PabalREST

/// A client of a mail API under test.
package protocol RESTTestClient: Sendable {
  /// Makes one attempt and blocks until it has ended; returns `nil` without an access token.
  func send(_ mail: RESTMail, tokens: RESTClient.TokenSource) -> SendResult?
}

/// A mail for tests.
package struct RESTTestMail: Sendable {
  package var sender = "sender@example.com"
  package var recipients = ["bob@example.net"]
  package var bytes: [UInt8]
  package var needsSMTPUTF8 = false

  /// A mail with this header, for `recipients` instead of `bob@example.net` if there are any.
  package init(_ header: String, body: String = "482913\r\n", to recipients: String...) {
    bytes = Array("\(header)\r\n\r\n\(body)".utf8)
    if !recipients.isEmpty { self.recipients = recipients }
  }

  package static let small = RESTTestMail(
    "From: sender@example.com\r\nTo: bob@example.net\r\nSubject: a code")

  /// A mail of exactly `count` bytes.
  package static func large(_ count: Int) -> RESTTestMail {
    var mail = small
    let line = Array("the quick brown fox jumps over the lazy dog, and does it again and again.\r\n".utf8)
    while mail.bytes.count + line.count <= count - 2 { mail.bytes += line }
    mail.bytes += Array(repeating: UInt8(ascii: "x"), count: count - mail.bytes.count - 2) + [13, 10]
    return mail
  }

  /// Sends the mail and blocks; returns `nil` without a token.
  package func sendResult(
    _ client: some RESTTestClient, tokens: RESTClient.TokenSource = { _ in RESTTestTokens.first }
  ) -> SendResult? {
    bytes.withUnsafeBytes { bytes in
      client.send(
        RESTMail(sender: sender, recipients: recipients, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8),
        tokens: tokens)
    }
  }
}
