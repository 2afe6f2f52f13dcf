import PabalCore
import Testing

@Suite struct OutboxConfigurationTests {
  private func read(_ sections: String) throws -> Configuration {
    try Configuration.read(
      Array(
        #"{"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.c"\#(sections)}"#.utf8),
      file: "config.json", directory: "/etc/pabal")
  }

  @Test func `the defaults apply, and the database is next to the configuration`() throws {
    let configuration = try read("")
    #expect(configuration.storage.path == "/etc/pabal/pabal.sqlite")
    #expect(configuration.outbox.unknown == .resend)
    #expect(configuration.outbox.options.maxConcurrentAttempts == 8)
    #expect(configuration.outbox.options.paces.isEmpty)
  }

  @Test func `configured values are used`() throws {
    let configuration = try read(
      #"""
      , "storage": {"path": "data/mail.sqlite"}, "outbox": {"unknown": "keep", "parallel": 20,
      "retention": "48h", "lease": "10s", "alertAfter": "2m", "delayNotice": "4h", "pacing": {"a": {"sends": 60, "per": "1m"}}}
      """#)
    #expect(configuration.storage.path == "/etc/pabal/data/mail.sqlite")
    #expect(configuration.outbox.unknown == .keep)
    let options = configuration.outbox.options
    #expect(options.maxConcurrentAttempts == 20)
    #expect(options.retention == .seconds(172_800))
    #expect(options.leaseDuration == .seconds(10))
    #expect(options.codeAlertDelay == .seconds(120))
    #expect(options.reports.delay == .seconds(14_400))
    #expect(options.paces == ["a": Pace(sends: 60, per: .seconds(60))])
  }

  @Test(arguments: [
    (#""unknown": "never""#, "outbox.unknown"), (#""parallel": 0"#, "outbox.parallel"),
    (#""parallel": 1.5"#, "outbox.parallel"), (#""retention": "1 day""#, "outbox.retention"),
    (#""lease": "1s""#, "outbox.lease"), (#""pacing": {"b": {"sends": 1, "per": "1m"}}"#, "outbox.pacing.b"),
    (#""pacing": {"a": {"sends": 1}}"#, "outbox.pacing.a"), (#""pase": {}"#, "outbox.pase"),
    (#""delayNotice": "10s""#, "outbox.delayNotice"),
  ])
  func `a mistake is reported with its position`(_ text: String, _ path: String) throws {
    let problem = try #require(throws: Diagnostics.self) { try read(#", "outbox": {\#(text)}"#) }
    #expect(problem.all.map(\.path) == [path])
    #expect(problem.all.allSatisfy { $0.position != nil })
  }
}
