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

  let id: String
  let status: String
  let lane: String
  let createdAt: String
  /// Null if no attempt is scheduled.
  let dueAt: OrNull<String>
  let notAfter: OrNull<String>
  let endedAt: OrNull<String>
  let attempts: Int
  let transport: OrNull<String>
  let outcome: OrNull<String>
  /// The status code of the last reply.
  let reply: OrNull<String>
  /// `transport` or `mail` if an account or the configuration is at fault.
  let held: OrNull<String>
  let verification: OrNull<String>
  /// Null once the content is erased, as in every final state.
  let recipients: OrNull<[Recipient]>

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case status = "status"
    case lane = "lane"
    case attempts = "attempts"
    case transport = "transport"
    case outcome = "outcome"
    case reply = "reply"
    case held = "held"
    case verification = "verification"
    case recipients = "recipients"
    case createdAt = "created_at"
    case dueAt = "due_at"
    case notAfter = "not_after"
    case endedAt = "ended_at"
  }

  init(_ entry: OutboxEntry, keys: Keyring) {
    id = entry.id
    status = entry.state.rawValue
    lane = entry.lane.rawValue
    createdAt = entry.created.text
    dueAt = OrNull(entry.state == .waiting ? entry.due.text : nil)
    notAfter = OrNull(entry.notAfter?.text)
    endedAt = OrNull(entry.ended?.text)
    attempts = entry.attempts
    transport = OrNull(entry.transport)
    outcome = OrNull(entry.outcome)
    reply = OrNull(entry.status)
    held = OrNull(entry.hold?.rawValue)
    verification = OrNull(entry.group)
    recipients = OrNull(
      Self.content(entry, keys)?.recipients.map {
        Recipient(
          to: $0.address.masked, outcome: OrNull($0.outcome?.name), replyText: OrNull($0.reply))
      })
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
    let details = [
      to, transport.value.map { "\(outcome.value ?? "tried") by \($0)\(code)" },
      held.value.map { "held (\($0))" }, dueAt.value.map { "due \($0)" }, to == nil ? "content erased" : nil,
    ]
    return "\(id)  \(status)  \(lane)  \(details.compactMap(\.self).joined(separator: " · "))"
  }

  /// The mail with all details.
  var text: String {
    var lines = [line, "  added \(createdAt), \(attempts) attempts"]
    if let notAfter = notAfter.value { lines.append("  not after \(notAfter)") }
    if let endedAt = endedAt.value { lines.append("  ended \(endedAt)") }
    if let verification = verification.value { lines.append("  for the verification \(verification)") }
    for recipient in recipients.value ?? [] {
      let reply = recipient.replyText.value.map { ": \($0.replacing("\n", with: " "))" } ?? ""
      lines.append("  \(recipient.to)  \(recipient.outcome.value ?? "pending")\(reply)")
    }
    return lines.joined(separator: "\n")
  }
}

/// A transport that is suspended at the moment, as recorded in the storage. Times are in UTC.
struct UnavailableTransport: Encodable, Sendable {
  let name: String
  /// `held`: its account or configuration is at fault; `closed`: it failed too often in a row.
  let status: String
  /// Null if it was closed by failures.
  let heldSince: OrNull<String>
  let closedUntil: String
  let failures: Int
  /// The server's reply; null if there was none, or if its key no longer exists.
  let cause: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case name = "name"
    case status = "status"
    case failures = "failures"
    case cause = "cause"
    case heldSince = "held_since"
    case closedUntil = "closed_until"
  }

  /// Returns `nil` for a transport that may be used at `now`.
  init?(_ name: String, _ known: TransportState, keys: Keyring, at now: Timestamp) {
    guard let until = known.closedUntil, until > now || known.heldSince != nil else { return nil }
    self.name = name
    status = known.heldSince == nil ? "closed" : "held"
    heldSince = OrNull(known.heldSince?.text)
    closedUntil = until.text
    failures = known.failures
    let bytes = known.cause.flatMap { try? keys.open($0, id: TransportState.sealID(name)) }
    cause = OrNull(bytes.map { printable(String(decoding: $0, as: UTF8.self)) })
  }

  /// The transport as one line.
  var line: String {
    let since = heldSince.value.map { " since \($0)" } ?? " after \(failures) failures"
    let reason = cause.value.map { ": \($0)" } ?? ""
    return "transport \(name) is \(status)\(since), next attempt at \(closedUntil)\(reason)"
  }
}

extension OpenStorage {
  /// Returns the transports that are suspended now.
  func unavailableTransports(_ transports: [String: TransportState]) -> [UnavailableTransport] {
    let now = Timestamp.now()
    return transports.sorted { $0.key < $1.key }.compactMap {
      UnavailableTransport($0.key, $0.value, keys: keys, at: now)
    }
  }
}
