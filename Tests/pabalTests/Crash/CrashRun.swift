import Foundation
import PabalTesting

/// Two `pabal serve` and two services that start verifications on one store, killed again and again.
final class CrashRun {
  private let site: Site
  private let sink: Sink
  private let servers: [Victim]
  private let starters: [Victim]
  private var random = SystemRandomNumberGenerator()

  /// Codes of the one starter whose clock is wrong are valid for so many seconds; shorter than a dead process's
  /// lease, so that many expire.
  private static let short = 3
  private static let lifetime = 120
  /// How long, in milliseconds, a mail may be on its way from the last look at the clock to the server's.
  private static let onItsWay = 1_500

  init() throws {
    site = try Site()
    sink = try Sink(in: site.directory, defer: 30, drop: 10, delay: 0.02)
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
      try Victim("serve-\($0)", ["pabal", "serve", "--json"], in: path)
    }
    let clock = [
      "LD_PRELOAD": BuiltProducts.fixture("clock"), "PABAL_TEST_CLOCK": "\(Self.short - Self.lifetime)",
    ]
    starters = [
      try Victim(
        "late", ["verification-starter", "config.json", "late", "4", "queue"], environment: clock, in: path),
      try Victim("busy", ["verification-starter", "config.json", "busy", "4", "dispatch"], in: path),
    ]
  }

  func run(kills: Int) throws -> CrashCount {
    var count = CrashCount()
    let victims = servers + starters
    for victim in victims { try victim.start() }
    for _ in 0..<kills {
      // A random moment is what this is about; nothing waits for it to be a certain one.
      usleep(UInt32.random(in: 20_000...300_000, using: &random))
      let victim = victims[Int.random(in: 0..<victims.count, using: &random)]
      if victim.kill() {
        count.kills += 1
      } else {
        count.complaints.append("\(victim.name) had ended by itself")
      }
      try victim.start()
    }
    for starter in starters where starter.kill() { count.kills += 1 }
    try drain()
    for server in servers where server.kill() { count.kills += 1 }
    try judge(&count)
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
  private struct Told {
    /// How many attempts on a mail were taken down in the store.
    var settled: [String: Int] = [:]
    /// How many of them ended with nobody knowing whether the mail was taken.
    var unknown: [String: Int] = [:]
    var complaints: [String] = []
  }

  private func told() throws -> Told {
    var told = Told()
    func note(_ event: String?, _ mail: String, _ outcome: String?, _ line: Substring) {
      switch event {
      case "attempt": if outcome == "unknown" { told.unknown[mail, default: 0] += 1 }
      case "settled": told.settled[mail, default: 0] += 1
      // Codes of a starter whose clock is behind look old.
      case "serving", "started", "codes wait": break
      default: told.complaints.append(String(line))
      }
    }
    for line in try servers.flatMap({ try $0.lines() }) {
      let event = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
      note(event?["event"], event?["mail"] ?? "", event?["outcome"], line)
    }
    for line in try starters.flatMap({ try $0.lines() }) {
      let words = line.split(separator: " ").map(String.init)
      note(words.first, words.count > 1 ? words[1] : "", words.count > 2 ? words[2] : nil, line)
    }
    return told
  }

  private func judge(_ count: inout CrashCount) throws {
    let told = try told()
    count.complaints += told.complaints
    let taken = try sink.taken()
    var entries: [String: [String: Any]] = [:]
    let list = try site.pabal("outbox", "--json", "--limit", "10000")
    for mail in try list.json["mails"] as? [[String: Any]] ?? [] {
      if let id = mail["id"] as? String { entries[id] = mail }
    }
    func cutOff(_ id: String) -> Int {
      max(0, (entries[id]?["attempts"] as? Int ?? 0) - (told.settled[id] ?? 0))
    }
    for id in entries.keys {
      count.unknown += told.unknown[id] ?? 0
      count.underWay += cutOff(id)
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
      case "unknown" where (told.unknown[id] ?? 0) + cutOff(id) >= 3: count.givenUp += 1
      case "waiting", "sending": count.waiting += 1
      default: count.lost.append("\(id) \(state ?? "nowhere"), \(arrivals.count) arrivals")
      }
      for arrival in arrivals {
        count.latest = max(count.latest, arrival - expires)
        if arrival - expires > Self.onItsWay { count.late.append("\(id) by \(arrival - expires) ms") }
      }
      count.twice += max(0, arrivals.count - 1)
      if arrivals.count - 1 > cutOff(id) + (told.unknown[id] ?? 0) {
        count.unexplained.append("\(id) arrived \(arrivals.count) times, \(cutOff(id)) attempts were cut off")
      }
    }
  }
}
