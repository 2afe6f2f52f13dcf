/// An access token of an account, which nobody prints.
public struct AccessToken: Sendable, RedactedDescription {
  /// The token: printable ASCII, no blanks.
  public let text: String
  /// How long it still lives, where that is known.
  public let expiresIn: Duration?

  /// An access token.
  public init(text: String, expiresIn: Duration? = nil) {
    self.text = text
    self.expiresIn = expiresIn
  }

  /// Words in the token's place.
  public var description: String { "an access token" }
}

/// Why there is no access token now; the reason is for a person.
public enum AccessTokenError: Error, Sendable, Hashable {
  /// Somebody has to mend the account or the set-up.
  case held(String, retryAfter: Duration? = nil)
  /// Trying again later may help by itself.
  case deferred(String, retryAfter: Duration? = nil)
}

/// Where access tokens of one account come from.
public protocol AccessTokenSource: Sendable {
  /// The mailbox the tokens are for.
  var user: String { get }

  /// A token; `rejected` is the one that the far side has just refused, which makes the source renew
  /// it once, however many ask.
  ///
  /// Blocks, and is called on many threads at once.
  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken
}

extension AccessTokenError {
  /// Why there is no token, for a person.
  public var reason: String {
    switch self {
    case .held(let reason, _), .deferred(let reason, _): reason
    }
  }

  /// What the lack of a token means for the mail that needed it.
  public var outcome: Outcome {
    switch self {
    case .held(_, let retryAfter): .held(.transport, retryAfter: retryAfter)
    case .deferred(_, let retryAfter): .deferred(retryAfter: retryAfter)
    }
  }
}
