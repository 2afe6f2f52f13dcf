/// `verification`: how long codes live and how often they may be tried and sent.
public struct VerificationConfiguration: Sendable, Hashable {
  /// What the section says, with defaults for the rest.
  public let policy: VerificationPolicy

  /// The defaults.
  public init() { policy = VerificationPolicy() }

  private init(_ policy: VerificationPolicy) { self.policy = policy }

  /// What works but deserves a second look.
  public var cautions: [String] {
    // OWASP ASVS 5.0, 6.5.5.
    guard policy.lifetime > .seconds(600) else { return [] }
    return [
      "verification.lifetime is \(policy.lifetime.configuredText); OWASP ASVS 6.5.5 allows ten minutes at most"
    ]
  }

  static func read(_ value: ConfigurationValue) -> VerificationConfiguration? {
    value.object { object in
      let before = object.value.findings.all.count
      var policy = VerificationPolicy()
      let day = Duration.seconds(86_400)
      func take<Value>(
        _ key: String, _ path: WritableKeyPath<VerificationPolicy, Value>,
        _ read: (ConfigurationValue) -> Value?
      ) {
        if let value = object.optional(key).flatMap(read) { policy[keyPath: path] = value }
      }
      take("message", \.message) { $0.nonEmptyText() }
      take("notice", \.notice) { $0.nonEmptyText() }
      take("digits", \.digits) { $0.whole(in: 6...10) }
      take("lifetime", \.lifetime) { $0.duration(in: .seconds(120)...day) }
      take("attempts", \.attempts) { $0.whole(in: 1...10) }
      take("cooldown", \.cooldown) { $0.duration(in: .zero ... .seconds(3_600)) }
      take("sends", \.sends) { $0.whole(in: 1...10) }
      take("recipient", \.recipient) { $0.caps() }
      take("clientStarts", \.clientStarts) { $0.caps() }
      take("clientChecks", \.clientChecks) { $0.caps() }
      take("quota", \.quota) { value in value.whole(in: 1...10_000_000).map(Optional.some) }
      take("failures", \.failures) { $0.whole(in: 5...100) }
      take("block", \.block) { $0.duration(in: .seconds(60)...day * 30) }
      take("proofLifetime", \.proofLifetime) { $0.duration(in: .seconds(60)...day) }
      take("retention", \.retention) { $0.duration(in: day...day * 30) }
      guard object.value.findings.all.count == before else { return nil }
      return VerificationConfiguration(policy)
    }
  }
}

extension ConfigurationValue {
  fileprivate func whole(in range: ClosedRange<Int>) -> Int? {
    guard case .number(let text) = node.value else {
      complain(expected: "a number")
      return nil
    }
    guard let number = Int(text), range.contains(number) else {
      complain("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  fileprivate func duration(in range: ClosedRange<Duration>) -> Duration? {
    guard let text = text() else { return nil }
    guard let duration = Duration(configured: text), range.contains(duration) else {
      complain(
        "expected a duration from \(range.lowerBound.configuredText) to \(range.upperBound.configuredText)",
        cure: "write it as in \"90s\", \"10m\" or \"24h\"")
      return nil
    }
    return duration
  }

  /// `["5/1h", "10/24h"]`; an empty list sets no limit.
  fileprivate func caps() -> [VerificationCap]? {
    guard let elements = elements() else { return nil }
    let caps = elements.map { $0.cap() }
    let known = caps.compactMap(\.self)
    return known.count == caps.count ? known : nil
  }

  private func cap() -> VerificationCap? {
    guard let text = text() else { return nil }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let window = parts.count == 2 ? Duration(configured: String(parts[1])) : nil
    guard let window, let count = Int(parts[0]), 1...1_000_000 ~= count,
      Duration.seconds(1)...Duration.seconds(30 * 86_400) ~= window
    else {
      complain(
        "expected so many within so long, at most 720h", cure: "write it as in \"5/1h\": five within an hour")
      return nil
    }
    return VerificationCap(count, per: window)
  }
}
