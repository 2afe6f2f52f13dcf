internal import PabalCore
internal import PabalFormats

/// Where an account's tokens are kept.
enum TokenLocation {
  /// `token` if it was given, else `tokens/<account>.json` beside the configuration; a configuration below
  /// `/etc` has no place for what changes, so its tokens are in `/var/lib/pabal`.
  static func file(_ token: String?, account: String, directory: String) -> TokenFile {
    if let token { return TokenFile(path: token) }
    let isSystem = directory == "/etc" || directory.hasPrefix("/etc/")
    let folder = isSystem ? "/var/lib/pabal" : directory == "/" ? "" : directory
    return TokenFile(path: "\(folder)/tokens/\(account).json")
  }
}

extension ObjectDecoder {
  /// The scopes in place of those the transports need.
  func scopes() -> (isGiven: Bool, scopes: [String]?) {
    guard let value = optional("scopes") else { return (false, nil) }
    guard let elements = value.elements() else { return (true, nil) }
    if elements.isEmpty { value.report("the list is empty", remedy: "name a scope, or take the key out") }
    let scopes = elements.compactMap { element -> String? in
      guard let scope = element.nonEmptyText() else { return nil }
      // RFC 6749 section 3.3
      guard scope.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != 0x22 && $0 != 0x5C }) else {
        element.report(
          "no scope: it has a blank, a quotation mark or a letter outside ASCII", remedy: "one scope a text")
        return nil
      }
      return scope
    }
    return (true, scopes.count == elements.count ? scopes : nil)
  }

  /// The path in `token`, which no other account may have, nor may what takes its place where the key is missing.
  func tokenFile() -> (path: String?, isSound: Bool) {
    let token = path("token")
    // The account's name, where it needed quotes without them.
    let account = value.path.split(separator: ".", maxSplits: 1).last.map(String.init) ?? ""
    let name = account.trimmingQuotes
    guard token.isSound else { return token }
    let file = TokenLocation.file(token.path, account: name, directory: directory).path
    // However it is written: /a//b/./c is /a/b/c.
    let plain = file.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    guard let earlier = collector.reserve("token file /\(plain)", for: value.path) else { return token }
    value.report(
      "its token file \(file) is that of \(earlier), too, and each would overwrite the other's tokens",
      remedy: "give each account a \"token\" of its own")
    return (nil, false)
  }

  /// Whether `user` is an address, as far as it stands here; else an error is added.
  func userIsAddress() -> Bool {
    guard let user = members.first(where: { $0.key == "user" }), case .string(let text) = user.value.content,
      let problem = addressErrorText(text)
    else { return true }
    FieldDecoder(user.value, path: value.path + ".user", collector: collector)
      .report(problem, remedy: Self.userCure)
    return false
  }

  static let userCure = "name the mailbox, as in \"user\": \"you@example.com\""

  private var collector: DiagnosticCollector { value.collector }

  /// A path, `nil` where the key is missing; `isSound` is false after an error.
  func path(_ key: String) -> (path: String?, isSound: Bool) {
    guard let value = optional(key) else { return (nil, true) }
    let path = value.filePath()
    return (path, path != nil)
  }

  /// The folder that relative paths start from.
  var directory: String { value.collector.directory }
}

extension AccountContext {
  /// Throws where the mailbox, which may have been fetched from elsewhere, is no address.
  func validateUser() throws(Diagnostic) {
    guard let problem = addressErrorText(user) else { return }
    throw Diagnostic(problem, remedy: ObjectDecoder.userCure, path: "accounts.\(name).user")
  }
}

/// Why `text` is no address, if it is none.
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
