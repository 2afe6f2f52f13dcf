import Dispatch
import PabalCore
import PabalFormats
import PabalTesting
import Synchronization
import Testing

@Suite struct LoadedTransportTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func faulty(_ act: String, in folder: String = "sound") throws -> LoadedTransport {
    let path = "\(directory.path)/\(folder)/libpabal-faulty.so"
    if !path.exists {
      try directory.copy(BuiltProducts.fixture("faulty"), to: "\(folder)/libpabal-faulty.so")
    }
    return try TestPlugin.open(path, ["act": .string(act)])
  }

  private func receipt(_ act: String, to recipients: [String] = ["x@example.org"]) throws -> Receipt {
    let transport = try faulty(act)
    defer { transport.close() }
    return transport.attempt(try Mail.sample(to: recipients))
  }

  @Test(arguments: [
    ("sent", Outcome.sent), ("deferred", .deferred()), ("deferred:30", .deferred(retryAfter: .seconds(30))),
    ("unsuited", .unsuited), ("rejected", .rejected), ("held:mail", .held(.mail)),
    ("held:transport", .held(.transport)), ("unknown", .unknown),
  ])
  func `every outcome is passed on with its scope and wait`(act: String, outcome: Outcome) throws {
    let receipt = try receipt(act)
    #expect(receipt.outcome == outcome)
    #expect(receipt.reply == act)
    #expect(receipt.recipients.map(\.outcome) == [outcome])
  }

  @Test(arguments: ["none", "ready", "99", "-1", "held"])
  func `a missing or invalid outcome is unknown and reported as a fault of the plugin`(act: String) throws {
    let receipt = try receipt(act)
    #expect(receipt.outcome == .unknown)
    #expect(receipt.reply?.contains("the plugin reported") == true)
  }

  @Test func `an invalid outcome of a recipient is unknown`() throws {
    let receipt = try receipt("each sent 77", to: ["a@example.org", "b@example.org"])
    #expect(receipt.recipients.map(\.outcome) == [.sent, .unknown])
    #expect(receipt.reply?.contains("reported the unknown outcome 77 for recipient 2") == true)
  }

  @Test func `recipients keep their own outcomes and replies`() throws {
    let receipt = try receipt(
      "each sent rejected deferred", to: ["a@x.org", "b@x.org", "c@x.org", "d@x.org"])
    #expect(receipt.recipients.map(\.outcome) == [.sent, .rejected, .deferred(), .sent])
    #expect(receipt.recipients.map(\.reply) == ["sent", "rejected", "deferred", nil])
    #expect(receipt.outcome == .deferred())
  }

  @Test func `an attempt that expires while it waits isn't started`() async throws {
    let transport = try faulty("sent")
    defer { transport.close() }
    let mail = try Mail.sample()
    let gate = DispatchSemaphore(value: 0)
    let isExpired = Flag()
    let before = (0..<transport.parallel).map { _ in
      // This blocks the transport's own thread, not one of Swift's.
      Task {
        await transport.send(mail) {
          gate.wait()
          return false
        }
      }
    }
    let late = Task { await transport.send(mail) { isExpired.value.withLock { $0 } } }
    for _ in 0..<100 { await Task.yield() }
    isExpired.value.withLock { $0 = true }
    for _ in before { gate.signal() }
    for attempt in before { #expect(await attempt.value?.outcome == .sent) }
    #expect(await late.value == nil)
  }

  private final class Flag: Sendable {
    let value = Mutex(false)
  }

  @Test func `replies and ids can have any length`() throws {
    let receipt = try receipt("long")
    #expect(receipt.reply?.utf8.count == 3 << 20)
    #expect(receipt.remoteID?.utf8.count == 3 << 20)
  }

  @Test func `a binary reply is repaired and contains no terminal controls`() throws {
    let receipt = try receipt("binary")
    #expect(receipt.reply == "550 \\u{1b}]0;own\\u{7}\u{FFFD}\u{FFFD}\nX: y\\u{0}z")
  }

  @Test func `a report on a nonexistent recipient is an error, not a crash`() throws {
    let receipt = try receipt("beyond")
    #expect(receipt.outcome == .sent)
    #expect(receipt.reply?.contains("the plugin reported on recipient index") == true)
  }

  @Test func `a token request through a setting without an account holds the transport`() throws {
    let receipt = try receipt("token")
    #expect(receipt.outcome == .held(.transport))
    #expect(receipt.reply?.contains("which names no account") == true)
  }

  @Test(arguments: [
    ("silent-open", "gave no reason, which is a bug in the plugin"),
    ("escaping-open", "bad \\u{1b}[31m\u{FFFD}\\u{0}thing\nnext"),
    ("no-threads", "the plugin asks for 0 threads"), ("many-threads", "the plugin asks for 100000 threads"),
  ])
  func `a transport that can't be opened says why`(folder: String, expected: String) throws {
    do {
      _ = try faulty("sent", in: folder)
      Issue.record("it was opened")
    } catch let problem as Diagnostic {
      #expect(problem.message.hasPrefix("the transport “faulty” can't be opened: "))
      #expect(problem.message.contains(expected))
    }
  }

  @Test func `sending from tasks never runs more attempts at once than the plugin allows`() async throws {
    let transport = try faulty("sent")
    let outcomes = try await withThrowingTaskGroup(of: Outcome.self) { group in
      for _ in 0..<200 { group.addTask { await transport.send(try Mail.sample()).outcome } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    transport.close()
    #expect(outcomes == Array(repeating: .sent, count: 200))
  }

  @Test func `sending after close is answered even if all threads have ended`() async throws {
    let transport = try faulty("sent")
    _ = await transport.send(try Mail.sample())
    transport.close()
    let outcomes = try await withThrowingTaskGroup(of: Outcome.self) { group in
      for _ in 0..<20 { group.addTask { await transport.send(try Mail.sample()).outcome } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes == Array(repeating: .deferred(), count: 20))
  }

  @Test func `a plugin opened without settings reads its defaults`() throws {
    let transport = try LoadedTransport(try Plugin(at: BuiltProducts.plugin("console")), name: "console")
    transport.close()
    #expect(throws: Diagnostic.self) {
      try LoadedTransport(try Plugin(at: BuiltProducts.plugin("file")), name: "file")
    }
  }

  @Test func `a closed transport defers mail`() throws {
    let transport = try faulty("sent")
    transport.close()
    transport.close()
    #expect(transport.attempt(try Mail.sample()).outcome == .deferred())
  }

  @Test(arguments: [
    ("ready", nil), ("sent", Outcome.unknown), ("held:transport", Outcome.held(.transport)),
    ("none", Outcome.unknown),
  ])
  func `check reports the outcome that a mail would get`(act: String, problem: Outcome?) throws {
    let transport = try faulty(act)
    defer { transport.close() }
    #expect(transport.check().problem == problem)
  }
}

@Suite struct ABI1Tests {
  private final class SequentialTokenSource: AccessTokenSource {
    let user = "me@example.test"
    let tokens: Mutex<[String]>
    init(_ tokens: [String]) { self.tokens = Mutex(tokens) }
    func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
      let next = tokens.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      guard let next else { throw .deferred("no token now", retryAfter: .seconds(5)) }
      return AccessToken(text: next, expiresIn: .seconds(60))
    }
  }

  private func open(
    _ settings: [String: JSONValue.Content] = [:], accounts: [String: any AccessTokenSource] = [:],
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws -> LoadedTransport {
    try TestPlugin.open(
      BuiltProducts.fixture("abi1"), ["folder": .string("/tmp/x")].merging(settings) { $1 },
      accounts: accounts,
      log: log)
  }

  @Test func `a plugin built against the frozen header of ABI 1 reads settings of every kind`() throws {
    let transport = try open([
      "word": .string("안녕"), "answer": .number("7"), "loud": .boolean(false), "wait": .string("1500ms"),
    ])
    defer { transport.close() }
    let receipt = transport.attempt(try Mail.sample(from: nil, needs8BitMIME: true))
    #expect(receipt.outcome == .sent)
    let id = "<01JD0000000000000000000000@example.test>"
    #expect(receipt.reply == "안녕 7 1500 0 /tmp/x|\(id)||2|21")
  }

  @Test func `settings that aren't configured have their defaults`() throws {
    let transport = try open()
    defer { transport.close() }
    let reply = transport.attempt(try Mail.sample()).reply
    #expect(reply?.hasPrefix("hello 42 2000 1 /tmp/x|") == true)
  }

  @Test func `recipients keep their own outcomes and waits`() throws {
    let transport = try open()
    defer { transport.close() }
    let receipt = transport.attempt(try Mail.sample(to: ["a@x.org", "bad@x.org", "late@x.org"]))
    #expect(receipt.recipients.map(\.outcome) == [.sent, .rejected, .deferred(retryAfter: .seconds(30))])
    #expect(receipt.outcome == .deferred(retryAfter: .seconds(30)))
  }

  @Test func `the host renews a refused token`() throws {
    let transport = try open(
      ["account": .string("me")], accounts: ["me": SequentialTokenSource(["stale", "fresh"])])
    defer { transport.close() }
    #expect(transport.attempt(try Mail.sample()).remoteID == "fresh")
  }

  @Test func `an unavailable token decides the outcome of the attempt`() throws {
    let transport = try open(["account": .string("me")], accounts: ["me": SequentialTokenSource(["stale"])])
    defer { transport.close() }
    let receipt = transport.attempt(try Mail.sample())
    #expect(receipt.outcome == .deferred(retryAfter: .seconds(5)))
    #expect(receipt.reply == "no token now")
  }

  @Test func `open fails with the reason that the plugin gives`() throws {
    let failure = #expect(throws: Diagnostic.self) { try open(["password": .string("wrong")]) }
    #expect(failure?.message == "the transport “example” can't be opened: the password is wrong")
  }

  @Test func `log lines reach the host`() throws {
    let lines = Mutex<[String]>([])
    let transport = try open { level, line in lines.withLock { $0.append("\(level) \(line)") } }
    _ = transport.attempt(try Mail.sample())
    transport.close()
    #expect(lines.withLock { $0 } == ["info sent one"])
  }
}
