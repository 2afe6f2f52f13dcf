internal import PabalCore
internal import PabalFormats

/// Where the tokens of an account are stored.
enum TokenLocation {
  /// Returns the token file: `token` if it is configured, else `tokens/<account>.json` next to the configuration, or in
  /// `/var/lib/pabal` for a configuration in `/etc`, because `/etc` isn't for changing data.
  ///
  /// With a `resource` such as `graph`, the file is `office.graph.json` instead of `office.json`.
  static func file(
    _ token: String?, account: String, directory: String, resource: String? = nil
  ) -> TokenFile {
    let file = file(token, account: account, directory: directory)
    guard let resource else { return file }
    let isJSON = file.path.hasSuffix(".json")
    return TokenFile(
      path: "\(isJSON ? String(file.path.dropLast(5)) : file.path).\(resource)\(isJSON ? ".json" : "")")
  }

  private static func file(_ token: String?, account: String, directory: String) -> TokenFile {
    if let token { return TokenFile(path: token) }
    let isSystem = directory == "/etc" || directory.hasPrefix("/etc/")
    let folder = isSystem ? "/var/lib/pabal" : directory == "/" ? "" : directory
    return TokenFile(path: "\(folder)/tokens/\(account).json")
  }
}

extension ObjectDecoder {
  /// Reads the scopes that replace those needed by the transports; reports mistakes.
  func scopes() -> (isGiven: Bool, scopes: [String]?) {
    guard let value = optional("scopes") else { return (false, nil) }
    guard let elements = value.elements() else { return (true, nil) }
    if elements.isEmpty { value.report("the list is empty", remedy: "add a scope, or remove the key") }
    let scopes = elements.compactMap { element -> String? in
      guard let scope = element.nonEmptyText() else { return nil }
      // RFC 6749 section 3.3
      guard scope.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }) else {
        element.report(
          "not a valid scope: it contains a space, a quotation mark or a non-ASCII character",
          remedy: "write one scope per string")
        return nil
      }
      return scope
    }
    return (true, scopes.count == elements.count ? scopes : nil)
  }

  /// Reads the path in `token`. Reports an error if another account has the same token file, configured or by default;
  /// an account with `resources` has a file for each of them, too.
  func tokenFile(resources: [String] = []) -> (path: String?, isSound: Bool) {
    let token = path("token")
    // The account's name, without the quotes that some names need in a path.
    let account = value.path.split(separator: ".", maxSplits: 1).last.map(String.init) ?? ""
    let name = account.trimmingQuotes
    guard token.isSound else { return token }
    for resource in [nil] + resources {
      let file = TokenLocation.file(token.path, account: name, directory: directory, resource: resource).path
      // Normalized, because /a//b/./c is /a/b/c.
      let plain = file.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
      guard let earlier = collector.reserve("token file /\(plain)", for: value.path) else { continue }
      value.report(
        "the token file \(file) is also used by \(earlier), and each would overwrite the other's tokens",
        remedy: "give each account its own \"token\"")
      return (nil, false)
    }
    return token
  }

  /// Whether `user` is a valid address, or a secret that is fetched later; reports an error otherwise.
  func userIsAddress() -> Bool {
    guard let user = members.first(where: { $0.key == "user" }), case .string(let text) = user.value.content,
      let problem = addressErrorText(text)
    else { return true }
    FieldDecoder(user.value, path: value.path + ".user", collector: collector)
      .report(problem, remedy: Self.userCure)
    return false
  }

  static let userCure = "set the mailbox, as in \"user\": \"you@example.com\""

  private var collector: DiagnosticCollector { value.collector }

  /// Reads a path; `nil` if the key is missing. `isSound` is false after an error.
  func path(_ key: String) -> (path: String?, isSound: Bool) {
    guard let value = optional(key) else { return (nil, true) }
    let path = value.filePath()
    return (path, path != nil)
  }

  /// The directory that relative paths start from.
  var directory: String { value.collector.directory }
}

extension AccountContext {
  /// Throws if the mailbox, which may be a fetched secret, isn't an address.
  func validateUser() throws(Diagnostic) {
    guard let problem = addressErrorText(user) else { return }
    throw Diagnostic(problem, remedy: ObjectDecoder.userCure, path: "accounts.\(name).user")
  }
}

/// Returns why `text` isn't an address; `nil` if it is one.
private func addressErrorText(_ text: String) -> String? {
  do throws(AddressError) {
    _ = try Address(text)
    return nil
  } catch {
    return error.message
  }
}

extension String {
  fileprivate var trimmingQuotes: String {
    let marks: [Character] = ["“", "”", "\"", "'"]
    guard let first, marks.contains(first) else { return self }
    return String(drop { marks.contains($0) }.prefix { !marks.contains($0) })
  }
}
