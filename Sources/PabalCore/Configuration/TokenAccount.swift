internal import Synchronization

/// An account whose access tokens stand in the configuration, or where it points to.
public final class TokenAccount: AccessTokenSource {
  /// The mailbox the tokens are for.
  public let user: String
  private let token: ConfiguredValue

  private struct State {
    var current: String?
    /// How the last fetch that brought nothing new ended, and for which refused token.
    var failure: (rejected: String?, error: AccessTokenError)?
  }
  private let state = Mutex(State())
  /// How many fetches have ended.
  private let fetches = Atomic(0)

  /// An account for `user`; nothing is fetched before a token is asked for.
  public init(user: String, token: ConfiguredValue) {
    self.user = user
    self.token = token
  }

  /// The last token, or where there is none or it was rejected, a newly fetched one.
  public func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    let seen = fetches.load(ordering: .acquiring)
    // The lock is held while fetching: whoever comes meanwhile wants what is being fetched.
    let result = state.withLock { state in self.token(rejected: rejected, seen: seen, &state) }
    return AccessToken(text: try result.get())
  }

  private func token(
    rejected: String?, seen: Int, _ state: inout State
  ) -> Result<String, AccessTokenError> {
    if let current = state.current, current != rejected { return .success(current) }
    if let failure = state.failure {
      // It failed while this call waited; or the same token, in the hands of another mail, was
      // fetched again before.
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
          "\(self.token.location.path): the far side refused the token, and fetched again it is the same; renew it"
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
    // RFC 6750 section 2.1 has fewer characters, but not every issuer keeps to them.
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .held(
        "\(token.location.path): the token holds a blank or another character that no token has; give it alone"
      )
    }
    return text
  }
}

/// Provider `token`: access tokens that somebody else renews, read from where they are put.
public struct TokenProvider: AccountProvider {
  /// `token`.
  public let name = "token"

  /// The provider `token`.
  public init() {}

  /// Reads the key `token`.
  public func read(_ object: ObjectDecoder) -> AccountOpener? {
    let token = object.required(
      "token", remedy: "say where it is, as in \"token\": {\"command\": [\"print-token\"]}"
    )?.configuredValue()
    guard let token else { return nil }
    return { context in TokenAccount(user: context.user, token: token) }
  }
}
