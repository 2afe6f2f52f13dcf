public import PabalCore

/// Every provider that gets its tokens by OAuth 2.0.
public func oauthProviders(dependencies: AccountDependencies = .system) -> [any AccountProvider] {
  [
    GoogleProvider(dependencies: dependencies), ServiceAccountProvider(dependencies: dependencies),
    MicrosoftProvider(dependencies: dependencies), OAuth2Provider(dependencies: dependencies),
  ]
}
