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
