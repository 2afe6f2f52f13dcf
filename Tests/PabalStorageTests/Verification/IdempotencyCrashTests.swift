import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// What holds of idempotency keys whenever a process dies.
@Suite struct IdempotencyCrashTests {
  private static let keys = 300
  private static let kills = 30

  /// Starts a process that uses every key, kills it after so many answers (`nil`: never), and gives what it said.
  private static func runProgram(_ folder: String, killedAfter count: Int?) throws -> [Substring] {
    let output = Pipe()
    let process = try SpawnedProcess(
      "\(BuiltProducts.directory)/verification-asker",
      ["\(folder)/pabal.sqlite", "\(folder)/keys", "once", "shop", "\(keys)"], output: .pipe(output))
    var said = Data()
    while said.count(where: { $0 == 10 }) < count ?? .max {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { break }
      said += more
    }
    if count != nil { process.signal(SIGKILL) }
    process.wait()
    // The last line may have been cut off.
    let lines = String(decoding: said, as: UTF8.self)
    return lines.prefix(lines.lastIndex(of: "\n").map { lines.distance(from: lines.startIndex, to: $0) } ?? 0)
      .split(separator: "\n")
  }

  @Test func `kill -9 at any moment leaves no key with two verifications or mails`() async throws {
    let folder = try TemporaryDirectory()
    let path = folder.path
    let said = await mapOnThreads([Self.kills]) { kills in
      Result {
        var lines: [Substring] = []
        for _ in 0..<kills { lines += try Self.runProgram(path, killedAfter: Int.random(in: 1...40)) }
        return lines + (try Self.runProgram(path, killedAfter: nil))
      }
    }
    var made: [Substring: Set<Substring>] = [:]
    let lines = try said.flatMap { try $0.get() }
    for line in lines {
      let words = line.split(separator: " ")
      try #require(words.count == 2, "\(line)")
      made[words[0], default: []].insert(words[1])
    }
    #expect(made.count == Self.keys)
    #expect(made.values.allSatisfy { $0.count == 1 })
    let database = try SQLiteDatabase(
      "\(path)/pabal.sqlite", keys: try Keyring.loadOrCreate(directory: "\(path)/keys"))
    defer { database.close() }
    let mails = try await SQLiteOutbox(database).read(OutboxQuery(limit: 10_000)).entries
    // One for each, none of which a second start has superseded.
    #expect(mails.count == Self.keys && mails.allSatisfy { $0.state == .waiting })
  }
}
