internal import PabalFormats

/// The part of a report that programs read (RFC 3464; RFC 6533 if an address has non-ASCII characters).
struct DeliveryStatusPart {
  /// Whether it is `message/global-delivery-status`.
  let isGlobal: Bool
  private var text = ""

  init(_ report: DeliveryReport, host: String) {
    isGlobal = report.recipients.contains {
      !$0.address.utf8.allSatisfy { $0 < 0x80 } || !($0.original ?? "").utf8.allSatisfy { $0 < 0x80 }
    }
    append("Reporting-MTA", "dns; \(host)")
    if let id = report.envelopeID { append("Original-Envelope-Id", id) }
    append("Arrival-Date", DeliveryStatusPart.date(report.arrival))
    append("X-Pabal-Queue-Id", report.id)
    for recipient in report.recipients {
      text += "\r\n"
      if let original = recipient.original { append("Original-Recipient", spaced(original)) }
      let isASCII = recipient.address.utf8.allSatisfy { $0 < 0x80 }
      append("Final-Recipient", "\(isASCII ? "rfc822" : "utf-8"); \(recipient.address)")
      append("Action", report.action.rawValue)
      append("Status", DeliveryStatusPart.status(of: recipient, report.action))
      if let reply = recipient.shownReply {
        append("Diagnostic-Code", "\(DeliveryStatusPart.isSMTP(reply) ? "smtp" : "x-pabal"); \(reply)")
      }
      if report.action != .relayed {
        append("Last-Attempt-Date", DeliveryStatusPart.date(report.now))
      }
      if report.action == .delayed, let moment = report.retriedUntil {
        append("Will-Retry-Until", DeliveryStatusPart.date(moment))
      }
    }
  }

  /// Whether it has bytes above 127.
  var has8Bit: Bool { !text.utf8.allSatisfy { $0 < 0x80 } }

  func append(to target: inout [UInt8]) {
    target.append(ascii: "Content-Type: message/")
    target.append(text: isGlobal ? "global-delivery-status" : "delivery-status")
    // RFC 6533, 4: 8bit where possible. A mail to such an address needs it anyway.
    target.append(ascii: has8Bit ? "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" : "\r\n\r\n")
    target.append(text: text)
  }

  /// Appends a field, folded at spaces to lines of at most 78 bytes where that is possible.
  private mutating func append(_ name: String, _ value: String) {
    let value = isGlobal ? printable(value) : DeliveryStatusPart.ascii(value)
    var line = "\(name):"
    for word in value.split(separator: " ") {
      if line.utf8.count + 1 + word.utf8.count > 78, line.utf8.count > name.utf8.count + 1 {
        text += line + "\r\n"
        line = ""
      }
      // A line can't be longer than 998 bytes (RFC 5322, 2.1.1).
      line += " " + word.prefix(200)
    }
    text += line + "\r\n"
  }

  private func spaced(_ original: String) -> String {
    guard let separator = original.firstIndex(of: ";") else { return original }
    return "\(original[..<separator]); \(original[original.index(after: separator)...])"
  }

  /// The text with each other character than printable ASCII replaced by a question mark.
  private static func ascii(_ text: String) -> String {
    String(text.map { $0.isASCII && $0 >= " " && $0 != "\u{7F}" ? $0 : "?" })
  }

  private static func date(_ moment: Timestamp) -> String {
    MailDate.string(millisecondsSince1970: moment.milliseconds, offset: 0)
  }

  /// Returns the status code of RFC 3463: that of the reply if it fits the action, otherwise a general one.
  private static func status(of recipient: DeliveryReport.Recipient, _ action: DeliveryReport.Action)
    -> String
  {
    let reply = replyStatus(recipient.reply)?.split(separator: " ").last.map(String.init)
    func fitting(_ class: Character) -> String? {
      reply?.first == `class` && reply?.contains(".") ?? false ? reply : nil
    }
    switch (action, recipient.cause) {
    case (.failed, .expired): return "4.4.7"
    case (.failed, .unknown): return "4.4.2"
    case (.failed, .rejected), (.failed, nil): return fitting("5") ?? "5.0.0"
    case (.delayed, _): return fitting("4") ?? "4.0.0"
    case (.relayed, _): return fitting("2") ?? "2.0.0"
    }
  }

  /// Whether a reply is one of an SMTP server. REST APIs answer with numbers as well, without an enhanced status.
  private static func isSMTP(_ reply: String) -> Bool {
    guard let status = replyStatus(reply) else { return false }
    if status.contains(" ") { return true }
    return ["250", "251", "252", "421", "450", "451", "452", "455", "550", "551", "552", "553", "554", "555"]
      .contains(status)
  }
}

extension DeliveryReport.Recipient {
  /// The last reply on one line, without control characters; `nil` if there is none.
  var shownReply: String? {
    guard let reply else { return nil }
    let line = printable(reply.prefix(2_000).split(whereSeparator: \.isWhitespace).joined(separator: " "))
    return line.isEmpty ? nil : String(line.prefix(1_000))
  }
}
