import PabalCore

/// The report on one mail, as printed by `send --json`.
struct SendReport: Encodable {
  struct Recipient: Encodable {
    let address: String
    let outcome: String
    let reply: OrNull<String>

    enum CodingKeys: String, CodingKey {
      case address = "address"
      case outcome = "outcome"
      case reply = "reply"
    }
  }

  struct Attempt: Encodable {
    let transport: String
    let outcome: String
    let reply: OrNull<String>
    let seconds: Double

    enum CodingKeys: String, CodingKey {
      case transport = "transport"
      case outcome = "outcome"
      case reply = "reply"
      case seconds = "seconds"
    }
  }

  let outcome: String
  let scope: OrNull<String>
  let transport: OrNull<String>
  let messageID: String
  let remoteID: OrNull<String>
  let reply: OrNull<String>
  let retryAfter: OrNull<Int64>
  let recipients: [Recipient]
  let attempts: [Attempt]

  enum CodingKeys: String, CodingKey {
    case outcome = "outcome"
    case scope = "scope"
    case transport = "transport"
    case reply = "reply"
    case recipients = "recipients"
    case attempts = "attempts"
    case messageID = "message_id"
    case remoteID = "remote_id"
    case retryAfter = "retry_after"
  }

  init(_ delivery: Delivery) {
    let receipt = delivery.receipt
    outcome = receipt.outcome.name
    if case .held(let held, _) = receipt.outcome {
      scope = OrNull(held.rawValue)
    } else {
      scope = OrNull(nil)
    }
    transport = OrNull(delivery.transport)
    messageID = delivery.mail.messageID
    remoteID = OrNull(receipt.remoteID)
    reply = OrNull(receipt.reply)
    retryAfter = OrNull(receipt.outcome.retryAfter?.components.seconds)
    recipients = receipt.recipients.map {
      Recipient(address: $0.address.description, outcome: $0.outcome.name, reply: OrNull($0.reply))
    }
    attempts = delivery.attempts.map {
      Attempt(
        transport: $0.transport, outcome: $0.outcome.name, reply: OrNull($0.reply),
        seconds: $0.duration.seconds)
    }
  }
}

extension SendReport {
  /// Returns the report on a delivery as text.
  static func text(_ delivery: Delivery) -> String {
    let receipt = delivery.receipt
    var lines: [String] = []
    for attempt in delivery.attempts {
      let milliseconds = (attempt.duration.seconds * 10_000).rounded() / 10
      lines.append("\(attempt.outcome.name) by \(attempt.transport) in \(milliseconds) ms")
      if let reply = attempt.reply { lines.append("  \(reply.replacing("\n", with: "\n  "))") }
    }
    if Set(receipt.recipients.map(\.outcome)).count > 1 {
      for recipient in receipt.recipients {
        let reply = recipient.reply.map { ": \($0.replacing("\n", with: " "))" } ?? ""
        lines.append("  \(recipient.address) \(recipient.outcome.name)\(reply)")
      }
    }
    if !delivery.mail.messageID.isEmpty { lines.append("Message-ID \(delivery.mail.messageID)") }
    if let remoteID = receipt.remoteID { lines.append("server's id: \(remoteID)") }
    if let advice = advice(receipt) { lines.append(advice) }
    return lines.joined(separator: "\n")
  }

  private static func advice(_ receipt: Receipt) -> String? {
    let unsent = receipt.recipients.filter { $0.outcome != .sent }.map(\.address.description)
    guard unsent.count < receipt.recipients.count, !unsent.isEmpty else { return advice(receipt.outcome) }
    let names =
      unsent.count > 5 ? "\(unsent.count) of \(receipt.recipients.count)" : unsent.joined(separator: ", ")
    return "Sent, except to \(names). Don't send it again to the recipients who have it."
  }

  private static func advice(_ outcome: Outcome) -> String? {
    let wait = outcome.retryAfter.map { "in \($0.components.seconds) s" }
    return switch outcome {
    case .sent: nil
    case .deferred: "Not sent; try again \(wait ?? "later")."
    case .rejected, .unsuited: "Not sent, and a retry won't help: change the mail or the address."
    case .held(.transport, _):
      "Not sent: the account or the transport's configuration is at fault; `pabal check` says what to change."
        + (wait.map { " It may work again \($0)." } ?? "")
    case .held(.mail, _):
      "Not sent: the account isn't allowed to send this mail; check \"from\" and the account."
    case .unknown: "It may have arrived; check before you send it again."
    }
  }
}

extension Duration {
  /// The duration in seconds.
  package var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
