import PabalCore

/// What `send --json` prints of one mail.
struct SendReport: Encodable {
  struct Recipient: Encodable {
    let address: String
    let outcome: String
    let reply: String?

    enum CodingKeys: String, CodingKey { case address, outcome, reply }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(address, forKey: .address)
      try container.encode(outcome, forKey: .outcome)
      try container.encode(reply, forKey: .reply)
    }
  }

  struct Attempt: Encodable {
    let transport: String
    let outcome: String
    let reply: String?
    let seconds: Double

    enum CodingKeys: String, CodingKey { case transport, outcome, reply, seconds }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(transport, forKey: .transport)
      try container.encode(outcome, forKey: .outcome)
      try container.encode(reply, forKey: .reply)
      try container.encode(seconds, forKey: .seconds)
    }
  }

  let outcome: String
  let scope: String?
  let transport: String?
  let messageID: String
  let remoteID: String?
  let reply: String?
  let retryAfter: Int64?
  let recipients: [Recipient]
  let attempts: [Attempt]

  init(_ delivery: Delivery) {
    let receipt = delivery.receipt
    outcome = receipt.outcome.name
    if case .held(let scope, _) = receipt.outcome { self.scope = scope.rawValue } else { scope = nil }
    transport = delivery.transport
    messageID = delivery.mail.messageID
    remoteID = receipt.remoteID
    reply = receipt.reply
    retryAfter = receipt.outcome.retryAfter?.components.seconds
    recipients = receipt.recipients.map {
      Recipient(address: $0.address.description, outcome: $0.outcome.name, reply: $0.reply)
    }
    attempts = delivery.attempts.map {
      Attempt(transport: $0.transport, outcome: $0.outcome.name, reply: $0.reply, seconds: $0.took.seconds)
    }
  }

  enum CodingKeys: String, CodingKey {
    case outcome, scope, transport, reply, recipients, attempts
    case messageID = "message_id"
    case remoteID = "remote_id"
    case retryAfter = "retry_after"
  }

  // A key that is there with null tells a program more than one that is missing.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(outcome, forKey: .outcome)
    try container.encode(scope, forKey: .scope)
    try container.encode(transport, forKey: .transport)
    try container.encode(messageID, forKey: .messageID)
    try container.encode(remoteID, forKey: .remoteID)
    try container.encode(reply, forKey: .reply)
    try container.encode(retryAfter, forKey: .retryAfter)
    try container.encode(recipients, forKey: .recipients)
    try container.encode(attempts, forKey: .attempts)
  }
}

extension SendReport {
  /// The same for a person, on a few lines.
  static func text(_ delivery: Delivery) -> String {
    let receipt = delivery.receipt
    var lines: [String] = []
    for attempt in delivery.attempts {
      let milliseconds = (attempt.took.seconds * 10_000).rounded() / 10
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
    if let remoteID = receipt.remoteID { lines.append("there known as \(remoteID)") }
    if let advice = advice(receipt.outcome) { lines.append(advice) }
    return lines.joined(separator: "\n")
  }

  private static func advice(_ outcome: Outcome) -> String? {
    let wait = outcome.retryAfter.map { "in \($0.components.seconds) s" }
    return switch outcome {
    case .sent: nil
    case .deferred: "Not sent; try again \(wait ?? "later")."
    case .rejected, .unsuited: "Not sent, and it won't be: the mail or an address has to change."
    case .held(.transport, _):
      "Not sent: the account or the transport's set-up is at fault. `pabal check` says what to mend"
        + (wait.map { "; it may mend itself \($0)." } ?? ".")
    case .held(.mail, _): "Not sent: the sender may not send this mail; look at \"from\" and the account."
    case .unknown: "It may have arrived, or not: look before you send it again."
    }
  }
}

extension Duration {
  /// The duration in seconds.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
