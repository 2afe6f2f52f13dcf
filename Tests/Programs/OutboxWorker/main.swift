// Drains an outbox, beside other processes, with a transport that writes ids to a file.
// usage: outbox-worker work DATABASE LOG LEASE [DIE-AFTER]   until no mail is left; kills itself in send DIE-AFTER
//        outbox-worker open DATABASE                         prints the error, if there is one
// LEASE is in seconds. DATABASE: the path of a SQLite file, or parameters of libpq such as "host=/tmp/socket dbname=test".
import Glibc
import PabalCore
import PabalStorage
import Synchronization

/// Leaves content unsealed.
struct PassthroughSealing: ContentSealing {
  func seal(_ clear: [UInt8], id: String) -> [UInt8] { clear }
  func open(_ sealed: [UInt8], id: String) throws -> [UInt8] { sealed }
}

/// Appends the id of each sent mail to a file.
final class LogTransport: Transport {
  private let file: CInt
  private let dieAfter: Int
  private let sent = Mutex(0)

  init(file: CInt, dieAfter: Int) {
    self.file = file
    self.dieAfter = dieAfter
  }

  func send(_ mail: Mail) async -> Receipt {
    let line = Array("\(mail.id)\n".utf8)
    _ = write(file, line, line.count)
    let count = sent.withLock { sent in
      sent += 1
      return sent
    }
    if count == dieAfter { kill(getpid(), SIGKILL) }
    return Receipt(.sent, for: mail.envelope)
  }
}

/// The parameters of libpq in "host=/tmp/socket port=5432 user=postgres dbname=test".
func settings(_ text: String) -> PostgreSQLSettings {
  let parameters = text.split(separator: " ").map { word in
    let parts = word.split(separator: "=", maxSplits: 1)
    return (keyword: String(parts[0]), value: String(parts.last ?? ""))
  }
  return PostgreSQLSettings(parameters: parameters, place: "test")
}

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { exit(64) }
do throws(StorageError) {
  let database: any StorageDatabase =
    arguments[2].contains("=")
    ? try PostgreSQLDatabase(settings(arguments[2]), keyCheck: [1, 2, 3])
    : try SQLiteDatabase(arguments[2], keyCheck: [1, 2, 3])
  guard arguments[1] == "work", arguments.count >= 5, let lease = Int(arguments[4]) else {
    database.close()
    exit(0)
  }
  let file = open(arguments[3], O_WRONLY | O_CREAT | O_APPEND, 0o600)
  let transport = LogTransport(file: file, dieAfter: arguments.count > 5 ? Int(arguments[5]) ?? 0 : 0)
  let outbox = database.outbox
  var options = DispatcherOptions()
  options.leaseDuration = .seconds(lease)
  options.pollInterval = .milliseconds(50)
  let dispatcher = Dispatcher(
    outbox, sealing: PassthroughSealing(), options: options,
    report: { event in
      if case .storage(let error) = event { print(error) }
      if case .lost(let id) = event { print("lost \(id)") }
    }, route: { [DispatchTransport("log", transport)] })
  let loop = Task { await dispatcher.run() }
  while true {
    let counts = try await outbox.read(OutboxQuery(limit: 0, withCounts: true)).counts
    if counts[.waiting] == nil, counts[.sending] == nil { break }
    try? await Task.sleep(for: .milliseconds(20))
  }
  await dispatcher.finish()
  await loop.value
  database.close()
} catch {
  print(error)
  exit(75)
}
