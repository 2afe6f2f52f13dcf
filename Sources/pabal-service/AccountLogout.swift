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

    private struct Answer: Encodable {
      let account: String
      let result: String

      enum CodingKeys: String, CodingKey {
        case account = "account"
        case result = "result"
      }
    }

    func run() throws {
      let account = try Assembly(common).oauthAccount(name)
      if account.logoutEndsOthers, !onlyHere, !yes {
        let what =
          "Google withdraws the grant of \(account.user) to the whole project, so other programs with a client of the same project are logged out too"
        guard isatty(STDIN_FILENO) == 1 else {
          throw Failure(.usage, what, cure: "say --yes, or remove the tokens here alone with --only-here")
        }
        Terminal.tell("\(what). Go on? [y/N]")
        guard let answer = readLine(), answer.lowercased().hasPrefix("y") else {
          throw Failure(.usage, "nothing was done")
        }
      }
      let result: LogoutResult
      do throws(AccountProblem) {
        result = try account.logOut(onlyHere: onlyHere) { notice in
          if case .waiting(let what) = notice { Terminal.tell("pabal: \(what)") }
        }
      } catch {
        throw Failure(ExitStatus(error.kind), [error.diagnostic])
      }
      let (word, sentence) =
        switch result {
        case .revoked: ("revoked", "The login of \(account.user) is withdrawn, and its tokens are removed.")
        case .alreadyOver: ("over", "The login of \(account.user) had ended before; its tokens are removed.")
        case .forgotten:
          ("forgotten", "The tokens of \(account.user) are removed here; nothing was withdrawn.")
        }
      if common.json {
        try Terminal.answer(json: Answer(account: account.name, result: word))
      } else {
        Terminal.answer(sentence)
      }
    }
  }
}
