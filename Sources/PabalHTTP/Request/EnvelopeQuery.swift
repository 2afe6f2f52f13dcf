internal import PabalCore
internal import PabalFormats

/// The envelope of a finished mail in the query of a request: `from` once, and `to` for each recipient.
struct EnvelopeQuery {
  /// The envelope.
  let envelope: Envelope

  /// The parts of the request that an idempotency key covers.
  var payloadParts: [[UInt8]] {
    ([envelope.sender] + envelope.recipients).map { Array(($0?.description ?? "").utf8) }
  }

  /// Reads a query as it was sent. Throws 400 with all its mistakes.
  ///
  /// A `+` is itself, because addresses have plus signs and no spaces.
  init(_ query: String?) throws(ProblemDetails) {
    var errors: [ProblemDetails.FieldError] = []
    var senders: [Address?] = []
    var recipients: [Address] = []
    var recipientCount = 0
    for pair in (query ?? "").split(separator: "&") {
      let name = pair.prefix { $0 != "=" }
      let value = String(pair.dropFirst(name.count + 1))
      switch name {
      case "from":
        let field = "from"
        guard let text = EnvelopeQuery.decoded(value, field, &errors) else { continue }
        if text.isEmpty || text == "<>" {
          senders.append(nil)
        } else if let address = EnvelopeQuery.address(text, field, &errors) {
          senders.append(address)
        }
      case "to":
        let field = "to[\(recipientCount)]"
        recipientCount += 1
        guard let text = EnvelopeQuery.decoded(value, field, &errors) else { continue }
        if let address = EnvelopeQuery.address(text, field, &errors) { recipients.append(address) }
      default:
        errors.append(
          .init(field: "", detail: "unknown parameter \"\(name.prefix(64))\"; use from and to"))
      }
    }
    if errors.isEmpty, senders.count != 1 {
      errors.append(
        .init(
          field: "from",
          detail: senders.isEmpty
            ? "missing parameter; add the envelope's sender, as ?from=shop@example.com, or an empty one for <>"
            : "used \(senders.count) times; an envelope has one sender"))
    }
    if recipientCount > MailRequestLimits.recipientLimit {
      errors.append(
        .init(
          field: "to",
          detail: "more than \(MailRequestLimits.recipientLimit) recipients; send several requests"))
    }
    guard errors.isEmpty else { throw .invalid(errors) }
    guard let envelope = Envelope(sender: senders[0], recipients: recipients) else {
      throw .invalid("to", "missing parameter; add one for each recipient, as &to=kim@example.com")
    }
    self.envelope = envelope
  }

  /// Returns the decoded value of a parameter.
  static func decoded(
    _ value: String, _ field: String, _ errors: inout [ProblemDetails.FieldError]
  ) -> String? {
    if let bytes = try? PercentEncoding.decode(value.utf8Span.span),
      let text = String(validating: bytes, as: UTF8.self)
    {
      return text.trimmed
    }
    errors.append(.init(field: field, detail: "not percent-encoded UTF-8; write a % itself as %25"))
    return nil
  }

  /// Returns the address in a parameter.
  static func address(
    _ text: String, _ field: String, _ errors: inout [ProblemDetails.FieldError]
  ) -> Address? {
    do throws(AddressError) {
      return try Address(text)
    } catch {
      errors.append(.init(field: field, detail: error.message))
      return nil
    }
  }
}
