// A minimal app that uses the Swift library: sends a code, reads it from standard input, and checks it.
// usage: sign-up CONFIG ADDRESS
import PabalCore
import PabalMessages
import PabalStorage

let arguments = CommandLine.arguments
guard arguments.count == 3 else { fatalError("usage: sign-up CONFIG ADDRESS") }

let configuration = try Configuration.read(arguments[1])
let keys = try configuration.keys.keyring()
let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
let mail = StoredVerificationComposer(try MessageStore(configuration), from: try configuration.sender())
let route = try configuration.loadRoute()
let dispatcher = Dispatcher(
  SQLiteOutbox(database), sealing: keys, options: configuration.outbox.options, route: route)
let verifications = VerificationService(
  store: SQLiteVerificationStore(database), keys: keys, composer: mail,
  policy: configuration.verification.policy,
  dispatch: dispatcher)
let running = Task { await dispatcher.run() }

let verification = try await verifications.start(to: arguments[2], languages: ["ko"])
print("A code is on its way to \(verification.masked).")
while let code = readLine() {
  let answer = try await verifications.check(verification.id, code: code)
  print("\(answer.outcome.rawValue), \(answer.attemptsRemaining) attempts left")
  if answer.outcome == .approved { break }
}

await dispatcher.finish()
await running.value
route.close()
database.close()
