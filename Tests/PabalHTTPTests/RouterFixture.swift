import HTTPTypes
import Hummingbird
import NIOCore
import PabalCore
import Synchronization
import Testing

@testable import PabalHTTP

/// A router in this process, on a store in memory, with the requests that it reported.
final class RouterFixture: Sendable {
  /// A request as logs and metrics get it.
  struct Report: Sendable, Hashable {
    var route: String
    var method: String
    var status: Int
    var client: String?
  }

  /// What the mails are in.
  let outbox = MemoryOutbox()
  /// The keys of the store.
  let keys = Keyring(current: .random())
  private let router: HTTPRouter
  private let reported: Reports

  private final class Reports: Sendable {
    let all = Mutex<[Report]>([])
    let warnings = Mutex<[String]>([])
    let signatures = Mutex<[String]>([])
  }

  /// A router whose `serve` section is `serve`, by default that of a keyless service.
  init(
    serve: String = keyless, hasDemo: Bool = false, hasMetrics: Bool = true, aliases: String? = nil,
    free: Int = .max
  ) throws {
    let store = MemoryVerificationStore(outbox: outbox)
    let composer = StubComposer()
    var dependencies = HTTPDependencies(
      verifications: VerificationService(store: store, keys: keys, composer: composer),
      submission: MailSubmission(store: store, keys: keys), composer: composer,
      access: try RouterFixture.access(serve), hostName: "mail.example.com")
    if hasDemo { dependencies.demo = DemoDependencies(language: "en") { _ in nil } }
    dependencies.history = MailHistory(outbox, keys: keys)
    if let aliases {
      dependencies.rewriting = AddressRewriting(
        try RouterFixture.configuration(serve, more: #", "aliases": \#(aliases)"#).aliases,
        LocalHosts(host: "web1", mailName: nil), completing: "mail.example.com")
    }
    dependencies.hasRoom = { free >= $0 }
    let reported = Reports()
    let report: @Sendable (HTTPEvent) -> Void = { event in
      if case .warning(let text) = event { reported.warnings.withLock { $0.append(text) } }
      if case .signatureRemoved(_, let domain, let changed) = event {
        reported.signatures.withLock { $0.append("\(domain) \(changed.joined(separator: ","))") }
      }
      guard case .answered(let route, let method, let status, let client, _) = event else { return }
      reported.all.withLock {
        $0.append(Report(route: route, method: method, status: status, client: client))
      }
    }
    let shared = SharedState(
      dependencies: { [dependencies] in dependencies },
      readiness: { Readiness(.ready, detail: ["a": "b"]) },
      metrics: hasMetrics ? { @Sendable in MetricsText() } : nil, attempts: AttemptWaiters(), report: report)
    router = HTTPRouter(shared: shared, report: report)
    self.reported = reported
  }

  /// The `serve` section of a keyless service.
  static let keyless = #"{ "listen": "127.0.0.1:0", "keyless": true }"#

  /// The configuration of a `serve` section.
  static func access(_ serve: String) throws -> ServeConfiguration { try configuration(serve).serve }

  private static func configuration(_ serve: String, more: String = "") throws -> Configuration {
    let configuration =
      #"{ "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com", "serve": \#(serve)\#(more) }"#
    return try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/")
  }

  /// The DKIM signatures that were removed, each with its domain and what has changed.
  var removedSignatures: [String] { reported.signatures.withLock(\.self) }

  /// The last request that was reported.
  var lastReport: Report? { reported.all.withLock(\.last) }

  /// The warnings that were reported.
  var warnings: [String] { reported.warnings.withLock(\.self) }

  /// A response with its body.
  struct Answer: Sendable {
    let status: HTTPResponse.Status
    let headers: HTTPFields
    let body: String

    /// The last part of the problem's type; `nil` for a body without one.
    var problem: String? { body.firstMatch(of: /"type":"\/problems\/([a-z-]+)"/).map { String($0.1) } }
  }

  /// Sends a request to the router.
  func send(
    _ method: HTTPRequest.Method, _ path: String, _ json: String? = nil, raw: String? = nil,
    headers: HTTPFields = [:], authority: String? = "localhost", peer: String? = "127.0.0.1"
  ) async throws -> Answer {
    var headers = headers
    if json != nil { headers[.contentType] = "application/json" }
    let head = HTTPRequest(
      method: method, scheme: "http", authority: authority, path: path, headerFields: headers)
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: json ?? raw ?? "")))
    let response = try await router.respond(to: request, context: HTTPContext(peer: peer))
    let body = BodyCollector()
    try await response.body.write(body)
    return Answer(status: response.status, headers: response.headers, body: body.text)
  }
}

private final class BodyCollector: ResponseBodyWriter {
  private(set) var text = ""

  func write(_ buffer: ByteBuffer) async throws { text += String(buffer: buffer) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// A composer of one message, `verification`.
private struct StubComposer: VerificationMailComposer, MessageComposer {
  private func draft(_ to: [Mailbox]) throws(MailError) -> Mail {
    try MailDraft(from: try Mailbox("pabal@example.com"), to: to, subject: "Code", text: "A code")
      .finish(identity: .now())
  }

  func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    do {
      return VerificationMail(try draft([Mailbox(request.to)]), language: "en")
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }

  func mail(
    of message: String, to: [Mailbox], replyTo: Mailbox?, attachments: [MailAttachment], languages: [String],
    variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail {
    guard message == "verification" else { throw .unknown(message: message) }
    do {
      return ComposedMail(try draft(to), lane: .normal, lifetime: nil, unknownPolicy: .resend, language: "en")
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }

  func preview(
    of message: String, languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> MessagePreview {
    guard message == "verification" else { throw .unknown(message: message) }
    return MessagePreview(language: "en", subject: "Code", text: "A code", html: "<p>A code</p>")
  }
}
