import ArgumentParser
import Glibc
import PabalAccounts
import PabalCommand
import PabalCore

/// `pabal account`: identities that yield access tokens.
struct Account: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Log in to accounts, show their state, or log out.",
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
  /// Returns the account `name`, or the only one, provided that Pabal itself logs in to it.
  func oauthAccount(_ name: String?) throws(CommandError) -> OAuthAccount {
    let names = configuration.accounts.map(\.name)
    guard let name = name ?? (names.count == 1 ? names.first : nil) else {
      guard !names.isEmpty else {
        throw CommandError(.configuration, "no account is configured", remedy: Self.example)
      }
      throw CommandError(
        .usage, "several accounts are configured", remedy: "name one: \(names.joined(separator: ", "))")
    }
    do throws(Diagnostic) {
      guard let account = try accounts.account(name) as? OAuthAccount else {
        throw Diagnostic(
          "the account \(name) uses a token that another program renews, so Pabal can't log in or out",
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
      abstract: "Log in to an account with a browser and store its tokens.",
      discussion: """
        On a server, --no-browser prints a URL to open on any machine. Then either forward a port \
        (ssh -L 8765:127.0.0.1:8765 HOST, with --port 8765) or paste the URL of the page that fails to load \
        at the end. Stored tokens are kept until the login succeeds. Exit status: 75 try again later, \
        77 login refused, 78 configuration error.

        Microsoft issues tokens for one service each. An account that is used for Graph and for SMTP logs in to \
        both, one after the other. If the second login fails, the first one stays stored.

        Examples:
          pabal account login google
          pabal account login google --no-browser --port 8765
          pabal account login microsoft --flow device
        """)

    @Argument(help: "An account in config.json; optional if there is only one.")
    var name: String?

    @Flag(name: .customLong("no-browser"), help: "Print the URL instead of opening a browser.")
    var withoutBrowser = false

    @Option(help: "The port on 127.0.0.1 that the browser returns to; default: any free port.")
    var port: UInt16?

    @Option(help: ArgumentHelp("browser, or device to enter a code on another device.", valueName: "flow"))
    var flow: String?

    @Flag(
      help: ArgumentHelp(
        "Ask Google which mailbox logged in, and reject any other than \"user\".",
        discussion:
          "Recommended where other people use the same machine. Google's page then shows checkboxes; select all of them."
      ))
    var confirmUser = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
      if port == 0 { throw ValidationError("invalid port 0; leave --port out to use any free port") }
    }

    private struct LoginOutput: Encodable {
      let account: String
      let resource: OrNull<String>
      let user: String
      let scopes: [String]
      let refreshTokenExpiry: OrNull<String>
      let testing: Bool
      let tokenFile: String
      var others: [LoginOutput] = []

      enum CodingKeys: String, CodingKey {
        case account = "account"
        case resource = "resource"
        case user = "user"
        case scopes = "scopes"
        case testing = "testing"
        case refreshTokenExpiry = "refresh_token_expiry"
        case tokenFile = "token_file"
        case others = "others"
      }
    }

    func run() throws {
      // Each service of Microsoft's asks for its own consent.
      let accounts = try CommandContext(common).oauthAccount(name).all
      var outputs: [LoginOutput] = []
      for (index, account) in accounts.enumerated() {
        if accounts.count > 1 {
          Terminal.printError("Login \(index + 1) of \(accounts.count), for \(account.title):")
        }
        do throws(CommandError) {
          outputs.append(try logIn(account))
        } catch {
          throw error.noting(
            accounts[..<index].map { "the login for \($0.title) succeeded, and its tokens are stored" })
        }
      }
      guard common.json, var first = outputs.first else { return }
      first.others = Array(outputs.dropFirst())
      try Terminal.printResult(json: first)
    }

    private func logIn(_ account: OAuthAccount) throws(CommandError) -> LoginOutput {
      let loginOptions = LoginOptions(
        opensBrowser: !withoutBrowser, port: port, input: STDIN_FILENO, flow: flow,
        confirmsUser: confirmUser)
      let result: LoginResult
      do throws(AccountError) {
        result = try account.logIn(loginOptions, notify: show)
      } catch {
        throw CommandError(ExitStatus(error.kind), [error.diagnostic])
      }
      if !common.json {
        Terminal.printResult("Logged in as \(account.user); tokens stored in \(result.file).")
      }
      warn(of: result)
      return LoginOutput(
        account: account.name, resource: OrNull(account.resource), user: account.user, scopes: result.scopes,
        refreshTokenExpiry: OrNull(result.refreshTokenExpiry?.description), testing: result.isTesting,
        tokenFile: result.file)
    }

    /// Warns if the login expires.
    private func warn(of result: LoginResult) {
      guard let end = result.refreshTokenExpiry else { return }
      if result.isTesting {
        Terminal.printError([
          Diagnostic(
            "THIS LOGIN EXPIRES AT \(end). The app's publishing status is Testing, so Google ends every login after seven days, and mail then waits",
            remedy: "publish the app now (\(GuideStep.publish.place)), then log in again",
            severity: .warning)
        ])
      } else {
        Terminal.printError([
          Diagnostic(
            "this login expires at \(end), because the access was granted for a limited time",
            remedy: "log in again before then", severity: .warning)
        ])
      }
    }

    private func show(_ event: LoginEvent) {
      switch event {
      case .scope(let scope, let meaning):
        Terminal.printError("Requesting \(scope)\(meaning.map { ": \($0)" } ?? "").")
      case .openedBrowser(let url):
        Terminal.printError("Opening your browser. If it doesn't open, go to\n\n  \(url)\n")
      case .openURL(let url, let port):
        Terminal.printError(
          """
          Open this URL in a browser, on this machine or any other:

            \(url)

          At the end, the browser goes to port \(port) of its own machine. If that isn't this one, either
            forward the port first:  ssh -L \(port):127.0.0.1:\(port) THIS-MACHINE
            or paste the URL of the page that fails to load and press Return:
          """)
      case .enterCode(let code, let address, let until):
        Terminal.printError("Open \(address) on any device and enter\n\n  \(code)\n\nbefore \(until).")
      case .ignoredInput(let message), .waiting(let message): Terminal.printError("pabal: \(message)")
      }
    }
  }
}

