import PabalCommand
import PabalCore
import PabalServer
import PabalStorage

/// A mail of the outbox as the command prints it, with the JSON keys of the HTTP API. Times are in UTC, addresses are
/// masked.
struct OutboxEntryOutput: Encodable, Sendable {
  struct Recipient: Encodable {
    let to: String
    /// Null until the outcome is final.
    let outcome: OrNull<String>
    /// The last reply in full; `reply` of the mail has only its status code.
    let replyText: OrNull<String>

    enum CodingKeys: String, CodingKey {
      case outcome = "outcome"
      case to = "to_masked"
      case replyText = "reply_text"
    }
  }

  /// A recipient on the suppression list, or one about which a bounce came back.
  struct Mark: Encodable {
    /// Null if the key that sealed it no longer exists.
    let to: OrNull<String>
    /// `suppressed`, `bounced` or `delayed`.
    let event: String
    /// The status code of the report (RFC 3463); null if there is none.
    let code: OrNull<String>
    let at: String

    enum CodingKeys: String, CodingKey {
      case event = "event"
      case code = "code"
      case at = "at"
      case to = "to_masked"
    }

    var text: String {
      "\(to.value ?? "a recipient")  \(event)\(code.value.map { " (\($0))" } ?? "") at \(at)"
    }
  }

