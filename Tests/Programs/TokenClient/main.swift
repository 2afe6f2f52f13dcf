// Requests tokens of an account on many threads at once, as the transports of a process do.
// usage: token-client CONFIG ACCOUNT THREADS [--rejected]
// Prints a line for each thread: a fingerprint of its token, or the error.
import Foundation
import PabalAccounts
import PabalCore
import Synchronization

let arguments = CommandLine.arguments
guard arguments.count >= 4, let threads = Int(arguments[3]) else { exit(64) }
let configuration = try Configuration.read(
  arguments[1], providers: [TokenProvider()] + oauthProviders())
let source = try Accounts(configuration).account(arguments[2])
var rejected: String?
if arguments.contains("--rejected") { rejected = try source.accessToken(rejected: nil).text }

let lines = Mutex<[String]>([])
let group = DispatchGroup()
for _ in 0..<threads {
  group.enter()
  Thread.detachNewThread { [rejected] in
    let line: String
    do throws(AccessTokenError) {
      let token = try source.accessToken(rejected: rejected).text
      line =
        "token \(token.utf8.reduce(into: UInt64(14_695_981_039_346_656_037)) { $0 = ($0 ^ UInt64($1)) &* 1_099_511_628_211 })"
    } catch {
      line = "\(error)"
    }
    lines.withLock { $0.append(line) }
    group.leave()
  }
}
group.wait()
print(lines.withLock { $0 }.joined(separator: "\n"))
