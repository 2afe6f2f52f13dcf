import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Testing

@Suite struct DurabilityTests {
  @Test(
    .enabled(
      if: (try? ChildProcess.run("strace", ["-f", "true"]).status) == 0, "strace must be allowed to trace"))
  func `what a commit wrote is synced before anything is done on the strength of it`() async throws {
    let folder = try TemporaryDirectory()
    let (path, log) = ("\(folder.path)/pabal.sqlite", "\(folder.path)/log")
    let database = try SQLiteDatabase(path, keyCheck: [1, 2, 3])
    try await SQLiteOutbox(database).add([
      OutboxEntry(
        id: "M1", lane: .code, created: Timestamp.now(),
        content: OutboxContent(try Mail.sample(id: "M1")).octets)
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
