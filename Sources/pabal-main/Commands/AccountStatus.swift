import ArgumentParser
import PabalAccounts
import PabalCommand
import PabalCore

extension Account {
  /// `pabal account status`.
  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the state of the accounts from stored files, without any network access.",
      discussion: """
        fresh: tokens are renewed automatically. expiring: works until a known date. dead: has to be fixed by a \
        person. Exit status: 77 if an account is dead.

        Examples:
          pabal account status
          pabal account status google --json
        """)

    @Argument(help: "Only these accounts.")
    var names: [String] = []

    @OptionGroup var common: CommonOptions

    func run() throws {
      let context = try CommandContext(common)
      let known = context.configuration.accounts.map(\.name)
      for name in names where !known.contains(name) { _ = try context.oauthAccount(name) }
      var outputs: [AccountOutput] = []
      for account in context.configuration.accounts where names.isEmpty || names.contains(account.name) {
        outputs += AccountOutput.all(account, in: context)
      }
      if common.json {
        try Terminal.printResult(json: outputs)
      } else {
        if outputs.isEmpty { Terminal.printResult("No accounts in \(context.configuration.file).") }
        for account in outputs { Terminal.printResult(account.text) }
      }
      if outputs.contains(where: { $0.state == "dead" }) { throw ExitStatus.held.exitCode }
    }
  }
}

/// The state of an account, as `account status` prints it.
struct AccountOutput: Encodable {
  let account: String
  /// The account's name, with its service if there are several.
  private var title: String?
  /// The service that the tokens are for, if the provider issues tokens for one service each.
  var resource: String?
  let provider: String
  let user: String?
  /// `fresh`, `expiring` or `dead`; `nil` for tokens that another program renews.
  let state: String?
  var cause: String?
  var remedy: String?
  var guide: String?
  var scopes: [String]?
  var missingScopes: [String]?
  /// In UTC.
  var accessTokenExpiry: String?
  /// In UTC.
  var refreshTokenExpiry: String?
  var tokenFile: String?
  /// Why renewed tokens can't be stored; `nil` if they can.
  var storageProblem: String?
  var notes: [String] = []

  enum CodingKeys: String, CodingKey {
    case account = "account"
    case resource = "resource"
    case provider = "provider"
    case user = "user"
    case state = "state"
    case cause = "cause"
    case remedy = "cure"
    case guide = "guide"
    case scopes = "scopes"
    case notes = "notes"
    case missingScopes = "missing_scopes"
    case accessTokenExpiry = "access_token_expiry"
    case refreshTokenExpiry = "refresh_token_expiry"
    case tokenFile = "token_file"
    case storageProblem = "storage_problem"
  }

  /// Encodes every key, with null for missing values.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(account, forKey: .account)
    try container.encode(provider, forKey: .provider)
    let texts: [(CodingKeys, String?)] = [
      (.resource, resource),
      (.user, user), (.state, state), (.cause, cause), (.remedy, remedy), (.guide, guide),
      (.accessTokenExpiry, accessTokenExpiry), (.refreshTokenExpiry, refreshTokenExpiry),
      (.tokenFile, tokenFile), (.storageProblem, storageProblem),
    ]
    for (key, text) in texts { try container.encode(OrNull(text), forKey: key) }
    try container.encode(scopes ?? [], forKey: .scopes)
    try container.encode(missingScopes ?? [], forKey: .missingScopes)
    try container.encode(notes, forKey: .notes)
  }

  /// Returns the states of an account, one for each service that it has tokens for.
  static func all(_ configuration: AccountConfiguration, in context: CommandContext) -> [AccountOutput] {
    do throws(Diagnostic) {
      let source = try context.accounts.account(configuration.name)
      let sources: [any AccessTokenSource] = (source as? OAuthAccount)?.all ?? [source]
      return sources.map { AccountOutput(configuration, .success($0)) }
    } catch {
      return [AccountOutput(configuration, .failure(error))]
    }
  }

  private init(_ configuration: AccountConfiguration, _ source: Result<any AccessTokenSource, Diagnostic>) {
    account = configuration.name
    provider = configuration.provider
    do throws(Diagnostic) {
      let source = try source.get()
      user = source.user
      guard let oauth = source as? OAuthAccount else {
        state = nil
        return
      }
      (resource, title) = (oauth.resource, oauth.title)
      let status = oauth.status()
      state = status.state.rawValue
      (cause, remedy, guide) = (status.cause, status.remedy, status.guide?.place)
      scopes = status.scopes
      missingScopes = status.missingScopes.isEmpty ? nil : status.missingScopes
      accessTokenExpiry = status.accessTokenExpiry?.description
      refreshTokenExpiry = status.refreshTokenExpiry?.description
      tokenFile = status.file
      storageProblem = status.storageProblem
      notes = status.notes
    } catch {
      user = nil
      state = "dead"
      (cause, remedy) = (error.message, error.remedy)
    }
  }

  var text: String {
    var lines = [
      "\(state ?? "-")  \(title ?? account) (\(provider)\(user.map { ", \($0)" } ?? ""))"
    ]
    if let cause { lines.append("    \(cause)") }
    if let remedy { lines.append("    → \(remedy)") }
    if let guide { lines.append("    see \(guide)") }
    if let scopes, !scopes.isEmpty { lines.append("    scopes: \(scopes.joined(separator: " "))") }
    if let accessTokenExpiry {
      lines.append("    access token valid until \(accessTokenExpiry)")
    }
    if let refreshTokenExpiry { lines.append("    login until \(refreshTokenExpiry)") }
    if let tokenFile { lines.append("    token file \(tokenFile)") }
    lines += notes.map { "    note: \($0)" }
    if state == nil { lines.append("    the token is renewed by another program") }
    return lines.joined(separator: "\n")
  }
}
