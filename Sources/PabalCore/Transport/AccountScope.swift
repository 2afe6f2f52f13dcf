/// An OAuth scope that a transport needs from the accounts of one provider.
public struct AccountScope: Sendable, Hashable {
  /// The provider's name, as in `accounts`.
  public let provider: String
  /// The setting with which the scope applies, instead of the provider's scope without one; `nil`: no setting.
  public let setting: String?
  /// The scope (RFC 6749, 3.3).
  public let scope: String

  /// A scope from its parts.
  public init(provider: String, setting: String? = nil, scope: String) {
    self.provider = provider
    self.setting = setting
    self.scope = scope
  }

  /// Parses `PROVIDER:SCOPE` or `PROVIDER+SETTING:SCOPE`; `nil` if `text` is neither.
  package init?(_ text: Substring) {
    guard let colon = text.firstIndex(of: ":") else { return nil }
    let parts = text[..<colon].split(separator: "+", omittingEmptySubsequences: false)
    let scope = text[text.index(after: colon)...]
    guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }), !scope.isEmpty,
      scope.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C })
    else { return nil }
    self.init(
      provider: String(parts[0]), setting: parts.count == 2 ? String(parts[1]) : nil, scope: String(scope))
  }
}

extension [AccountScope] {
  /// Returns the scope for accounts of `provider` if the settings in `given` are set; `nil` if none is declared.
  public func scope(provider: String, given: (String) -> Bool) -> String? {
    let own = filter { $0.provider == provider }
    return (own.first { $0.setting.map(given) == true } ?? own.first { $0.setting == nil })?.scope
  }
}
