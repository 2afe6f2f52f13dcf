internal import Synchronization

/// An account whose access tokens are in the configuration or in a secret it names.
public final class TokenAccount: AccessTokenSource {
  /// The mailbox that the tokens are for.
  public let user: String
  private let token: ConfiguredValue

  private struct State {
    var current: String?
    /// The error of the last fetch that returned no new token, and the rejected token that caused the fetch.
    var failure: (rejected: String?, error: AccessTokenError)?
  }
  private let state = Mutex(State())
  /// The number of finished fetches.
  private let fetches = Atomic(0)

  /// Creates an account for `user`. Nothing is fetched until a token is requested.
  public init(user: String, token: ConfiguredValue) {
    self.user = user
    self.token = token
  }

  /// Returns the last token, or a newly fetched one if there is none or it was rejected.
  public func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    let seen = fetches.load(ordering: .acquiring)
    // The lock is held while fetching, because concurrent callers need the same token.
    let result = state.withLock { state in self.token(rejected: rejected, seen: seen, &state) }
    return AccessToken(text: try result.get())
  }

  private func token(
    rejected: String?, seen: Int, _ state: inout State
  ) -> Result<String, AccessTokenError> {
    if let current = state.current, current != rejected { return .success(current) }
    if let failure = state.failure {
      // Fetching again is pointless if a fetch failed while this call waited for the lock, or if one already failed
      // after the same token was rejected for another mail.
      let waited = fetches.load(ordering: .relaxed) != seen
      if waited || (rejected != nil && failure.rejected == rejected) { return .failure(failure.error) }
    }
    defer { fetches.add(1, ordering: .releasing) }
    state.current = nil
    state.failure = nil
    do throws(AccessTokenError) {
      let token = try fetchText()
      guard token != rejected else {
        throw .held(
          "\(self.token.location.path): the server rejected the token, and fetching it again returned the same one; renew it"
        )
      }
      state.current = token
      return .success(token)
    } catch {
      state.failure = (rejected, error)
      return .failure(error)
    }
  }

  private func fetchText() throws(AccessTokenError) -> String {
    let text: String
    do throws(SecretError) {
      text = try token.fetchText()
    } catch {
      let reason = "\(token.location.path): \(error.message)\(error.remedy.map { "; \($0)" } ?? "")"
      throw error.isTransient ? .deferred(reason) : .held(reason)
    }
    // RFC 6750, section 2.1 allows fewer characters, but not every issuer keeps to them.
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .held(
        "\(token.location.path): the token contains a space or another invalid character; store only the token"
      )
    }
    return text
  }
}

/// The provider `token`: access tokens that another program renews and Pabal reads.
public struct TokenProvider: AccountProvider {
  /// `token`.
  public let name = "token"

  /// Creates the provider.
  public init() {}

  /// Reads the key `token`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let token = object.required(
      "token", remedy: "add its source, for example \"token\": {\"command\": [\"print-token\"]}"
    )?.configuredSecret()
    guard let token else { return nil }
    return { context in TokenAccount(user: context.user, token: token) }
  }
}
