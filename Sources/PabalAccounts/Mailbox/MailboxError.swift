internal import PabalCore
internal import PabalFormats

/// Why a mailbox couldn't be read.
package struct MailboxError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong and what to do, without addresses and tokens.
  package let description: String
  /// The status of the response; `nil` without one.
  let status: Int?
  /// How long the server asks to wait.
  package let retryAfter: Duration?

  init(_ description: String, status: Int? = nil, retryAfter: Duration? = nil) {
    self.description = description
    self.status = status
    self.retryAfter = retryAfter
  }

  init(_ error: AccessTokenError) {
    switch error {
    case .held(let text, let wait), .deferred(let text, let wait): self.init(text, retryAfter: wait)
    }
  }

  init(status: Int, _ body: [UInt8], endpoint: String, retryAfter: Duration?) {
    let root = try? JSONParser().parse(body.span)
    let reasons =
      (root?["error"]?["errors"]?.elements ?? []).compactMap { $0["reason"]?.string }
      + (root?["error"]?["details"]?.elements ?? []).compactMap { $0["reason"]?.string }
    if reasons.contains(where: {
      ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"].contains($0)
    }) {
      self.init(
        "\(endpoint): the login doesn't permit reading mail; log in again with `pabal account login`",
        status: status)
      return
    }
    let reason = reasons.first.map { " (\(printable(String($0.prefix(60)))))" } ?? ""
    self.init("\(endpoint) answered \(status)\(reason)", status: status, retryAfter: retryAfter)
  }
}

extension AccessTokenSource {
  /// Returns a token for reading a mailbox. `rejected` is one that the server refused.
  func mailboxToken(rejected: String?) throws(MailboxError) -> AccessToken {
    do throws(AccessTokenError) {
      return try accessToken(rejected: rejected)
    } catch {
      throw MailboxError(error)
    }
  }
}