  let id: String
  /// Its state, with the words of `--state`. `status` is its earlier name.
  let state: String
  let lane: String
  let createdAt: String
  /// How long ago it was added.
  let ageSeconds: Int
  /// Null if no attempt is scheduled, as while its transport is held or paused.
  let dueAt: OrNull<String>
  /// When the next attempt is expected; null if that isn't known, and in a final state.
  let nextTryAt: OrNull<String>
  /// What the next attempt waits for; null in a final state.
  let waitsFor: OrNull<String>
  let notAfter: OrNull<String>
  let endedAt: OrNull<String>
  let attempts: Int
  let transport: OrNull<String>
  let outcome: OrNull<String>
  /// The status code of the last reply.
  let reply: OrNull<String>
  /// Why the last attempt failed, as in the log; null if none did, and in a final state.
  let cause: OrNull<String>
  /// `transport` or `mail` if an account or the configuration is at fault.
  let held: OrNull<String>
  let verification: OrNull<String>
  /// Who submitted it: by SMTP or `sendmail`, such as `user:printer`, or the client of the HTTP API, such as `client:shop`;
  /// null for other mail.
  let submitter: OrNull<String>
  /// The key of its route, such as `user:shop` or `domain:example.com`; null for the standard route.
  let route: OrNull<String>
  /// Null once the content is erased, as in every final state.
  let recipients: OrNull<[Recipient]>
  /// What became of recipients apart from what a server answered; only if there is anything to say.
  let events: [Mark]

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case state = "state"
    case status = "status"
    case lane = "lane"
    case attempts = "attempts"
    case transport = "transport"
    case outcome = "outcome"
    case reply = "reply"
    case cause = "cause"
    case held = "held"
    case verification = "verification"
    case submitter = "submitter"
    case route = "route"
    case recipients = "recipients"
    case events = "events"
    case createdAt = "created_at"
    case ageSeconds = "age_seconds"
    case nextTryAt = "next_try_at"
    case waitsFor = "waits_for"
    case dueAt = "due_at"
    case notAfter = "not_after"
    case endedAt = "ended_at"
  }

  init(_ entry: OutboxEntry, keys: Keyring, schedule: RouteSchedule) {
    let next = schedule.nextTry(of: entry)
    let content = Self.content(entry, keys)
    id = entry.id
    state = entry.state.rawValue
    lane = entry.lane.rawValue
    createdAt = entry.created.text
    ageSeconds = Int(max(schedule.now - entry.created, .zero).components.seconds)
    let isScheduled = entry.state == .waiting && entry.hold != .transport && !schedule.isBlocked(entry)
    dueAt = OrNull(isScheduled ? entry.due.text : nil)
    nextTryAt = OrNull(next?.at?.text)
    waitsFor = OrNull(next?.reason)
    notAfter = OrNull(entry.notAfter?.text)
    endedAt = OrNull(entry.ended?.text)
    attempts = entry.attempts
    transport = OrNull(entry.transport)
    outcome = OrNull(entry.outcome)
    reply = OrNull(entry.status)
    cause = OrNull(content.flatMap(Self.cause))
    held = OrNull(entry.hold?.rawValue)
    verification = OrNull(entry.group)
    route = OrNull(entry.route.isEmpty ? nil : printable(entry.route))
    submitter = OrNull(Caller.name(ofStoredName: entry.caller).map { printable($0) })
    recipients = OrNull(
      content?.recipients.map {
        Recipient(
          to: $0.address.masked, outcome: OrNull($0.outcome?.name), replyText: OrNull($0.reply))
      })
    nextTry = next?.text(at: schedule.now)
    events = entry.marks.map { mark in
      let bytes = try? keys.open(mark.sealed, id: entry.id)
      let address = bytes.flatMap { try? Address(String(decoding: $0, as: UTF8.self)) }
      return Mark(
        to: OrNull(address?.masked), event: mark.kind.rawValue, code: OrNull(mark.status), at: mark.at.text)
    }
  }

  // The next try as `line` shows it.
  private let nextTry: String?

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(id, forKey: .id)
    try container.encode(state, forKey: .state)
    try container.encode(state, forKey: .status)
    try container.encode(lane, forKey: .lane)
    try container.encode(attempts, forKey: .attempts)
    try container.encode(transport, forKey: .transport)
    try container.encode(outcome, forKey: .outcome)
    try container.encode(reply, forKey: .reply)
    try container.encode(cause, forKey: .cause)
    try container.encode(held, forKey: .held)
    try container.encode(verification, forKey: .verification)
    // Mail of this machine's commands has none.
    if submitter.value != nil { try container.encode(submitter, forKey: .submitter) }
    // Most mail takes the standard route.
    if route.value != nil { try container.encode(route, forKey: .route) }
    try container.encode(recipients, forKey: .recipients)
    if !events.isEmpty { try container.encode(events, forKey: .events) }
    try container.encode(createdAt, forKey: .createdAt)
    try container.encode(ageSeconds, forKey: .ageSeconds)
    try container.encode(dueAt, forKey: .dueAt)
    try container.encode(nextTryAt, forKey: .nextTryAt)
    try container.encode(waitsFor, forKey: .waitsFor)
    try container.encode(notAfter, forKey: .notAfter)
    try container.encode(endedAt, forKey: .endedAt)
  }

  private static func cause(_ content: OutboxContent) -> String? {
    let envelope = Envelope(sender: nil, recipients: content.recipients.map(\.address))
    let reply = content.recipients.first { $0.reply != nil && $0.outcome != .sent }?.reply
    return FailureCause.redacted(reply, envelope: envelope)
  }

  /// Returns the content of the mail; `nil` if it is erased, or sealed with a key that no longer exists.
  private static func content(_ entry: OutboxEntry, _ keys: Keyring) -> OutboxContent? {
    guard let sealed = entry.content, let bytes = try? keys.open(sealed, id: entry.id) else { return nil }
    return try? OutboxContent(bytes, id: entry.id)
  }

  /// The mail as one line of a list.
  var line: String {
    let to = recipients.value.map { all in
      (all.first?.to ?? "-") + (all.count > 1 ? " and \(all.count - 1) more" : "")
    }
    let code = reply.value.map { " (\($0))" } ?? ""
    let reason = cause.value.map { ": \($0)" } ?? ""
    let details = [
      Duration.seconds(ageSeconds).short + " old", to,
      submitter.value.map { "from \($0)" }, route.value.map { "route \($0)" },
      transport.value.map { "\(outcome.value ?? "tried") by \($0)\(code)\(reason)" }, nextTry,
      to == nil ? "content erased" : nil, eventCounts,
    ]
    return "\(id)  \(state)  \(lane)  \(details.compactMap(\.self).joined(separator: " · "))"
  }

  /// How many recipients are marked with what, such as `1 bounced`; `nil` if none is.
  private var eventCounts: String? {
    let counts = RecipientMark.Kind.allCases.compactMap { kind in
      let count = events.count { $0.event == kind.rawValue }
      return count == 0 ? nil : "\(count) \(kind.rawValue)"
    }
    return counts.isEmpty ? nil : counts.joined(separator: ", ")
  }

  /// The mail with all details.
  var text: String {
    var lines = [line, "  added \(createdAt), \(counted(attempts, "attempt"))"]
    if let notAfter = notAfter.value { lines.append("  not after \(notAfter)") }
    if let endedAt = endedAt.value { lines.append("  ended \(endedAt)") }
    if let verification = verification.value { lines.append("  for the verification \(verification)") }
    for recipient in recipients.value ?? [] {
      let reply = recipient.replyText.value.map { ": \($0.replacing("\n", with: " "))" } ?? ""
      lines.append("  \(recipient.to)  \(recipient.outcome.value ?? "pending")\(reply)")
    }
    lines += events.map { "  \($0.text)" }
    return lines.joined(separator: "\n")
  }
}

