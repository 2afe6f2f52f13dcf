/// `outbox`: how mail waits and is tried again.
public struct OutboxConfiguration: Sendable {
  /// What follows an attempt on foreign mail that ended `unknown`.
  public var unknown: UnknownPolicy = .resend
  /// How the dispatcher goes about it.
  public var options = DispatcherOptions()

  /// The usual rules.
  public init() {}

  static func read(_ value: FieldDecoder, transports: [String]?) -> OutboxConfiguration? {
    value.object { object in
      var outbox = OutboxConfiguration()
      if let unknown = object.optional("unknown") {
        outbox.unknown = unknown.choice(UnknownPolicy.allCases) ?? outbox.unknown
      }
      if let parallel = object.optional("parallel")?.integer(1...256) {
        outbox.options.maxConcurrentAttempts = parallel
      }
      if let retention = object.optional("retention")?.duration(.seconds(60)...(.seconds(31_536_000))) {
        outbox.options.retention = retention
      }
      if let lease = object.optional("lease")?.duration(.seconds(5)...(.seconds(3_600))) {
        outbox.options.leaseDuration = lease
      }
      if let codeAlertDelay = object.optional("alertAfter")?.duration(.seconds(1)...(.seconds(86_400))) {
        outbox.options.codeAlertDelay = codeAlertDelay
      }
      if let paces = object.optional("pacing")?.namedMembers() {
        for (name, value) in paces {
          if let transports, !transports.contains(name) {
            value.report(
              "there is no transport \(quoted(name))", remedy: remedy(forUnknown: name, among: transports))
          }
          outbox.options.paces[name] = pace(value)
        }
      }
      return outbox
    }
  }

  private static func pace(_ value: FieldDecoder) -> Pace? {
    value.object { object in
      let sends = object.required("sends", remedy: "say how many, as in \"sends\": 60")?.integer(
        1...1_000_000)
      let per = object.required("per", remedy: "say in which time, as in \"per\": \"1m\"")?
        .duration(.seconds(1)...(.seconds(86_400)))
      guard let sends, let per else { return nil }
      return Pace(sends: sends, per: per)
    }
  }
}

/// `storage`: where what must not be lost is kept.
public struct StorageConfiguration: Sendable {
  /// The SQLite file, absolute.
  public let path: String

  /// The file that is taken where nothing is said: `pabal.sqlite` beside the configuration.
  static func defaultLocation(_ directory: String) -> StorageConfiguration {
    StorageConfiguration(path: directory == "/" ? "/pabal.sqlite" : "\(directory)/pabal.sqlite")
  }

  static func read(_ value: FieldDecoder) -> StorageConfiguration? {
    value.object { object in
      guard let path = object.optional("path") else { return defaultLocation(value.collector.directory) }
      return path.filePath().map(StorageConfiguration.init)
    }
  }
}
