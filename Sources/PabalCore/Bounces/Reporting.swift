/// Whether the sender of a mail gets delivery reports, or why not. Stores keep it beside the mail.
package enum Reporting: String, Sendable, Hashable, CaseIterable {
  /// The mail wasn't submitted by SMTP or `sendmail`; its state is read from the outbox.
  case none = ""
  /// Its sender gets reports.
  case sender = "sender"
  /// It has the null sender.
  case nullSender = "null-sender"
  /// It is an automatic response or a report of another system, which a report would answer in turn.
  case automatic = "automatic"
  /// Its submitter may not use the address of the sender, so a report would reach somebody else.
  case foreignSender = "foreign-sender"
  /// It is a report itself.
  case report = "report"

  /// Whether the mail was submitted, or is a report, and its failure can't be reported.
  package var isImpossible: Bool {
    switch self {
    case .none, .sender: false
    case .nullSender, .automatic, .foreignSender, .report: true
    }
  }
}

extension Reporting {
  /// Decides whether a submitted mail may be reported to its sender.
  ///
  /// The null return path of a report isn't enough against loops, because some services replace it by the account's
  /// address. So neither the reports nor the automatic responses of other systems are answered (RFC 3834, 2).
  ///
  /// - Parameters:
  ///   - sender: The sender as submitted.
  ///   - header: The header of the mail; `nil` if it can't be read.
  ///   - mayUseSender: Whether the submitter may use the address of the sender.
  package init(sender: Address?, header: MailHeader?, mayUseSender: (Address) -> Bool) {
    guard let sender else {
      self = .nullSender
      return
    }
    if sender.localPart.lowercased() == "mailer-daemon" || header?.isAutomatic ?? true {
      self = .automatic
    } else {
      self = mayUseSender(sender) ? .sender : .foreignSender
    }
  }
}

extension MailHeader {
  /// Whether the mail was sent automatically, or reports about another mail.
  fileprivate var isAutomatic: Bool {
    func words(_ name: String) -> [String] {
      values(of: name).map { value in
        let text = String(decoding: value, as: UTF8.self).trimmed.lowercased()
        return String(text.prefix { $0 != ";" && $0 != "(" && !$0.isWhitespace })
      }
    }
    return words("auto-submitted").contains { $0 != "no" }
      || words("content-type").contains("multipart/report")
      || words("precedence").contains("auto_reply") || contains("x-autoreply", "x-autorespond")
  }
}
