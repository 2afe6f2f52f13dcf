internal import Glibc

/// The limits as the notes in the store have them at one moment, each looked up once.
struct VerificationRateLimiter {
  let transaction: any VerificationTransaction
  let now: Timestamp
  // The newest few under each rule's keys, the newest first.
  private var cachedEvents: [[[UInt8]]: [Timestamp]] = [:]

  init(transaction: any VerificationTransaction, now: Timestamp) {
    self.transaction = transaction
    self.now = now
  }

  /// A limit that stands in the way until then.
  struct Block {
    var limit: VerificationLimit
    var until: Timestamp
  }

  /// What is counted, and how many of it may be.
  struct Rule {
    var limit: VerificationLimit
    var keys: [[UInt8]]
    var rateLimits: [RateLimit]
  }

  /// So many notes cost no more to read than one.
  private static let prefetchCount = 10

  /// The barrier that is the last to fall, so that whoever waits for it has waited for all.
  mutating func block(_ rules: [Rule]) throws -> Block? {
    var last: Block?
    for rule in rules {
      for rateLimit in rule.rateLimits where rateLimit.window > .zero {
        // A cap is full as long as the note that many places back is within the window.
        guard rateLimit.count > 0 else { return Block(limit: rule.limit, until: now + rateLimit.window) }
        let event: Timestamp?
        if rateLimit.count <= VerificationRateLimiter.prefetchCount {
          let times = try newest(rule.keys)
          event = times.count >= rateLimit.count ? times[rateLimit.count - 1] : nil
        } else {
          event = try transaction.events(1, skipping: rateLimit.count - 1, under: rule.keys).first
        }
        guard let event else { continue }
        // The clock may have been set back since.
        let until = min(event, now) + rateLimit.window
        if until > now, until > last?.until ?? now { last = Block(limit: rule.limit, until: until) }
      }
    }
    return last
  }

  /// Dates notes that a clock that was set back left ahead of now back to it.
  mutating func clampFutureTimes(_ rules: [Rule]) throws {
    for rule in rules {
      guard let newest = try newest(rule.keys).first, newest > now else { continue }
      try transaction.clampFutureEvents(under: rule.keys, at: now)
      cachedEvents[rule.keys] = nil
    }
  }

  /// Takes down notes under the first of each rule's keys; `mail` is the one whose rejection takes them back.
  mutating func recordEvents(_ rules: [Rule], mail: (Rule) -> String?) throws {
    try transaction.add(rules.map { RateLimitEvent(key: $0.keys[0], at: now, mail: mail($0)) })
    for rule in rules {
      if let times = cachedEvents[rule.keys] { cachedEvents[rule.keys] = [now] + times }
    }
  }

  private mutating func newest(_ keys: [[UInt8]]) throws -> [Timestamp] {
    if let times = cachedEvents[keys] { return times }
    let times = try transaction.events(VerificationRateLimiter.prefetchCount, skipping: 0, under: keys)
    cachedEvents[keys] = times
    return times
  }

  /// The barrier that too many wrong codes in a row put up.
  func block(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws -> Block? {
    guard let failures = try transaction.failures(under: keys), failures.count >= policy.failures else {
      return nil
    }
    let until = min(failures.last, now) + policy.block
    return until > now ? Block(limit: .failures, until: until) : nil
  }

  /// One more wrong code; a row that a block ended begins anew.
  func addFailure(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws {
    let before = try transaction.failures(under: keys)
    let count = before.map { $0.count >= policy.failures ? 0 : $0.count } ?? 0
    try transaction.set(FailureCount(count: count + 1, last: now), under: keys)
  }
}

/// What the notes that limit are kept under: digests, so that no such note holds an address.
struct RateLimitKeys: Sendable {
  let keys: Keyring

  /// The mails to a recipient for a purpose: the cooldown and the recipient's caps.
  func recipient(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("recipient", purpose, recipient.rateLimitIdentity)
  }

  /// The wrong codes in a row for a recipient and purpose.
  func failures(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("failures", purpose, recipient.rateLimitIdentity)
  }

  /// The verifications of a recipient and purpose, of which one is live.
  func identity(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("verification", purpose, recipient.identity)
  }

  /// The starts and resends of a client.
  func starts(_ client: ClientAddress) -> [[UInt8]] { digests("starts", client.bucket) }
  /// The checks of a client.
  func checks(_ client: ClientAddress) -> [[UInt8]] { digests("checks", client.bucket) }
  /// All mails together.
  func overall() -> [[UInt8]] { digests("overall") }

  // No part can hold a NUL, so none runs into the next.
  private func digests(_ parts: String...) -> [[UInt8]] {
    keys.addressDigests(parts.joined(separator: "\0"))
  }
}

/// A recipient as verifications tell recipients apart.
struct VerificationRecipient: Sendable, Hashable {
  /// Where the mail goes, as typed.
  let address: Address

  /// What a newer start for it replaces: people don't remember how they capitalised their address, and
  /// `"kim"`, `"k\im"` and `kim` are one local part (RFC 5321, 4.1.2).
  var identity: String { "\(unquoted.lowercased())@\(address.domain)" }

  /// What limits count as one: folded and without `+tag`, so that neither multiplies what a mailbox gets.
  ///
  /// Letters that some case of theirs makes one count as one (`ẞ`, `ß` and `ss`; `ı` and `i`). An accent that
  /// stands by itself and its composed letter count as two: telling needs tables that aren't here.
  var rateLimitIdentity: String {
    let local = unquoted.lowercased().uppercased().lowercased()
    guard let plus = local.firstIndex(of: "+"), plus != local.startIndex else {
      return "\(local)@\(address.domain)"
    }
    return "\(local[..<plus])@\(address.domain)"
  }

  /// As logs and pages show it: `k***@example.com`.
  var masked: String { address.masked }

  private var unquoted: String {
    let typed = address.localPart.unicodeScalars
    guard typed.first == "\"" else { return address.localPart }
    var local = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in typed.dropFirst().dropLast() {
      isEscaped = !isEscaped && scalar == "\\"
      if !isEscaped { local.append(scalar) }
    }
    return String(local)
  }
}

/// A client's address as far as limits tell clients apart: IPv4 whole, IPv6 by its network of 64 bits.
package struct ClientAddress: Sendable, Hashable {
  /// The same for all addresses that count as one.
  let bucket: String

  /// Reads `192.0.2.1` or `2001:db8::1`, perhaps with a zone; `nil` for anything else.
  package init?(_ text: String) {
    guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
    let text = String(text.prefix { $0 != "%" })
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 {
      bucket = ClientAddress.version4(bytes[..<4])
    } else if inet_pton(AF_INET6, text, &bytes) == 1 {
      // IPv4-mapped (RFC 4291, 2.5.5.2) and translated (RFC 6052, 2.1) addresses are those of an IPv4 client;
      // by 64 bits all of them would be one.
      let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
      let translated = bytes[..<12].elementsEqual([0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0])
      bucket =
        mapped || translated
        ? ClientAddress.version4(bytes[12...])
        : bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    } else {
      return nil
    }
  }

  private static func version4(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { String($0) }.joined(separator: ".")
  }
}
