import Foundation
import PabalPlugin
import PabalTesting
import Synchronization

@testable import SMTPTransport

/// A mail for tests.
struct SMTPTestMail {
  static let small = SMTPTestMail("Subject: a code\r\n\r\n.a line with a dot\r\n..two dots\r\n482913\r\n")

  var sender = "alice@example.test"
  var recipients = ["bob@example.net"]
  var bytes: [UInt8]
  var needsSMTPUTF8 = false
  var needs8BitMIME = false

  init(_ text: String) { bytes = Array(text.utf8) }

  init(count: Int) {
    bytes = Array("Subject: large\r\n\r\n".utf8)
    let line = Array(".the quick brown fox jumps over the lazy dog, and does it again and again.\r\n".utf8)
    bytes.reserveCapacity(count + line.count)
    while bytes.count < count { bytes += line }
  }

  func to(_ recipients: String...) -> SMTPTestMail {
    var mail = self
    mail.recipients = recipients
    return mail
  }

  /// Sends the mail and blocks; returns `nil` without a token.
  func recipientResults(_ client: SMTPClient, tokens: SMTPClient.TokenSource = { _ in Self.accessToken })
    -> [RecipientResult]?
  {
    bytes.withUnsafeBytes { bytes in
      let message = SMTPMessage(
        sender: sender, recipients: recipients, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8,
        needs8BitMIME: needs8BitMIME)
      guard case .recipientResults(let recipientResults) = client.send(message, tokens: tokens) else {
        return nil
      }
      return recipientResults
    }
  }

  /// Sends the mail and returns only the outcomes.
  func outcomes(_ client: SMTPClient, tokens: SMTPClient.TokenSource = { _ in Self.accessToken })
    -> [SMTPOutcome]?
  {
    recipientResults(client, tokens: tokens)?.map(\.outcome)
  }

  static let accessToken = Token(text: "ya29.a-token-of-the-tests-0123456789", expiresIn: nil)
}

extension SMTPTestMail {
  /// The SHA-256 digest in hexadecimal, as the hostile server reports it.
  static func sha256(_ bytes: [UInt8]) -> String {
    let child = try? ChildProcess.run("sha256sum", input: bytes)
    return String(child?.output.prefix(64) ?? "")
  }
}

extension SMTPTestMail {
  func with(_ change: (inout SMTPTestMail) -> Void) -> SMTPTestMail {
    var mail = self
    change(&mail)
    return mail
  }
}

/// A clock that stands still until the test moves it.
final class TestClock: Sendable {
  private let time = Atomic(1_000_000)
  var now: @Sendable () -> Int { { self.time.load(ordering: .relaxed) } }
  func pass(_ milliseconds: Int) { time.add(milliseconds, ordering: .relaxed) }
}
