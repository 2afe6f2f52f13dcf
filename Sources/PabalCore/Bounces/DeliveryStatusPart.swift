internal import PabalFormats

/// The part of a report that programs read (RFC 3464).
///
/// Addresses beyond ASCII have the type `utf-8` (RFC 6533, 3). The part is `message/global-delivery-status`, with such
/// addresses as they are, if 8-bit content is allowed. Otherwise it is ASCII, with their characters as `\x{HEX}`.
struct DeliveryStatusPart {
  /// Whether it is `message/global-delivery-status`.
  let isGlobal: Bool
  private var text = ""
  private static let wordLimit = 900

  init(_ report: DeliveryReport, host: String, allows8Bit: Bool) {
    isGlobal =
      allows8Bit
      && report.recipients.contains { !isASCII($0.address) || !isASCII($0.original ?? "") }
    append("Reporting-MTA", "dns; \(host)")
    if let id = report.envelopeID { append("Original-Envelope-Id", id) }
    append("Arrival-Date", DeliveryStatusPart.date(report.arrival))
    append("X-Pabal-Queue-Id", report.id)
    for recipient in report.recipients {
      text += "\r\n"
      if let original = recipient.original { appendOriginal(original) }
      appendFinal(recipient.address)
      append("Action", report.action.rawValue)
      append("Status", DeliveryStatusPart.status(of: recipient, report.action))
      if let reply = recipient.shownReply {
        let isSMTP = DeliveryStatusPart.isSMTP(reply)
        // A transport's own text isn't the answer of a server.
        if isSMTP, let name = recipient.remoteHost.flatMap(DeliveryStatusPart.hostName) {
          append("Remote-MTA", "dns; \(name)")
        }
        append("Diagnostic-Code", "\(isSMTP ? "smtp" : "x-pabal"); \(reply)")
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
  var has8Bit: Bool { !isASCII(text) }

  func append(to target: inout [UInt8]) {
    target.append(ascii: "Content-Type: message/")
    target.append(text: isGlobal ? "global-delivery-status" : "delivery-status")
    target.append(ascii: has8Bit ? "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" : "\r\n\r\n")
    target.append(text: text)
  }

  // MARK: Addresses

  private mutating func appendOriginal(_ original: String) {
    guard let separator = original.firstIndex(of: ";") else { return append("Original-Recipient", original) }
    let address = String(original[original.index(after: separator)...])
    let type = original[..<separator].lowercased()
    appendAddress("Original-Recipient", type, address, isEscaped: type == "utf-8")
  }

  /// Appends the recipient. What isn't an address, which may be why the mail was refused, has the type `unknown`, so that
  /// no program takes it for one.
  private mutating func appendFinal(_ address: String) {
    if (try? Address(address)) == nil {
      appendAddress("Final-Recipient", "unknown", address, isEscaped: !isASCII(address))
    } else if isASCII(address) {
      appendAddress("Final-Recipient", "rfc822", address, isEscaped: false)
    } else {
      appendAddress("Final-Recipient", "utf-8", address, isEscaped: true)
    }
  }

  private mutating func appendAddress(_ name: String, _ type: String, _ address: String, isEscaped: Bool) {
    append(name, "\(type); \(isEscaped && !isGlobal ? DeliveryStatusPart.escaped(address) : address)")
  }

  /// Returns the 7-bit form of an address of the type `utf-8`: `utf-8-addr-xtext` in RFC 6533, 3.
  private static func escaped(_ address: String) -> String {
    var text = ""
    for scalar in address.unicodeScalars {
      switch scalar {
      case "+", "=", "\\": text += "\\x{\(String(scalar.value, radix: 16, uppercase: true))}"
      case "\u{21}"..."\u{7E}": text.unicodeScalars.append(scalar)
      default:
        let hexadecimal = String(scalar.value, radix: 16, uppercase: true)
        text += "\\x{\(hexadecimal.utf8.count < 2 ? "0" : "")\(hexadecimal)}"
      }
      if text.utf8.count > wordLimit { break }
    }
    return text
  }

  /// Returns the name of a server in this part: a host name, or an address literal.
  private static func hostName(_ host: String) -> String? {
    guard !host.isEmpty, host.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
    guard IPAddress(host[...]) != nil else { return host }
    return host.utf8.contains(UInt8(ascii: ":")) ? "[IPv6:\(host)]" : "[\(host)]"
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
      line += " "
      var length = 0
      for scalar in word.unicodeScalars {
        length += UTF8.width(scalar)
        if length > DeliveryStatusPart.wordLimit { break }
        line.unicodeScalars.append(scalar)
      }
    }
    text += line + "\r\n"
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

private func isASCII(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }
