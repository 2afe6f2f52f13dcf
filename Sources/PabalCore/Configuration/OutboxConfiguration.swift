/// `outbox`: how queued mail is sent, retried and kept.
public struct OutboxConfiguration: Sendable {
  /// What to do after an attempt to send a foreign mail ended `unknown`.
  public var unknown: UnknownPolicy = .resend
  /// The options of the dispatcher.
  public var options = DispatcherOptions()

  /// The defaults.
  public init() {}

  static func read(_ value: FieldDecoder, transports: [String]?) -> OutboxConfiguration? {
    value.object { object in
      var outbox = OutboxConfiguration()
      if let unknown = object.optional("unknown") {
        outbox.unknown = unknown.choice() ?? outbox.unknown
      }
      if let parallel = object.optional("parallel")?.integer(in: 1...256) {
        outbox.options.maxConcurrentAttempts = parallel
      }
      if let retention = object.optional("retention")?.duration(in: .seconds(60)...(.seconds(31_536_000))) {
        outbox.options.retention = retention
      }
      if let lease = object.optional("lease")?.duration(in: .seconds(5)...(.seconds(3_600))) {
        outbox.options.leaseDuration = lease
      }
      if let codeAlertDelay = object.optional("alertAfter")?.duration(in: .seconds(1)...(.seconds(86_400))) {
        outbox.options.codeAlertDelay = codeAlertDelay
      }
      if let delay = object.optional("delayNotice")?.duration(in: .seconds(60)...(.seconds(432_000))) {
        outbox.options.reports.delay = delay
      }
      if let paces = object.optional("pacing")?.namedMembers() {
        for (name, value) in paces {
          if let transports, !transports.contains(name) {
            value.report(
              "unknown transport \(quoted(name))", remedy: remedy(forUnknown: name, among: transports))
          }
          outbox.options.paces[name] = pace(value)
        }
      }
      return outbox
    }
  }

  private static func pace(_ value: FieldDecoder) -> Pace? {
    value.object { object in
      let sends = object.required("sends", remedy: "add the number of mails, for example \"sends\": 60")?
        .integer(in: 1...1_000_000)
      let per = object.required("per", remedy: "add the period, for example \"per\": \"1m\"")?
        .duration(in: .seconds(1)...(.seconds(86_400)))
      guard let sends, let per else { return nil }
      return Pace(sends: sends, per: per)
    }
  }
}
