internal import Glibc

/// Evaluates the sending and checking limits of one transaction.
///
/// It reads each set of recent events from the store at most once; `now` is fixed for the transaction.
struct VerificationRateLimiter {
  let transaction: any VerificationTransaction
  let now: Timestamp
  /// How long a code is valid, which is also how long the limits of a recipient can hold a mail back.
  let lifetime: Duration
  /// Whether the last call of `block` found a cap of the recipient reached, but no code that is still valid. Then one mail
  /// is allowed, because strangers may have used up the cap.
  private(set) var isBeyondCap = false
  // The newest events under the keys of each rule, the newest first.
  private var cachedEvents: [[[UInt8]]: [Timestamp]] = [:]

  init(transaction: any VerificationTransaction, now: Timestamp, lifetime: Duration) {
    self.transaction = transaction
    self.now = now
    self.lifetime = lifetime
  }

  /// A limit that refuses the request until a certain time.
  struct Block {
    var limit: VerificationLimit
    var until: Timestamp
  }

  /// A limit with the keys of its events and its caps.
  struct Rule {
    var limit: VerificationLimit
    var keys: [[UInt8]]
    var rateLimits: [RateLimit]
    /// Whether anyone can use it up by knowing an address, so that it must not lock the address out.
    var isShared = false
    /// Whether a rejected mail's refund is counted under its keys.
    var countsRefunds = false
  }

  /// A block by consecutive wrong codes.
  struct FailureBlock {
    /// When the last wrong code was entered.
    var last: Timestamp
    var until: Timestamp
  }

  /// How many recent events are read at once. Reading ten costs the same as reading one, because they are adjacent in the
  /// index.
  private static let prefetchCount = 10

  /// Returns the block that expires last, or `nil` if all rules allow the request.
  mutating func block(_ rules: [Rule]) throws -> Block? {
    var last: Block?
    isBeyondCap = false
    for rule in rules {
      for rateLimit in rule.rateLimits where rateLimit.window > .zero {
        // A cap of n is reached while the nth newest event is within the window.
        guard rateLimit.count > 0 else { return Block(limit: rule.limit, until: now + rateLimit.window) }
        guard let event = try event(rateLimit.count, rule.keys, within: rateLimit.window) else { continue }
        // The clock may have been set back since the event was recorded.
        var until = min(event, now) + rateLimit.window
        if until > now, rule.isShared {
          isBeyondCap = true
          if let newest = try newest(rule.keys).first { until = min(until, min(newest, now) + lifetime) }
        }
        if until > now, until > last?.until ?? now { last = Block(limit: rule.limit, until: until) }
      }
    }
    return last
  }

  /// Returns the time of the `number`th newest event; may return `nil` if it isn't within `window`.
  private mutating func event(
    _ number: Int, _ keys: [[UInt8]], within window: Duration
  ) throws -> Timestamp? {
    let times = try newest(keys)
    // An older event than one that isn't within the window isn't either, and needs no statement of its own.
    let read = min(number, VerificationRateLimiter.prefetchCount)
    guard times.count >= read, times[read - 1] + window > now else { return nil }
    if number <= times.count { return times[number - 1] }
    return try transaction.events(1, skipping: number - 1, under: keys).first
  }

  /// Moves events dated after `now` back to `now`. They exist when the clock was set back.
  mutating func clampFutureTimes(_ rules: [Rule]) throws {
    for rule in rules {
      guard let newest = try newest(rule.keys).first, newest > now else { continue }
      try transaction.clampFutureEvents(under: rule.keys, at: now)
      cachedEvents[rule.keys] = nil
    }
  }

  /// Records an event under the first key of each rule. `mail` returns the mail whose rejection deletes the event.
  mutating func recordEvents(_ rules: [Rule], mail: (Rule) -> String?) throws {
    try transaction.add(
      rules.map {
        RateLimitEvent(key: $0.keys[0], at: now, mail: mail($0), countsRefunds: $0.countsRefunds)
      })
    for rule in rules {
      if let times = cachedEvents[rule.keys] { cachedEvents[rule.keys] = [now] + times }
    }
  }

  /// Returns the times of the newest events under `keys`, the newest first.
  mutating func newest(_ keys: [[UInt8]]) throws -> [Timestamp] {
    if let times = cachedEvents[keys] { return times }
    let times = try transaction.events(VerificationRateLimiter.prefetchCount, skipping: 0, under: keys)
    cachedEvents[keys] = times
    return times
  }

