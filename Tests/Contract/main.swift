// The transport contract test for a plugin of your own: pabal-contract ./libpabal-x.so key=value …
import Foundation
import PabalCore
import PabalTesting

let arguments = Array(CommandLine.arguments.dropFirst())
guard let path = arguments.first, !path.hasPrefix("-") else {
  print(
    """
    usage: ./dev contract SO [SETTING=VALUE …] [--from ADDRESS] [--to ADDRESS …]

    Loads the plugin as pabal does and checks every rule of pabal_transport.h that shows from outside. Mail
    really leaves: give settings, a sender and three recipients of a far side made for tests.

    A setting of kind account takes the mailbox, and PABAL_CONTRACT_TOKEN holds its access token.

    Example: ./dev contract .build/debug/libpabal-file.so directory=/tmp/mail
    """)
  exit(arguments.isEmpty ? 64 : 0)
}

var settings: [String: String] = [:]
var recipients: [String] = []
var sender = "alice@example.test"
var remaining = arguments.dropFirst()
while let argument = remaining.popFirst() {
  switch argument {
  case "--from": sender = remaining.popFirst() ?? sender
  case "--to": recipients += remaining.popFirst().map { [$0] } ?? []
  default:
    guard let separator = argument.firstIndex(of: "=") else {
      FileHandle.standardError.write(Data("pabal-contract: “\(argument)” is no SETTING=VALUE\n".utf8))
      exit(64)
    }
    settings[String(argument[..<separator])] = String(argument[argument.index(after: separator)...])
  }
}
signal(SIGPIPE, SIG_IGN)
if recipients.isEmpty { recipients = ["a@example.org", "b@example.org", "c@example.org"] }
for address in recipients + [sender] where (try? Address(address)) == nil {
  FileHandle.standardError.write(Data("pabal-contract: “\(address)” is no address\n".utf8))
  exit(65)
}

/// One token for one mailbox, from the environment, where no process list shows it.
struct ContractAccount: AccessTokenSource {
  let user: String
  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    guard let token = ProcessInfo.processInfo.environment["PABAL_CONTRACT_TOKEN"] else {
      throw .held("PABAL_CONTRACT_TOKEN is not set", retryAfter: nil)
    }
    guard token != rejected else { throw .held("the far side refused the token", retryAfter: nil) }
    return AccessToken(text: token)
  }
}

var accounts: [String: any AccessTokenSource] = [:]
for setting in (try? Plugin(at: path))?.settings ?? [] where setting.kind == .account {
  if let user = settings[setting.key] { accounts[user] = ContractAccount(user: user) }
}
let contract = TransportContract(
  path, settings: settings, accounts: accounts, recipients: recipients, sender: sender)
let findings = contract.findings()
for finding in findings { print(finding) }
let broken = findings.filter { $0.problem != nil }.count
print(broken == 0 ? "The contract is kept." : "\(broken) of \(findings.count) rules are broken.")
exit(broken == 0 ? 0 : 1)