/// A transport that is paused or held, as recorded in the storage. Times are in UTC.
struct UnavailableTransport: Encodable, Sendable {
  let name: String
  /// `held`: its account or configuration is at fault; `paused`: it failed too often in a row, or its server asked for a
  /// delay. `status` is the earlier name.
  let state: String
  /// Null if it is paused.
  let heldSince: OrNull<String>
  /// When it is tried again. `closed_until` is the earlier name.
  let pausedUntil: String
  let failures: Int
  /// Why its last attempt failed, as in the log; null if that is unknown, or if its key no longer exists.
  let cause: OrNull<String>
  private let isDue: Bool

  enum CodingKeys: String, CodingKey {
    case name = "name"
    case state = "state"
    case status = "status"
    case failures = "failures"
    case cause = "cause"
    case heldSince = "held_since"
    case pausedUntil = "paused_until"
    case closedUntil = "closed_until"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(state, forKey: .state)
    try container.encode(state, forKey: .status)
    try container.encode(failures, forKey: .failures)
    try container.encode(cause, forKey: .cause)
    try container.encode(heldSince, forKey: .heldSince)
    try container.encode(pausedUntil, forKey: .pausedUntil)
    try container.encode(pausedUntil, forKey: .closedUntil)
  }

  /// Returns `nil` for a transport that is ready.
  init?(_ name: String, _ known: TransportState, keys: Keyring, at now: Timestamp) {
    guard let until = known.pausedUntil else { return nil }
    self.name = name
    isDue = until <= now
    state = known.heldSince == nil ? "paused" : "held"
    heldSince = OrNull(known.heldSince?.text)
    pausedUntil = until.text
    failures = known.failures
    let bytes = known.cause.flatMap { try? keys.open($0, id: TransportState.sealID(name)) }
    cause = OrNull(bytes.map { printable(String(decoding: $0, as: UTF8.self)) })
  }

  /// The transport as one line.
  var line: String {
    let since = heldSince.value.map { " since \($0)" } ?? " after \(counted(failures, "failure"))"
    let reason = cause.value.map { ": \($0)" } ?? ""
    let next = isDue ? "tried by the next mail" : "tried again at \(pausedUntil)"
    return "transport \(name) is \(state)\(since), \(next)\(reason)"
  }
}

extension OpenStorage {
  /// Returns the transports that are paused or held.
  func unavailableTransports(_ transports: [String: TransportState]) -> [UnavailableTransport] {
    let now = database.now()
    return transports.sorted { $0.key < $1.key }.compactMap {
      UnavailableTransport($0.key, $0.value, keys: keys, at: now)
    }
  }
}