  /// Returns the block caused by consecutive wrong codes, if there is one.
  func failureBlock(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws -> FailureBlock? {
    guard let failures = try transaction.failures(under: keys), failures.count >= policy.failures else {
      return nil
    }
    let last = min(failures.last, now)
    return last + policy.block > now ? FailureBlock(last: last, until: last + policy.block) : nil
  }

  /// Counts a wrong code. Starts from zero if the count has caused a block that is over, and prolongs one that isn't.
  func addFailure(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws {
    let before = try transaction.failures(under: keys)
    let isBlocked = try failureBlock(keys, policy) != nil
    let count = before.map { $0.count >= policy.failures && !isBlocked ? 0 : $0.count } ?? 0
    try transaction.set(FailureCount(count: count + 1, last: now), under: keys)
  }
}

/// The keys under which events and failures are stored. They are digests, so that the store holds no addresses.
struct RateLimitKeys: Sendable {
  let keys: Keyring

  /// The keys of mails to a recipient for a purpose, for the cooldown and the recipient's caps.
  func recipient(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("recipient", purpose, recipient.rateLimitIdentity)
  }

  /// The keys of mails to a recipient for a purpose that one client asked for.
  func recipient(_ recipient: VerificationRecipient, _ purpose: String, by client: ClientAddress) -> [[UInt8]]
  {
    digests("recipient and client", purpose, recipient.rateLimitIdentity, client.bucket)
  }

  /// The keys of mails to a recipient for any purpose; verifications are found by them too.
  func mailbox(_ recipient: VerificationRecipient) -> [[UInt8]] {
    digests("mailbox", recipient.rateLimitIdentity)
  }

  /// The keys of consecutive wrong codes for a recipient and purpose.
  func failures(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("failures", purpose, recipient.rateLimitIdentity)
  }

  /// The identities of a recipient and purpose, of which `policy.simultaneous` verifications are pending.
  func identity(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("verification", purpose, recipient.identity)
  }

  /// The keys of starts and resends from a client.
  func starts(_ client: ClientAddress) -> [[UInt8]] { digests("starts", client.bucket) }
  /// The keys of checks from a client.
  func checks(_ client: ClientAddress) -> [[UInt8]] { digests("checks", client.bucket) }
  /// The keys of all mails together.
  func overall() -> [[UInt8]] { digests("overall") }

  // NUL separates the parts because it can't occur in them.
  private func digests(_ parts: String...) -> [[UInt8]] {
    keys.addressDigests(parts.joined(separator: "\0"))
  }
}

/// A recipient, with the forms by which verifications compare recipients.
struct VerificationRecipient: Sendable, Hashable {
  /// The address of the mail, as it was typed.
  let address: Address

  /// The form by which a newer start replaces an older one. It is lower-cased because people don't remember how they
  /// capitalised their address.
  var identity: String { "\(address.unquotedLocalPart.lowercased())@\(address.domain)" }

  /// The form by which limits count and verifications are found, so that variants don't multiply the mails that a mailbox
  /// receives.
  var rateLimitIdentity: String { address.mailboxIdentity }

  /// The form in logs and pages: `k***@example.com`.
  var masked: String { address.masked }
}

/// A client's address as limits count it: IPv4 in full, IPv6 by its 64-bit network.
package struct ClientAddress: Sendable, Hashable {
  /// Equal for all addresses that count as one client.
  let bucket: String
  /// Whether it is an address of this machine (127.0.0.0/8, ::1).
  package let isLoopback: Bool

  /// Parses `192.0.2.1` or `2001:db8::1`, optionally with a zone; `nil` for anything else.
  package init?(_ text: String) {
    guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
    let text = String(text.prefix { $0 != "%" })
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 {
      bucket = ClientAddress.version4(bytes[..<4])
      isLoopback = bytes[0] == 127
    } else if inet_pton(AF_INET6, text, &bytes) == 1 {
      // IPv4-mapped (RFC 4291, 2.5.5.2) and translated (RFC 6052, 2.1) addresses count as IPv4, because all of them
      // share the same 64-bit network.
      let mapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
      let translated = bytes[..<12].elementsEqual([0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0])
      bucket =
        mapped || translated
        ? ClientAddress.version4(bytes[12...])
        : bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
      isLoopback =
        mapped ? bytes[12] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    } else {
      return nil
    }
  }

  private static func version4(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.map { String($0) }.joined(separator: ".")
  }
}
