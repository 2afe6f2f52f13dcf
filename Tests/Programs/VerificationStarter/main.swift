// Starts verifications until it is killed, as a busy service does, and prints those that were acknowledged.
// usage: verification-starter CONFIG PREFIX CALLERS queue|dispatch
// Prints "started MAIL ADDRESS EXPIRES" for each, the last in milliseconds since 1970.
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
    case .attempted(let id, _, let outcome, _, _, _): say("attempt \(id) \(outcome.name)")
    case .settled(let entry): say("settled \(entry.id)")
    case .codesDelayed, .paced, .routeMissing: break
    default: say("\(event)")
    }
  }, route: route)
let service = VerificationService(
  store: SQLiteVerificationStore(database), keys: keys,
  composer: StoredVerificationComposer(try MessageStore(configuration), from: try configuration.sender()),
  policy: configuration.verification.policy, dispatch: arguments[4] == "dispatch" ? dispatcher : nil)

/// Prints a line with a single write, so that a killed process leaves whole lines.
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
        // Each process uses addresses of its own, because those of the one before are in their cooldown.
        let address = "\(arguments[2])-\(getpid())-\(caller)-\(number)@example.org"
        do throws(VerificationError) {
          let started = try await service.start(to: address)
          say("started \(started.delivery?.mail ?? "-") \(address) \(started.expires.milliseconds)")
        } catch {
          say("refused \(error)")
        }
        // The pause makes it like a real service; without it the test would only measure the disk.
        try? await Task.sleep(for: .milliseconds(40))
      }
    }
  }
}