extension Account {
  /// `pabal account logout`.
  struct Logout: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Revoke an account's login and remove its tokens.",
      discussion: """
        Removes the content of the token file, also behind links, but not copies that were made of it. Those are \
        useless once the login is revoked.

        Google revokes the user's grant to the whole Google Cloud project, so other programs and machines that \
        use a client of the same project are logged out too. --only-here doesn't affect them.

        Examples:
          pabal account logout google
          pabal account logout google --only-here
          pabal account logout google --yes --json
        """)

    @Argument(help: "An account in config.json; optional if there is only one.")
    var name: String?

    @Flag(help: "Don't ask for confirmation.")
    var yes = false

    @Flag(help: "Remove the tokens from this machine without revoking them at the server.")
    var onlyHere = false

    @OptionGroup var common: CommonOptions

    private struct LogoutOutput: Encodable {
      let account: String
      let resource: OrNull<String>
      let result: String
      var others: [LogoutOutput] = []

      enum CodingKeys: String, CodingKey {
        case account = "account"
        case resource = "resource"
        case result = "result"
        case others = "others"
      }
    }

    func run() throws {
      let account = try CommandContext(common).oauthAccount(name)
      if account.logoutEndsOthers, !onlyHere, !yes {
        let message =
          "Google revokes the grant of \(account.user) to the whole project, so other programs that use a client of the same project are logged out too"
        guard isatty(STDIN_FILENO) == 1 else {
          throw CommandError(
            .usage, message, remedy: "pass --yes, or --only-here to remove the tokens from this machine only")
        }
        Terminal.printError("\(message). Continue? [y/N]")
        guard let answer = readLine(), answer.lowercased().hasPrefix("y") else {
          throw CommandError(.usage, "cancelled; nothing was changed")
        }
      }
      // A service that has no login must not keep the login of another.
      let loggedIn = account.all.filter { access($0.tokenFile, F_OK) == 0 }
      guard !loggedIn.isEmpty || account.others.isEmpty else {
        throw CommandError(
          .held,
          "not logged in: \(account.all.map(\.tokenFile).joined(separator: " and ")) don't exist")
      }
      let accounts = loggedIn.isEmpty ? [account] : loggedIn
      var outputs: [LogoutOutput] = []
      for (index, account) in accounts.enumerated() {
        do throws(CommandError) {
          outputs.append(try logOut(account))
        } catch {
          throw error.noting(accounts[..<index].map { "the tokens for \($0.title) were removed" })
        }
      }
      guard common.json, var first = outputs.first else { return }
      first.others = Array(outputs.dropFirst())
      try Terminal.printResult(json: first)
    }

    private func logOut(_ account: OAuthAccount) throws(CommandError) -> LogoutOutput {
      let result: LogoutResult
      do throws(AccountError) {
        result = try account.logOut(onlyHere: onlyHere) { event in
          if case .waiting(let message) = event { Terminal.printError("pabal: \(message)") }
        }
      } catch {
        throw CommandError(ExitStatus(error.kind), [error.diagnostic])
      }
      let user = account.user + (account.title == account.name ? "" : " for \(account.title)")
      let (word, sentence) =
        switch result {
        case .revoked:
          ("revoked", "Logged out: the login of \(user) was revoked and its tokens were removed.")
        case .alreadyExpired:
          ("over", "The login of \(user) had already expired; its tokens were removed.")
        case .forgotten:
          ("forgotten", "The tokens of \(user) were removed from this machine; nothing was revoked.")
        }
      if !common.json { Terminal.printResult(sentence) }
      return LogoutOutput(account: account.name, resource: OrNull(account.resource), result: word)
    }
  }
}
