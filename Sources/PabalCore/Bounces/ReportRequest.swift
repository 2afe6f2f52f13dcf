/// The reports about the delivery of its mail that a client asks for: the parameters of MAIL and RCPT in RFC 3461.
package struct ReportParameters: Sendable, Hashable {
  /// What a report returns of the mail: the parameter RET of MAIL.
  package enum Returned: UInt8, Sendable, Hashable {
    /// The header.
    case headers = 1
    /// The whole mail, up to a limit.
    case full = 2
  }

  /// The events that a recipient's parameter NOTIFY names; none for `NEVER`.
  package struct Events: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let success = Events(rawValue: 1)
    package static let failure = Events(rawValue: 2)
    package static let delay = Events(rawValue: 4)
    /// The events without the parameter (RFC 3461, 4.1).
    package static let standard: Events = [.failure, .delay]
  }

  /// The parameters of a recipient.
  package struct Recipient: Sendable, Hashable {
    /// The events of NOTIFY; `nil` without the parameter.
    package var events: Events?
    /// The decoded value of ORCPT, such as `rfc822;kim@example.com`; `nil` without the parameter.
    package var original: String?

    /// The parameters of a recipient.
    package init(events: Events? = nil, original: String? = nil) {
      self.events = events
      self.original = original
    }
  }

  /// The parameter RET; `nil` without it.
  package var returned: Returned?
  /// The decoded parameter ENVID; `nil` without it.
  package var envelopeID: String?
  /// The recipients with parameters.
  package var recipients: [Address: Recipient] = [:]

  /// No parameters.
  package init() {}

  /// Returns the parameters for the addresses that `targets` returns for the recipients, such as those of aliases. A report
  /// names the recipient as it was submitted (RFC 3461, 5.2.7).
  package func rewritten(_ submitted: [Address], _ targets: (Address) -> [Address]) -> ReportParameters {
    var parameters = self
    parameters.recipients = [:]
    for recipient in submitted {
      for target in targets(recipient) where parameters.recipients[target] == nil {
        guard target != recipient else {
          parameters.recipients[target] = recipients[recipient]
          continue
        }
        let type = recipient.needsSMTPUTF8 ? "utf-8" : "rfc822"
        parameters.recipients[target] = Recipient(
          events: recipients[recipient]?.events,
          original: recipients[recipient]?.original ?? "\(type);\(recipient)")
      }
    }
    return parameters
  }

  /// The events that are reported about a recipient.
  func events(of recipient: Address) -> Events { recipients[recipient]?.events ?? .standard }
}

/// Where reports about the delivery of a submitted mail go, and which ones were asked for.
package struct ReportRequest: Sendable, Hashable {
  /// The sender as submitted.
  package var sender: Address
  /// The reports that were asked for.
  package var parameters: ReportParameters

  /// A request of reports to `sender`.
  package init(sender: Address, _ parameters: ReportParameters = ReportParameters()) {
    self.sender = sender
    self.parameters = parameters
  }
}
