/// `verification`: how long codes are valid, and how often they may be checked and sent.
public struct VerificationConfiguration: Sendable, Hashable {
  /// The configured values, with defaults for the others.
  public let policy: VerificationPolicy

  /// The defaults.
  public init() { policy = VerificationPolicy() }

  private init(_ policy: VerificationPolicy) { self.policy = policy }

  /// Warnings about valid but inadvisable values.
  public var warnings: [String] {
    // OWASP ASVS 5.0, 6.5.5.
    guard policy.lifetime > .seconds(600) else { return [] }
    return [
      "verification.lifetime is \(policy.lifetime.configurationText), longer than the ten minutes of OWASP ASVS 6.5.5; use \"10m\" or less"
    ]
  }

  static func read(_ value: FieldDecoder) -> VerificationConfiguration? {
    value.object { object in
      let before = object.value.collector.all.count
      var policy = VerificationPolicy()
      let day = Duration.seconds(86_400)
      func assign<Value>(
        _ key: String, _ path: WritableKeyPath<VerificationPolicy, Value>,
        _ read: (FieldDecoder) -> Value?
      ) {
        if let value = object.optional(key).flatMap(read) { policy[keyPath: path] = value }
      }
      assign("message", \.message) { $0.nonEmptyText() }
      assign("notice", \.notice) { $0.nonEmptyText() }
      assign("digits", \.digits) { $0.integer(in: 6...10) }
      assign("lifetime", \.lifetime) { $0.duration(in: .seconds(120)...day) }
      assign("attempts", \.attempts) { $0.integer(in: 1...10) }
      assign("simultaneous", \.simultaneous) { $0.integer(in: 1...3) }
      assign("cooldown", \.cooldown) { $0.duration(in: .zero ... .seconds(3_600)) }
      assign("sends", \.sends) { $0.integer(in: 1...10) }
      assign("recipient", \.recipient) { $0.rateLimits() }
      assign("mailbox", \.mailbox) { $0.rateLimits() }
      assign("clientStarts", \.clientStarts) { $0.rateLimits() }
      assign("clientChecks", \.clientChecks) { $0.rateLimits() }
      assign("quota", \.quota) { value in value.integer(in: 1...10_000_000).map(Optional.some) }
      assign("failures", \.failures) { $0.integer(in: 5...100) }
      assign("block", \.block) { $0.duration(in: .seconds(60)...day * 30) }
      assign("proofLifetime", \.proofLifetime) { $0.duration(in: .seconds(60)...day) }
      assign("retention", \.retention) { $0.duration(in: day...day * 30) }
      guard object.value.collector.all.count == before else { return nil }
      return VerificationConfiguration(policy)
    }
  }
}

extension FieldDecoder {
  /// A list such as `["5/1h", "10/24h"]`. An empty list sets no limit.
  func rateLimits() -> [RateLimit]? {
    guard let elements = elements() else { return nil }
    let rateLimits = elements.map { $0.rateLimit() }
    let known = rateLimits.compactMap(\.self)
    return known.count == rateLimits.count ? known : nil
  }

  private func rateLimit() -> RateLimit? {
    guard let text = text() else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let window = parts.count == 2 ? Duration(configured: String(parts[1])) : nil
    guard let window, let count = Int(parts[0]), 1...1_000_000 ~= count,
      Duration.seconds(1)...Duration.seconds(30 * 86_400) ~= window
    else {
      report(
        "\(quoted(text)) is not a limit of 1 to 1000000 within 1s to 720h",
        remedy: "write it like \"5/1h\", which allows five within an hour")
      return nil
    }
    return RateLimit(count, per: window)
  }
}
