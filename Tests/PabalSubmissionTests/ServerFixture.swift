import NIOCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// A server on a free port or a socket, whose mails are kept.
final class ServerFixture: Sendable {
  let server: SubmissionServer
  let port: Int
  private let state: Recorded

  private final class Recorded: Sendable {
    let mails = Mutex<[SMTPSubmission]>([])
    let events = Mutex<[SubmissionEvent]>([])
    let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
    let holds = Mutex(false)
    let free = Mutex<Int?>(nil)
    let configuration: Mutex<SubmissionConfiguration>

    init(_ configuration: SubmissionConfiguration) { self.configuration = Mutex(configuration) }
  }

  /// Starts a server with `submission` as an element of `serve.submission`.
  init(
    _ submission: String = #"{ "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"] }"#,
    times: ConnectionTimes = ConnectionTimes(), free: Int? = nil
  ) async throws {
    let configuration = try ServerFixture.configuration(submission)
    let state = Recorded(configuration)
    state.free.withLock { $0 = free }
    self.state = state
    let submit: @Sendable (SMTPSubmission) async -> SMTPSubmissionResult = { submission in
      if state.holds.withLock({ $0 }) {
        await withCheckedContinuation { continuation in state.waiting.withLock { $0.append(continuation) } }
      }
      let count = state.mails.withLock { mails in
        mails.append(submission)
        return mails.count
      }
      return .queued(id: "M\(count)")
    }
    server = SubmissionServer(
      configuration.endpoints, space: FreeSpaceGuard(now: { 0 }) { state.free.withLock { $0 } }, times: times,
      report: { event in state.events.withLock { $0.append(event) } },
      settings: { _ in
        ListenerSettings(
          state.configuration.withLock { $0 }, certificate: nil, hostName: "mail.test", submit: submit)
      })
    let found = Mutex(0)
    try await server.start { _, port in if let port { found.withLock { $0 = port } } }
    port = found.withLock { $0 }
  }

  /// Reads an element of `serve.submission`.
  static func configuration(_ submission: String) throws -> SubmissionConfiguration {
    let text = """
      { "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com",
        "serve": { "submission": \(submission) } }
      """
    let serve = try Configuration.read(Array(text.utf8), file: "config.json", directory: "/").serve
    return try #require(serve.submission.first)
  }

  /// Replaces the configuration, as a reload does.
  func reload(_ submission: String) throws {
    let configuration = try ServerFixture.configuration(submission)
    state.configuration.withLock { $0 = configuration }
  }

  /// The mails that were submitted.
  var mails: [SMTPSubmission] { state.mails.withLock { $0 } }
  /// What the server reported.
  var events: [SubmissionEvent] { state.events.withLock { $0 } }

  /// Whether mails wait until they are released.
  func hold(_ holds: Bool) { state.holds.withLock { $0 = holds } }

  /// How many mails wait.
  var heldCount: Int { state.waiting.withLock { $0.count } }

  /// Stores the mails that wait.
  func release() {
    hold(false)
    for continuation in state.waiting.withLock({ exchange(&$0, with: []) }) { continuation.resume() }
  }

  /// Connects, and reads the greeting.
  func connect() async throws -> SMTPTestClient {
    let client = try await SMTPTestClient.connect(port: port)
    let greeting = try await client.reply()
    #expect(greeting.hasPrefix("220 mail.test"))
    return client
  }
}

/// Waits until a condition holds that another thread brings about.
func until(_ condition: () -> Bool) async throws {
  for _ in 0..<20_000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(1))
  }
  throw TestError("the condition never held")
}
