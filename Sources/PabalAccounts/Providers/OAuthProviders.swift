public import PabalCore

/// Every provider that gets its tokens by OAuth 2.0.
public func oauthProviders(surroundings: Surroundings = .system) -> [any AccountProvider] {
  [
    GoogleProvider(surroundings: surroundings), ServiceAccountProvider(surroundings: surroundings),
    MicrosoftProvider(surroundings: surroundings), OAuth2Provider(surroundings: surroundings),
  ]
}
