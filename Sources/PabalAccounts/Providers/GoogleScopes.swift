/// Google's scopes for sending mail, and which transport needs which.
enum GoogleScopes {
  /// Gmail's REST API, sending only.
  static let send = "https://www.googleapis.com/auth/gmail.send"
  /// All of the mailbox: what smtp.gmail.com asks for, and enough for REST.
  static let mail = "https://mail.google.com/"

  // developers.google.com/gmail/api/reference/rest/v1/users.messages/send
  private static let sending = [
    "https://www.googleapis.com/auth/gmail.modify", "https://www.googleapis.com/auth/gmail.compose",
  ]

  /// What makes Google say whose mailbox it is (OpenID Connect).
  ///
  /// Not asked for by itself: beside it Google's consent page gets a box that has to be ticked, which a page with one
  /// scope alone hasn't (developers.google.com/identity/protocols/oauth2/resources/granular-permissions).
  static let identity = ["openid", "email"]
  // Asked for by the short name, granted by the long one.
  private static let longNames = [
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
  ]

  /// What the transports by `plugins` need; without any, what serves every transport.
  static func needed(by plugins: [String]) -> [String] {
    !plugins.isEmpty && plugins.allSatisfy { name($0) == "gmail" } ? [send] : [mail]
  }

  /// What each of `plugins` needs by itself; of one that isn't ours nobody knows more than what the configuration
  /// says, `configured`.
  static func scopeSets(_ plugins: [String], configured: [String]?) -> [[String]] {
    let scopeSets = plugins.map { plugin in
      ["gmail", "smtp"].contains(name(plugin)) ? needed(by: [plugin]) : configured ?? needed(by: [plugin])
    }
    return scopeSets.isEmpty ? [configured ?? needed(by: [])] : scopeSets
  }

  private static func name(_ plugin: String) -> String {
    let file = plugin.split(separator: "/").last.map(String.init) ?? plugin
    return file.hasPrefix("libpabal-") && file.hasSuffix(".so") ? String(file.dropFirst(9).dropLast(3)) : file
  }

  /// Those of `needed` that nothing in `granted` serves.
  static func missing(_ needed: [String], in granted: [String]) -> [String] {
    needed.filter { scope in
      !granted.contains(scope) && !granted.contains(longNames[scope] ?? scope)
        && !(scope.contains("/auth/gmail.") && granted.contains(mail))
        && !(scope == send && granted.contains { sending.contains($0) })
    }
  }

  /// What a scope lets Pabal do, in a person's words.
  static func meaning(_ scope: String) -> String? {
    switch scope {
    case send: "send mail by Gmail's REST API, read nothing"
    case mail: "send mail by SMTP and REST; Google has no smaller one for SMTP, so it includes reading"
    case "openid": "tell which mailbox logs in"
    case "email", "https://www.googleapis.com/auth/userinfo.email": "see its address"
    default: nil
    }
  }
}
