import Foundation
import PabalTesting
import Testing

/// The promises of an acknowledged start hold whichever process is killed at whatever moment.
@Suite struct CrashTests {
  /// The number of processes to kill; `PABAL_KILLS` sets another one for nightly runs.
  static let kills = ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init) ?? 200

  @Test func `kill -9 at any moment loses no acknowledged mail and sends no expired code`() async throws {
    let results = await mapOnThreads([Self.kills]) { kills in
      Result { try CrashScenario().run(kills: kills) }
    }
    let count = try #require(try results.first?.get())
    print("crash: \(count)")
    #expect(count.acknowledged > count.kills, "too little load")
    #expect(count.lost == [])
    #expect(count.lateCodes == [])
    #expect(count.unexplainedDuplicates == [])
    #expect(count.unexpectedOutput == [])
    // The run covered both cases.
    #expect(count.sent > 0 && count.expired > 0)
  }
}

/// The result of a run.
struct CrashResult: CustomStringConvertible, Sendable {
  var kills = 0
  var acknowledged = 0
  var sent = 0
  var expired = 0
  var waiting = 0
  var givenUp = 0
  var interrupted = 0
  var unknown = 0
  var duplicates = 0
  var maxLateness = 0
  /// Mails that were acknowledged and neither arrived, nor wait, nor ended with a reason.
  var lost: [String] = []
  /// Codes whose sending began after their expiry.
  var lateCodes: [String] = []
  /// Mails that arrived again although no attempt was interrupted by a kill or ended `unknown`.
  var unexplainedDuplicates: [String] = []
  /// Output that the programs should not have written.
  var unexpectedOutput: [String] = []

  var description: String {
    """
    \(kills) kills; \(acknowledged) mails acknowledged: \(sent) sent, \(expired) expired, \(waiting) waiting, \
    \(givenUp) given up as unknown, \
    \(lost.count) lost; attempts cut off \(interrupted), ended unknown \(unknown); \
    \(duplicates) arrived again, \(unexplainedDuplicates.count) of them without such an attempt; \
    \(lateCodes.count) codes late (begun at most \(maxLateness) ms after expiry)
    """
  }
}

/// Two `pabal serve` and two programs that start verifications on one store, which are killed repeatedly.
final class CrashScenario {
  private let site: TestSite
  private let sink: SMTPSink
  private let servers: [KilledProcess]
  private let starters: [KilledProcess]
  private var random = SystemRandomNumberGenerator()

  /// The lifetime in seconds of codes from the starter with a wrong clock; shorter than a lease, so that many expire.
  private static let shortLifetime = 3
  private static let lifetime = 120
  /// The time in milliseconds that a mail may take from the last check of the clock to its arrival.
  private static let maxTransitTime = 1_500

  init() throws {
    site = try TestSite()
    sink = try SMTPSink(in: site.directory, defer: 30, drop: 10, delay: 0.02)
    let path = site.directory.path
    try site.directory.write(
      """
      {
        "transport": "smtp",
        "transports": {
          "smtp": {
            "plugin": "smtp", "host": "127.0.0.1", "port": \(sink.port), "security": "none", "parallel": 8
          }
        },
        "from": "pabal@example.com",
        "messages": { "directory": "messages", "language": "ko", "variables": { "service": "Pabal" } },
        "outbox": { "lease": "5s" },
        "verification": { "lifetime": "\(Self.lifetime)s" }
      }
      """, to: "config.json")
    servers = try ["one", "two"].map {
      try KilledProcess("serve-\($0)", ["pabal", "serve", "--json"], in: path)
    }
    let clock = [
      "LD_PRELOAD": BuiltProducts.fixture("clock"),
      "PABAL_TEST_CLOCK": "\(Self.shortLifetime - Self.lifetime)",
    ]
    starters = [
      try KilledProcess(
        "late", ["verification-starter", "config.json", "late", "4", "queue"], environment: clock, in: path),
      try KilledProcess("busy", ["verification-starter", "config.json", "busy", "4", "dispatch"], in: path),
    ]
  }

  func run(kills: Int) throws -> CrashResult {
    var count = CrashResult()
    let processes = servers + starters
    for process in processes { try process.start() }
    for _ in 0..<kills {
      // Sleeps for a random time on purpose, because a kill must come at any moment.
      usleep(UInt32.random(in: 20_000...300_000, using: &random))
      let process = processes[Int.random(in: 0..<processes.count, using: &random)]
      if process.kill() {
        count.kills += 1
      } else {
        count.unexpectedOutput.append("\(process.name) ended by itself")
      }
      try process.start()
    }
    for starter in starters where starter.kill() { count.kills += 1 }
    try drain()
    for server in servers where server.kill() { count.kills += 1 }
    try evaluate(&count)
    return count
  }

  /// Lets the servers send the remaining mail, for half a minute at most.
  private func drain() throws {
    for _ in 0..<60 {
      let counts = try site.pabal("outbox", "--json", "--limit", "1").json["counts"] as? [String: Int]
      if let counts, counts["waiting"] == nil, counts["sending"] == nil { return }
      try site.pabal("outbox", "retry", "--all")
      usleep(500_000)
    }
  }

