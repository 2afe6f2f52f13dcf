internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The handlers that find mail: `GET /v1/mails` and `POST /v1/mails/search`.
struct HistoryHandlers: RequestHandlers {
  private let call: HTTPCall
  private var shared: SharedState { call.shared }

  init(_ call: HTTPCall) { self.call = call }

  /// The path of the search whose values are in the body.
  static let searchPath = "\(MailHandlers.path)/search"

  /// Answers with the mails that the query asks for.
  ///
  /// Neither the log nor the metrics contain the query, which may have an address.
  func find() async throws(ProblemDetails) -> Response {
    try await answer(HistoryQuery.read(query: call.request.uri.query))
  }

  /// Answers with the mails that the body asks for, for addresses that a proxy would log with the URL.
  func search() async throws(ProblemDetails) -> Response {
    let bytes = try await call.request.bytes()
    return try await answer(HistoryQuery.read(bytes, of: call.request))
  }

  private func answer(_ query: MailHistory.Query) async throws(ProblemDetails) -> Response {
    guard let history = shared.dependencies().history else { throw .pathNotFound }
    let owner = call.caller.seesAllMail ? nil : call.caller.owner
    let found = try await shared.withinKeylessLimit(.check, of: call.caller) { () throws(ProblemDetails) in
      do throws(StorageError) {
        return (try await history.find(query, of: owner), isCounted: true)
      } catch {
        shared.report(.failed(error.description))
        throw ProblemDetails(.storage(error) as MailSubmissionError)
      }
    }
    return .json(
      FoundMails(
        mails: found.records.map(FoundMail.init),
        next: OrNull(found.hasMore ? found.records.last?.status.mail : nil)))
  }
}

private struct FoundMails: Encodable {
  let mails: [FoundMail]
  /// The value of `before` for the next page; null on the last one.
  let next: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case mails = "mails"
    case next = "next"
  }
}

private struct FoundMail: Encodable {
  let record: MailHistory.Record

  init(_ record: MailHistory.Record) { self.record = record }

  enum CodingKeys: String, CodingKey {
    case createdAt = "created_at"
    case endedAt = "ended_at"
    case submitter = "submitter"
  }

  func encode(to encoder: any Encoder) throws {
    try MailBody(record.status, record.events).encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(record.created.text, forKey: .createdAt)
    try container.encode(OrNull(record.ended?.text), forKey: .endedAt)
    try container.encode(OrNull(record.submitter), forKey: .submitter)
  }
}

/// The JSON form of a mail's status.
struct MailBody: Encodable {
  private struct Event: Encodable {
    let recipient: Int
    let to: OrNull<String>
    let event: String
    let code: OrNull<String>
    let at: String

    enum CodingKeys: String, CodingKey {
      case recipient = "recipient"
      case to = "to_masked"
      case event = "event"
      case code = "code"
      case at = "at"
    }
  }

  private let id: String
  private let status: String
  private let outcome: OrNull<String>
  private let reply: OrNull<String>
  /// Only if there is anything to say.
  private let events: [Event]?

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case status = "status"
    case outcome = "outcome"
    case reply = "reply"
    case events = "events"
  }

  init(_ mail: MailStatus, _ events: [MailHistory.Event] = []) {
    id = mail.mail
    status = mail.state.rawValue
    outcome = OrNull(mail.outcome)
    reply = OrNull(mail.status)
    let all = events.map {
      Event(
        recipient: $0.recipient, to: OrNull($0.to), event: $0.kind.rawValue, code: OrNull($0.code),
        at: $0.at.text)
    }
    self.events = all.isEmpty ? nil : all
  }
}
