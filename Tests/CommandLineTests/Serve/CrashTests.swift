import Foundation
import PabalTesting

/// Two `pabal serve` and two services that start verifications on one store, killed again and again.
final class CrashScenario {
  private let site: TestSite
  private let sink: SMTPSink
  private let servers: [KilledProcess]
  private let starters: [KilledProcess]
  private var random = SystemRandomNumberGenerator()

  /// Codes of the one starter whose clock is wrong are valid for so many seconds; shorter than a dead process's
  /// lease, so that many expire.
  private static let shortLifetime = 3
  private static let lifetime = 120
  /// How long, in milliseconds, a mail may be on its way from the last look at the clock to the server's.
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
      "LD_PRELOAD": BuiltProducts.fixture("clock"), "PABAL_TEST_CLOCK": "\(Self.shortLifetime - Self.lifetime)",
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
      // A random moment is what this is about; nothing waits for it to be a certain one.
      usleep(UInt32.random(in: 20_000...300_000, using: &random))
      let process = processes[Int.random(in: 0..<processes.count, using: &random)]
      if process.kill() {
        count.kills += 1
      } else {
        count.unexpectedOutput.append("\(process.name) had ended by itself")
      }
      try process.start()
    }
    for starter in starters where starter.kill() { count.kills += 1 }
    try drain()
    for server in servers where server.kill() { count.kills += 1 }
    try evaluate(&count)
    return count
  }

  /// Lets the servers hand over what is left, for half a minute at most.
  private func drain() throws {
    for _ in 0..<60 {
      let counts = try site.pabal("outbox", "--json", "--limit", "1").json["counts"] as? [String: Int]
      if let counts, counts["waiting"] == nil, counts["sending"] == nil { return }
      try site.pabal("outbox", "retry", "--all")
      usleep(500_000)
    }
  }

  /// What the programs lived to tell of their attempts.
  private struct ReportedAttempts {
    /// How many attempts on a mail were taken down in the store.
    var settled: [String: Int] = [:]
    /// How many of them ended with nobody knowing whether the mail was taken.
    var unknown: [String: Int] = [:]
    var unexpectedOutput: [String] = []
  }

  private func reportedAttempts() throws -> ReportedAttempts {
    var reportedAttempts = ReportedAttempts()
    func record(_ event: String?, _ mail: String, _ outcome: String?, _ line: Substring) {
      switch event {
      case "attempt": if outcome == "unknown" { reportedAttempts.unknown[mail, default: 0] += 1 }
      case "settled": reportedAttempts.settled[mail, default: 0] += 1
      // Codes of a starter whose clock is behind look old.
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
      // Nobody knew three times whether it was taken, since no reply said so or the process died.
      case "unknown" where (reportedAttempts.unknown[id] ?? 0) + interruptedAttempts(id) >= 3: count.givenUp += 1
      case "waiting", "sending": count.waiting += 1
      default: count.lost.append("\(id) \(state ?? "nowhere"), \(arrivals.count) arrivals")
      }
      for arrival in arrivals {
        count.maxLateness = max(count.maxLateness, arrival - expires)
        if arrival - expires > Self.maxTransitTime { count.lateCodes.append("\(id) by \(arrival - expires) ms") }
      }
      count.duplicates += max(0, arrivals.count - 1)
      if arrivals.count - 1 > interruptedAttempts(id) + (reportedAttempts.unknown[id] ?? 0) {
        count.unexplainedDuplicates.append("\(id) arrived \(arrivals.count) times, \(interruptedAttempts(id)) attempts were cut off")
      }
    }
  }
}
