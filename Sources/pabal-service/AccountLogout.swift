import ArgumentParser
import Glibc
import PabalAccounts
import PabalCommand
import PabalCore

extension Account {
  /// `pabal account logout`.
  struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Withdraw an account's login and remove its tokens.",
      discussion: """
        Google withdraws the user's grant to the whole Google Cloud project: other programs and machines that \
        use a client of the same project are logged out too. --only-here leaves them alone.

        Examples:
          pabal account logout google
          pabal account logout google --only-here
          pabal account logout google --yes --json
        """)

    @Argument(help: "The account of config.json; may be left out where there is one.")
    var name: String?

    @Flag(help: "Don't ask.")
    var yes = false

    @Flag(help: "Remove the tokens here, and withdraw nothing at the server.")
    var onlyHere = false

    @OptionGroup var common: CommonOptions

    private struct LogoutOutput: Encodable {
      let account: String
      let result: String

      enum CodingKeys: String, CodingKey {
        case account = "account"
        case result = "result"
      }
    }

    func run() throws {
      let account = try CommandContext(common).oauthAccount(name)
      if account.logoutEndsOthers, !onlyHere, !yes {
        let message =
          "Google withdraws the grant of \(account.user) to the whole project, so other programs with a client of the same project are logged out too"
        guard isatty(STDIN_FILENO) == 1 else {
          throw CommandError(.usage, message, remedy: "say --yes, or remove the tokens here alone with --only-here")
        }
        Terminal.printError("\(message). Go on? [y/N]")
        guard let answer = readLine(), answer.lowercased().hasPrefix("y") else {
          throw CommandError(.usage, "nothing was done")
        }
      }
      let result: LogoutResult
      do throws(AccountError) {
        result = try account.logOut(onlyHere: onlyHere) { event in
          if case .waiting(let message) = event { Terminal.printError("pabal: \(message)") }
        }
      } catch {
        throw CommandError(ExitStatus(error.kind), [error.diagnostic])
      }
      let (word, sentence) =
        switch result {
        case .revoked: ("revoked", "The login of \(account.user) is withdrawn, and its tokens are removed.")
        case .alreadyExpired: ("over", "The login of \(account.user) had ended before; its tokens are removed.")
        case .forgotten:
          ("forgotten", "The tokens of \(account.user) are removed here; nothing was withdrawn.")
        }
      if common.json {
        try Terminal.printResult(json: LogoutOutput(account: account.name, result: word))
      } else {
        Terminal.printResult(sentence)
      }
    }
  }
}
