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

extension CommandContext {
  /// The account called `name`, or the only one there is, if Pabal logs it in itself.
  func oauthAccount(_ name: String?) throws(CommandError) -> OAuthAccount {
    let names = configuration.accounts.map(\.name)
    guard let name = name ?? (names.count == 1 ? names.first : nil) else {
      guard !names.isEmpty else { throw CommandError(.configuration, "there is no account", remedy: Self.example) }
      throw CommandError(.usage, "there are several accounts", remedy: "name one: \(names.joined(separator: ", "))")
    }
    do throws(Diagnostic) {
      guard let account = try accounts.account(name) as? OAuthAccount else {
        throw Diagnostic(
          "the account \(name) holds a token that somebody else renews; nobody logs in or out here",
          remedy: "choose another \"provider\"")
      }
      return account
    } catch {
      throw CommandError(.configuration, [names.isEmpty ? Diagnostic(error.message, remedy: Self.example) : error])
    }
  }

  private static let example =
    "add to the configuration: "
    + "\"accounts\": {\"google\": {\"provider\": \"google\", \"user\": \"you@gmail.com\", \"client\": \"credentials.json\"}}"
}
