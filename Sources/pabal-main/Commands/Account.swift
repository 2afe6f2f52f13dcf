import ArgumentParser
import Glibc
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
      guard !names.isEmpty else {
        throw CommandError(.configuration, "there is no account", remedy: Self.example)
      }
      throw CommandError(
        .usage, "there are several accounts", remedy: "name one: \(names.joined(separator: ", "))")
    }
    do throws(Diagnostic) {
      guard let account = try accounts.account(name) as? OAuthAccount else {
        throw Diagnostic(
          "the account \(name) holds a token that somebody else renews; nobody logs in or out here",
          remedy: "choose another \"provider\"")
      }
      return account
    } catch {
      throw CommandError(
        .configuration, [names.isEmpty ? Diagnostic(error.message, remedy: Self.example) : error])
    }
  }

  private static let example =
    "add to the configuration: "
    + "\"accounts\": {\"google\": {\"provider\": \"google\", \"user\": \"you@gmail.com\", \"client\": \"credentials.json\"}}"
}

extension Account {
  /// `pabal account login`.
  struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Log an account in, in a browser, and keep its tokens.",
      discussion: """
        On a server: --no-browser prints an address to open anywhere. Then either forward a port, \
        ssh -L 8765:127.0.0.1:8765 HOST with --port 8765, or paste the address of the page that fails to open \
        at the end. What was stored before stays until the login succeeds. Exit status: 75 it may work later, \
        77 it was refused, 78 the configuration is wrong.

        Examples:
          pabal account login google
          pabal account login google --no-browser --port 8765
          pabal account login microsoft --flow device
        """)

    @Argument(help: "The account of config.json; may be left out where there is one.")
    var name: String?

    @Flag(name: .customLong("no-browser"), help: "Print the address; open no browser.")
    var withoutBrowser = false

    @Option(help: "The port of 127.0.0.1 that the browser comes back to; default: any free one.")
    var port: UInt16?

    @Option(help: ArgumentHelp("browser, or device for a code typed in elsewhere.", valueName: "way"))
    var flow: String?

    @Flag(
      help: ArgumentHelp(
        "Ask Google, too, which mailbox logs in, and refuse another than \"user\".",
        discussion: "Its page then has boxes: tick them all."))
    var confirmUser = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
      if port == 0 { throw ValidationError("--port 0 is no port; leave --port out for any free one") }
    }

    private struct LoginOutput: Encodable {
      let account: String
      let user: String
      let scopes: [String]
      let refreshTokenExpiry: OrNull<String>
      let testing: Bool
      let tokenFile: String

      enum CodingKeys: String, CodingKey {
        case account = "account"
        case user = "user"
        case scopes = "scopes"
        case testing = "testing"
        case refreshTokenExpiry = "refresh_token_expiry"
        case tokenFile = "token_file"
      }
    }

    func run() throws {
      let account = try CommandContext(common).oauthAccount(name)
      let loginOptions = LoginOptions(
        opensBrowser: !withoutBrowser, port: port, input: STDIN_FILENO, flow: flow,
        confirmsUser: confirmUser)
      let result: LoginResult
      do throws(AccountError) {
        result = try account.logIn(loginOptions, notify: show)
      } catch {
        throw CommandError(ExitStatus(error.kind), [error.diagnostic])
      }
      let isTesting = result.isTesting
      if common.json {
        try Terminal.printResult(
          json: LoginOutput(
            account: account.name, user: account.user, scopes: result.scopes,
            refreshTokenExpiry: OrNull(result.refreshTokenExpiry?.description), testing: isTesting,
            tokenFile: result.file))
      } else {
        Terminal.printResult("Logged in as \(account.user); the tokens are in \(result.file).")
      }
      guard let end = result.refreshTokenExpiry else { return }
      if isTesting {
        Terminal.printError([
          Diagnostic(
            "THIS LOGIN ENDS AT \(end). The app's publishing status is Testing, where Google ends every login after seven days, and mail then waits",
            remedy: "publish the app now (\(GuideStep.publish.place)), then log in again",
            severity: .warning)
        ])
      } else {
        Terminal.printError([
          Diagnostic(
            "this login ends at \(end), because the grant is limited in time",
            remedy: "log in again before", severity: .warning)
        ])
      }
    }

    private func show(_ event: LoginEvent) {
      switch event {
      case .scope(let scope, let meaning):
        Terminal.printError("Asking for \(scope)\(meaning.map { ": \($0)" } ?? "").")
      case .openedBrowser(let url):
        Terminal.printError("Your browser opens. If it doesn't, open\n\n  \(url)\n")
      case .openURL(let url, let port):
        Terminal.printError(
          """
          Open this in a browser, here or anywhere:

            \(url)

          At its end the browser goes to port \(port) of its own machine. If that is another one, either
            forward it before:  ssh -L \(port):127.0.0.1:\(port) THIS-MACHINE
            or paste the address of the page that then fails, and press Return:
          """)
      case .enterCode(let code, let address, let until):
        Terminal.printError("Open \(address) on any device and type in\n\n  \(code)\n\nbefore \(until).")
      case .ignoredInput(let message), .waiting(let message): Terminal.printError("pabal: \(message)")
      }
    }
  }
}

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
          throw CommandError(
            .usage, message, remedy: "say --yes, or remove the tokens here alone with --only-here")
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
        case .alreadyExpired:
          ("over", "The login of \(account.user) had ended before; its tokens are removed.")
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
