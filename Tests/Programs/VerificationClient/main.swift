// Makes the same request to a verification service many times at once, as several processes of a site do.
// DATABASE: the path of a SQLite file, or parameters of libpq such as "host=/tmp/socket dbname=test".
// usage: verification-client DATABASE KEYS check ID CODE COUNT [STEP]   (each code STEP higher than the last)
//        verification-client DATABASE KEYS start ADDRESS COUNT
//        verification-client DATABASE KEYS once CLIENT COUNT   (each with an idempotency key of its own, 1 to COUNT)
// Prints a line for each answer: the outcome and the proof, the id of the verification, or the error. With "once" it
// prints the key and the id, each as soon as it is known.
import Glibc
import PabalCore
import PabalStorage

/// Composes a mail with nothing but the code.
struct PlainMailComposer: VerificationMailComposer {
  func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    do throws(MailError) {
      let draft = MailDraft(
        from: try Mailbox("pabal@example.com"), to: [Mailbox(request.to)], subject: "code", text: request.code
      )
      return VerificationMail(try draft.finish(identity: .now()))
    } catch {
      throw .input(field: error.field, message: error.message)
    }
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
guard arguments.count >= 6, let count = Int(arguments[3] == "check" ? arguments[6] : arguments[5]) else {
  exit(64)
}
let keys = try Keyring.loadOrCreate(directory: arguments[2])
let database: any StorageDatabase =
  arguments[1].contains("=")
  ? try PostgreSQLDatabase(settings(arguments[1]), keys: keys)
  : try SQLiteDatabase(arguments[1], keys: keys, busyTimeout: .seconds(60))
var policy = VerificationPolicy()
if arguments[3] != "check" { policy.cooldown = .zero }
let service = VerificationService(
  store: database.verificationStore, keys: keys, composer: PlainMailComposer(), policy: policy)

@Sendable func request(_ number: Int) async -> String {
  do throws(VerificationError) {
    if arguments[3] == "once" {
      let key = IdempotencyKey("\(number)", client: arguments[4], payload: [1])
      let id = try await service.start(to: "user\(number)@example.com", idempotencyKey: key).value.id
      // Written at once and unbuffered, because the test kills this process.
      let line = "\(number) \(id)\n"
      _ = write(STDOUT_FILENO, line, line.utf8.count)
      return ""
    }
    guard arguments[3] == "check" else { return try await service.start(to: arguments[4]).id }
    let step = arguments.count > 7 ? Int(arguments[7]) ?? 0 : 0
    let digits = String(((Int(arguments[5]) ?? 0) + number * step) % 1_000_000)
    let code = String(repeating: "0", count: 6 - digits.count) + digits
    let result = try await service.check(arguments[4], code: code)
    return "\(result.outcome.rawValue) \(result.proof ?? "")"
  } catch {
    return "\(error)"
  }
}

let lines = await withTaskGroup(of: String.self) { group in
  for number in 0..<count { group.addTask { await request(number) } }
  var lines: [String] = []
  for await line in group { lines.append(line) }
  return lines
}
print(lines.filter { !$0.isEmpty }.joined(separator: "\n"))
database.close()
