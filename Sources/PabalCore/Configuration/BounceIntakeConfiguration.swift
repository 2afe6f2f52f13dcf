public import PabalFormats

/// `bounces` of an account: whether its mailbox is read for bounces.
public struct BounceIntakeConfiguration: Sendable, Hashable {
  /// How often the mailbox is read.
  public var interval: Duration = .seconds(300)
  /// The URL of the API; `nil`: the provider's.
  public var endpoint: HTTPEndpoint?
  /// A PEM file of certificate authorities to trust instead of the system's.
  public var authorities: String?

  /// The scope that reading needs, in addition to those of the transports.
  static let scopes = [
    AccountScope(provider: "google", scope: "https://www.googleapis.com/auth/gmail.readonly"),
    AccountScope(
      provider: "google-service-account", scope: "https://www.googleapis.com/auth/gmail.readonly"),
  ]

  /// Reads the key `bounces` of an account; `nil` if it is off, or after an error.
  static func read(_ object: ObjectDecoder, provider: String) -> BounceIntakeConfiguration? {
    let isPossible = scopes.contains { $0.provider == provider }
    // Not one of the keys of the other providers.
    guard isPossible || object.members.contains(where: { $0.key == "bounces" }),
      let value = object.optional("bounces")
    else { return nil }
    if case .boolean(let isOn) = value.node.content, !isOn { return nil }
    guard isPossible else {
      value.report(
        "the mailbox of an account of provider \(quoted(provider)) can't be read for bounces",
        remedy: "remove it; accounts of \(scopes.map(\.provider).joined(separator: " and ")) can")
      return nil
    }
    if case .boolean = value.node.content { return BounceIntakeConfiguration() }
    return value.object { object in
      var configuration = BounceIntakeConfiguration()
      if let interval = object.optional("every")?.duration(in: .seconds(1)...(.seconds(86_400))) {
        configuration.interval = interval
      }
      if let endpoint = object.optional("endpoint"), let text = endpoint.nonEmptyText() {
        do throws(HTTPEndpointError) {
          configuration.endpoint = try HTTPEndpoint(text, query: .refused)
        } catch {
          endpoint.report("\"endpoint\" \(error)")
        }
      }
      configuration.authorities = object.optional("ca_file")?.filePath()
      return configuration
    }
  }
}
