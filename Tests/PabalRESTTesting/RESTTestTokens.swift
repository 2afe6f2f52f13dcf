package import PabalCore
import Synchronization

/// A token source that records which tokens were rejected.
package final class RESTTestTokens: AccessTokenSource {
  package let user = "sender@example.com"
  package static let first = "ya29.a-token-of-the-tests-0123456789"
  package static let second = "ya29.the-renewed-token-9876543210"
  private let rejected = Mutex<[String]>([])
  private let canRenew: Bool

  /// A source whose first token can be replaced once, if `canRenew`.
  package init(canRenew: Bool = true) { self.canRenew = canRenew }

  package var renewals: [String] { rejected.withLock { $0 } }

  package func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    guard let rejected else { return AccessToken(text: Self.first) }
    self.rejected.withLock { $0.append(rejected) }
    guard canRenew else { throw .held("the refresh token has been revoked; log the account in again") }
    return AccessToken(text: Self.second)
  }
}
