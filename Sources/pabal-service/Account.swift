import ArgumentParser
import PabalAccounts
import PabalCommand
import PabalCore

/// `pabal account`: identities that give access tokens.
struct Account: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Log an account in, see how the accounts are, or log one out.",
    discussion: """
      Examples:
        pabal account login google
        pabal account login google --no-browser --port 8765
        pabal account status --json
        pabal account logout google
      """,
    subcommands: [Login.self, Status.self, Logout.self], defaultSubcommand: Status.self)
}

extension Assembly {
  /// The account called `name`, or the only one there is, if Pabal logs it in itself.
  func oauthAccount(_ name: String?) throws(Failure) -> OAuthAccount {
    let names = configuration.accounts.map(\.name)
    guard let name = name ?? (names.count == 1 ? names.first : nil) else {
      guard !names.isEmpty else { throw Failure(.configuration, "there is no account", cure: Self.example) }
      throw Failure(.usage, "there are several accounts", cure: "name one: \(names.joined(separator: ", "))")
    }
    do throws(Diagnostic) {
      guard let account = try accounts.account(name) as? OAuthAccount else {
        throw Diagnostic(
          "the account \(name) holds a token that somebody else renews; nobody logs in or out here",
          cure: "choose another \"provider\"")
      }
      return account
    } catch {
      throw Failure(.configuration, [names.isEmpty ? Diagnostic(error.what, cure: Self.example) : error])
    }
  }

  private static let example =
    "add to the configuration: "
    + "\"accounts\": {\"google\": {\"provider\": \"google\", \"user\": \"you@gmail.com\", \"client\": \"credentials.json\"}}"
}
