/// Provider `token`: access tokens that somebody else renews, read from where they are put.
public struct TokenProvider: AccountProvider {
  /// `token`.
  public let name = "token"

  /// The provider `token`.
  public init() {}

  /// Reads the key `token`.
  public func read(_ object: ConfigurationObject) -> AccountOpening? {
    let token = object.required(
      "token", cure: "say where it is, as in \"token\": {\"command\": [\"print-token\"]}"
    )?.configuredText()
    guard let token else { return nil }
    return { use in TokenAccount(user: use.user, token: token) }
  }
}