  /// The attempts that the programs reported before they were killed.
  private struct ReportedAttempts {
    /// The number of settled attempts by mail.
    var settled: [String: Int] = [:]
    /// The number of attempts that ended `unknown`, by mail.
    var unknown: [String: Int] = [:]
    var unexpectedOutput: [String] = []
  }

  private func reportedAttempts() throws -> ReportedAttempts {
    var reportedAttempts = ReportedAttempts()
    func record(_ event: String?, _ mail: String, _ outcome: String?, _ line: Substring) {
      switch event {
      case "attempt": if outcome == "unknown" { reportedAttempts.unknown[mail, default: 0] += 1 }
      case "settled": reportedAttempts.settled[mail, default: 0] += 1
      // `codes wait` occurs because the codes of the starter whose clock is behind look old.
      case "serving", "started", "codes wait": break
      default: reportedAttempts.unexpectedOutput.append(String(line))
      }
    }
    for line in try servers.flatMap({ try $0.lines() }) {
      let event = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
      record(event?["event"], event?["mail"] ?? "", event?["outcome"], line)
    }
    for line in try starters.flatMap({ try $0.lines() }) {
      let words = line.split(separator: " ").map(String.init)
      record(words.first, words.count > 1 ? words[1] : "", words.count > 2 ? words[2] : nil, line)
    }
    return reportedAttempts
  }

  private func evaluate(_ count: inout CrashResult) throws {
    let reportedAttempts = try reportedAttempts()
    count.unexpectedOutput += reportedAttempts.unexpectedOutput
    let taken = try sink.taken()
    var entries: [String: [String: Any]] = [:]
    let list = try site.pabal("outbox", "--json", "--limit", "10000")
    for mail in try list.json["mails"] as? [[String: Any]] ?? [] {
      if let id = mail["id"] as? String { entries[id] = mail }
    }
    func interruptedAttempts(_ id: String) -> Int {
      max(0, (entries[id]?["attempts"] as? Int ?? 0) - (reportedAttempts.settled[id] ?? 0))
    }
    for id in entries.keys {
      count.unknown += reportedAttempts.unknown[id] ?? 0
      count.interrupted += interruptedAttempts(id)
    }
    for line in try starters.flatMap({ try $0.lines() }) where line.hasPrefix("started ") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 4, let expires = Int(words[3]) else { continue }
      let (id, address) = (words[1], words[2])
      let arrivals = taken[address] ?? []
      count.acknowledged += 1
      let state = entries[id]?["status"] as? String
      switch state {
      case "sent" where !arrivals.isEmpty: count.sent += 1
      case "expired": count.expired += 1
      // Given up after three attempts without a reply, or with a process that was killed.
      case "unknown" where (reportedAttempts.unknown[id] ?? 0) + interruptedAttempts(id) >= 3:
        count.givenUp += 1
      case "waiting", "sending": count.waiting += 1
      default: count.lost.append("\(id) \(state ?? "nowhere"), \(arrivals.count) arrivals")
      }
      for arrival in arrivals {
        count.maxLateness = max(count.maxLateness, arrival - expires)
        if arrival - expires > Self.maxTransitTime {
          count.lateCodes.append("\(id) by \(arrival - expires) ms")
        }
      }
      count.duplicates += max(0, arrivals.count - 1)
      if arrivals.count - 1 > interruptedAttempts(id) + (reportedAttempts.unknown[id] ?? 0) {
        count.unexplainedDuplicates.append(
          "\(id) arrived \(arrivals.count) times, \(interruptedAttempts(id)) attempts were cut off")
      }
    }
  }
}

/// A program that is repeatedly killed and started again. The output of all runs goes to one file.
final class KilledProcess {
  let name: String
  private let arguments: [String]
  private let environment: [String: String]
  private let directory: String
  private let output: String
  private var process: SpawnedProcess?

  /// Creates the program without starting it; the first of `arguments` is its name among the built products.
  init(_ name: String, _ arguments: [String], environment: [String: String] = [:], in directory: String)
    throws
  {
    self.name = name
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    output = "\(directory)/\(name).out"
    try Data().write(to: URL(filePath: output))
  }

  func start() throws {
    let file = try FileHandle(forWritingTo: URL(filePath: output))
    try file.seekToEnd()
    process = try SpawnedProcess(
      "\(BuiltProducts.directory)/\(arguments[0])", Array(arguments.dropFirst()),
      environment: .current(with: environment), directory: directory, output: .file(file),
      errors: .file(file))
  }

  /// Kills the program as `kill -9` does; returns whether it was running.
  @discardableResult
  func kill() -> Bool {
    guard let process else { return false }
    process.signal(SIGKILL)
    self.process = nil
    return process.wait() == -SIGKILL
  }

  /// The lines that all runs printed.
  func lines() throws -> [Substring] {
    try String(contentsOfFile: output, encoding: .utf8).split(separator: "\n")
  }
}
