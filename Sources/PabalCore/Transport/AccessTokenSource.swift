/// An access token of an account. Its description never contains the token.
public struct AccessToken: Sendable, RedactedDescription {
  /// The token: printable ASCII without spaces.
  public let text: String
  /// The remaining lifetime, if known.
  public let expiresIn: Duration?

  /// Creates an access token.
  public init(text: String, expiresIn: Duration? = nil) {
    self.text = text
    self.expiresIn = expiresIn
  }

  /// A fixed text instead of the token.
  public var description: String { "an access token" }
}

/// Why no access token is available; the reason is human-readable.
public enum AccessTokenError: Error, Sendable, Hashable {
  /// The account or its configuration must be fixed.
  case held(String, retryAfter: Duration? = nil)
  /// A later attempt may succeed without intervention.
  case deferred(String, retryAfter: Duration? = nil)
}

/// A source of access tokens for one account.
public protocol AccessTokenSource: Sendable {
  /// The mailbox the tokens are for.
  var user: String { get }

  /// Returns a token. `rejected` is a token that the server has just refused; the source then renews it, once for all
  /// concurrent callers.
  ///
  /// Blocks, and must be safe to call from several threads at once.
  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken

  /// Returns the source of the tokens for a transport that declares `scopes`; `given` says whether it has a setting.
  ///
  /// Authorization servers such as Microsoft's issue a token for one service only.
  func source(for scopes: [AccountScope], given: (String) -> Bool) -> any AccessTokenSource
}

extension AccessTokenSource {
  /// Returns itself: the tokens are the same for all transports.
  public func source(for scopes: [AccountScope], given: (String) -> Bool) -> any AccessTokenSource { self }
}

extension AccessTokenError {
  /// The human-readable reason.
  public var reason: String {
    switch self {
    case .held(let reason, _), .deferred(let reason, _): reason
    }
  }

  /// The resulting outcome for a mail that needed the token.
  public var outcome: Outcome {
    switch self {
    case .held(_, let retryAfter): .held(.transport, retryAfter: retryAfter)
    case .deferred(_, let retryAfter): .deferred(retryAfter: retryAfter)
    }
  }
}
