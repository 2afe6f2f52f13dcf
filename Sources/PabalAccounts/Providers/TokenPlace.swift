internal import PabalCore

/// Where an account's tokens are kept.
enum TokenPlace {
  /// `token` if it was given, else `tokens/<account>.json` beside the configuration; a configuration below
  /// `/etc` has no place for what changes, so its tokens are in `/var/lib/pabal`.
  static func file(_ token: String?, account: String, directory: String) -> TokenFile {
    if let token { return TokenFile(path: token) }
    let isSystem = directory == "/etc" || directory.hasPrefix("/etc/")
    let folder = isSystem ? "/var/lib/pabal" : directory == "/" ? "" : directory
    return TokenFile(path: "\(folder)/tokens/\(account).json")
  }
}

extension ConfigurationObject {
  /// The scopes in place of those the transports need.
  func scopes() -> (isGiven: Bool, scopes: [String]?) {
    guard let value = optional("scopes") else { return (false, nil) }
    guard let elements = value.elements() else { return (true, nil) }
    if elements.isEmpty { value.complain("the list is empty", cure: "name a scope, or take the key out") }
    let scopes = elements.compactMap { element -> String? in
      guard let scope = element.nonEmptyText() else { return nil }
      // RFC 6749 section 3.3
      guard scope.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }) else {
        element.complain(
          "no scope: it has a blank, a quotation mark or a letter outside ASCII", cure: "one scope a text")
        return nil
      }
      return scope
    }
    return (true, scopes.count == elements.count ? scopes : nil)
  }

  /// A path, `nil` where the key is missing; `isSound` is false after an error.
  func path(_ key: String) -> (path: String?, isSound: Bool) {
    guard let value = optional(key) else { return (nil, true) }
    let path = value.filePath()
    return (path, path != nil)
  }

  /// The folder that relative paths start from.
  var directory: String { value.findings.directory }
}
