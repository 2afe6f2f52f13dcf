/// How a person logs an account in.
struct LoginPlan: Sendable {
  /// Which way the tokens come.
  enum Flow: String, Sendable, CaseIterable {
    /// The browser on this or another machine, which comes back to a listener here (RFC 8252).
    case browser = "browser"
    /// A code typed in on any device (RFC 8628).
    case device = "device"
  }

  let flow: Flow
  var scopes: [String]
  /// The client as the configuration has it now.
  let client: @Sendable () throws(TokenError) -> OAuthClient
  /// The host of the address the browser comes back to: `127.0.0.1`, or what the server has registered.
  var host = "127.0.0.1"
  /// What goes into the browser's URL besides what RFC 6749 and 7636 say.
  var parameters: [(name: String, value: String)] = []
}
