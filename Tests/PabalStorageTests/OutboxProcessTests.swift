import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// Several processes that share a database.
@Suite struct OutboxProcessTests {
  private let worker = "\(BuiltProducts.directory)/outbox-worker"

  /// Fills a database with `count` mails.
  private func fill(_ backend: SharedBackend, _ path: String, _ count: Int) async throws {
    let database = try backend.open(path, keyCheck: [1, 2, 3])
    let now = Timestamp.now()
    try await database.outbox.add(
      (0..<count).map { number in
        OutboxEntry(
          id: "M\(number)", lane: number % 5 == 0 ? .code : .bulk, created: now,
          content: OutboxContent(try Mail.sample(id: "M\(number)")).bytes)
      })
    database.close()
  }

  /// Runs a worker for each of `deaths`, the number of sends after which it kills itself (0: never).
  private func run(
    _ path: String, _ log: String, lease seconds: Int, _ deaths: [Int]
  ) async -> [ChildProcess?] {
    let worker = worker
    return await mapOnThreads(deaths) { death in
      try? ChildProcess.run(worker, ["work", path, log, "\(seconds)"] + (death == 0 ? [] : ["\(death)"]))
    }
  }

  private func lines(_ log: String) throws -> [String] {
    try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
  }

  @Test(arguments: SharedBackend.allCases)
  func `three processes send each mail exactly once`(_ backend: SharedBackend) async throws {
    try await backend.withDatabase { folder, path in
      let log = "\(folder.path)/log"
      try await fill(backend, path, 600)
      let ends = await run(path, log, lease: 60, [0, 0, 0])
      #expect(ends.map { $0?.status } == [0, 0, 0])
      #expect(ends.map { $0?.output } == ["", "", ""])
      let sent = try lines(log)
      #expect(sent.count == 600)
      #expect(Set(sent).count == 600)
    }
  }

  @Test(arguments: SharedBackend.allCases)
  func `killed processes lose no mail, and at most the mails in progress are sent twice`(
    _ backend: SharedBackend
  ) async throws {
    try await backend.withDatabase { folder, path in
      let log = "\(folder.path)/log"
      try await fill(backend, path, 400)
      // The lease is short because the last process waits for those of the killed ones, but long enough for a slow machine.
      let ends = await run(path, log, lease: 8, [40, 60, 80])
      #expect(ends.map { $0?.status } == [-9, -9, -9])
      let last = await run(path, log, lease: 8, [0])
      #expect(last.map { $0?.status } == [0])
      let sent = try lines(log)
      #expect(Set(sent).count == 400)
      // Each of the three killed processes had up to eight attempts in progress.
      #expect(sent.count <= 400 + 3 * 8)
      let database = try backend.open(path, keyCheck: [1, 2, 3])
      let seen = try await database.outbox.read(OutboxQuery(limit: 0, withCounts: true))
      #expect(seen.counts == [.sent: 400])
      database.close()
    }
  }

  @Test func `processes that open a new file at the same time create it once`() async throws {
    let folder = try TemporaryDirectory()
    let worker = worker
    let ends = await mapOnThreads(Array(0..<8)) { _ in
      try? ChildProcess.run(worker, ["open", "\(folder.path)/data/pabal.sqlite"])
    }
    #expect(ends.map { $0?.output } == Array(repeating: "", count: 8))
    #expect(ends.map { $0?.status } == Array(repeating: 0, count: 8))
  }
}

@Suite struct DurabilityTests {
  @Test(
    .enabled(
      if: (try? ChildProcess.run("strace", ["-f", "true"]).status) == 0, "strace must be allowed to trace"))
  func `a claim is synced to disk before the mail is sent`() async throws {
    let folder = try TemporaryDirectory()
    let (path, log) = ("\(folder.path)/pabal.sqlite", "\(folder.path)/log")
    let database = try SQLiteDatabase(path, keyCheck: [1, 2, 3])
    try await SQLiteOutbox(database).add([
      OutboxEntry(
        id: "M1", lane: .code, created: Timestamp.now(),
        content: OutboxContent(try Mail.sample(id: "M1")).bytes)
    ])
    database.close()
    let worker = "\(BuiltProducts.directory)/outbox-worker"
    let trace = "\(folder.path)/trace"
    let end = await mapOnThreads([0]) { _ in
      try? ChildProcess.run(
        "strace",
        ["-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,fdatasync", worker, "work", path, log, "60"])
    }
    #expect(end.map { $0?.status } == [0])
    let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    let send = try #require(calls.firstIndex { $0.contains("write(") && $0.contains(log) })
    let claimed = calls[..<send]
    let written = try #require(claimed.lastIndex { $0.contains("pwrite64(") && $0.contains("-wal>") })
    let synced = try #require(claimed.lastIndex { $0.contains("fdatasync(") && $0.contains("-wal>") })
    #expect(written < synced)
  }
}
