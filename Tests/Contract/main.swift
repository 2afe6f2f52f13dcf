// Runs the transport contract test on a plugin: pabal-contract ./libpabal-x.so key=value …
import Foundation
import PabalCore
import PabalTesting

let arguments = Array(CommandLine.arguments.dropFirst())
guard let path = arguments.first, !path.hasPrefix("-") else {
  print(
    """
    usage: ./dev contract SO [SETTING=VALUE …] [--from ADDRESS] [--to ADDRESS …]

    Loads the plugin as pabal does and checks the rules of pabal_transport.h. It sends real mail: pass settings, a
    sender and three recipients of a test server.

    For a setting of kind account, pass the mailbox, and its access token in PABAL_CONTRACT_TOKEN.

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
      FileHandle.standardError.write(
        Data(
          "pabal-contract: “\(argument)”: not a SETTING=VALUE; see pabal-contract without arguments\n".utf8))
      exit(64)
    }
    settings[String(argument[..<separator])] = String(argument[argument.index(after: separator)...])
  }
}
signal(SIGPIPE, SIG_IGN)
if recipients.isEmpty { recipients = ["a@example.org", "b@example.org", "c@example.org"] }
for address in recipients + [sender] where (try? Address(address)) == nil {
  FileHandle.standardError.write(Data("pabal-contract: “\(address)”: not an address; correct it\n".utf8))
  exit(65)
}

/// One token for one mailbox, from the environment, because other users can see a process's arguments.
struct ContractAccount: AccessTokenSource {
  let user: String
  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    guard let token = ProcessInfo.processInfo.environment["PABAL_CONTRACT_TOKEN"] else {
      throw .held("PABAL_CONTRACT_TOKEN isn't set; set it to an access token", retryAfter: nil)
    }
    guard token != rejected else {
      throw .held("the server refused the token; set PABAL_CONTRACT_TOKEN to a new one", retryAfter: nil)
    }
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
print(broken == 0 ? "The plugin keeps the contract." : "\(broken) of \(findings.count) rules are broken.")
exit(broken == 0 ? 0 : 1)
