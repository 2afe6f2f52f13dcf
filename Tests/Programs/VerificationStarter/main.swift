// Starts verifications without an end, as a busy service does, and prints those that were acknowledged.
// usage: verification-starter CONFIG PREFIX CALLERS queue|dispatch
// prints "ID MAIL ADDRESS NOT-AFTER" for each, the last in milliseconds since 1970
import Glibc
import PabalCore
import PabalMessages
import PabalStorage

let arguments = CommandLine.arguments
guard arguments.count == 5, let callers = Int(arguments[3]) else { exit(64) }
let configuration = try Configuration.read(arguments[1])
let keys = try configuration.keys.keyring()
let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
let route = try configuration.loadRoute()
let dispatcher = Dispatcher(
  SQLiteOutbox(database), sealing: keys, options: configuration.outbox.options,
  report: { event in
    switch event {
    case .attempted(let id, _, let outcome, _, _): say("attempt \(id) \(outcome.name)")
    case .settled(let entry): say("settled \(entry.id)")
    case .codesDelayed, .paced: break
    default: say("\(event)")
    }
  }, route: route)
let service = VerificationService(
  store: SQLiteVerificationStore(database), keys: keys,
  composer: StoredVerificationComposer(try MessageStore(configuration), from: try configuration.sender()),
  policy: configuration.verification.policy, dispatch: arguments[4] == "dispatch" ? dispatcher : nil)

/// One write, so that a kill leaves whole lines.
@Sendable func say(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  _ = write(STDOUT_FILENO, bytes, bytes.count)
}

if arguments[4] == "dispatch" { Task { await dispatcher.run() } }
await withTaskGroup(of: Void.self) { group in
  for caller in 0..<callers {
    group.addTask {
      var number = 0
      while true {
        number += 1
        // Each life has addresses of its own, or the cooldown of the one before would be in its way.
        let address = "\(arguments[2])-\(getpid())-\(caller)-\(number)@example.org"
        do throws(VerificationError) {
          let started = try await service.start(to: address)
          say("started \(started.delivery?.mail ?? "-") \(address) \(started.expires.milliseconds)")
        } catch {
          say("refused \(error)")
        }
        // A service's callers come one after the other; without a pause the disk is all there is.
        try? await Task.sleep(for: .milliseconds(40))
      }
    }
  }
}
