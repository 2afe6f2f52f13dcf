internal import Hummingbird
internal import PabalCore

/// Reads which mail is looked for, from the query of `GET /v1/mails` or the body of `POST /v1/mails/search`.
enum HistoryQuery {
  /// Reads a query as it was sent. Throws 400 with all its mistakes.
  ///
  /// A `+` is itself, because addresses have plus signs and no spaces.
  static func read(query: String?) throws(ProblemDetails) -> MailHistory.Query {
    var result = MailHistory.Query()
    var errors: [ProblemDetails.FieldError] = []
    var seen: Set<Substring> = []
    for pair in (query ?? "").split(separator: "&") {
      let name = pair.prefix { $0 != "=" }
      let field = String(name.prefix(64))
      guard ["to", "submitter", "before", "limit", "state"].contains(name) else {
        errors.append(
          .init(
            field: "", detail: "unknown parameter \"\(field)\"; use to, submitter, state, before and limit"))
        continue
      }
      guard seen.insert(name).inserted || name == "state" else {
        errors.append(.init(field: field, detail: "used twice"))
        continue
      }
      let value = String(pair.dropFirst(name.count + 1))
      guard let text = EnvelopeQuery.decoded(value, field, &errors) else { continue }
      switch name {
      case "to": result.recipient = EnvelopeQuery.address(text, field, &errors)
      case "submitter":
        result.submitter = text
        if text.isEmpty { errors.append(.init(field: field, detail: "empty")) }
      case "before":
        result.before = text
        if !MailIdentity.isID(text) { errors.append(.init(field: field, detail: notAnID)) }
      case "limit":
        // `Int` reads a sign as well.
        let number = text.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? Int(text) : nil
        if let number, MailHistory.Query.limits.contains(number) {
          result.limit = number
        } else {
          errors.append(
            .init(field: field, detail: "not a number from 1 to \(MailHistory.Query.limits.upperBound)"))
        }
      default:
        if let state = OutboxState(rawValue: text) {
          result.states = (result.states ?? []).union([state])
        } else {
          let known = OutboxState.allCases.map(\.rawValue).joined(separator: ", ")
          errors.append(.init(field: field, detail: "not a state; the states are \(known)"))
        }
      }
    }
    guard errors.isEmpty else { throw .invalid(errors) }
    return result
  }

  /// Reads a body. Throws 400 with all its mistakes.
  static func read(
    _ bytes: [UInt8], of request: Request
  ) throws(ProblemDetails) -> MailHistory.Query {
    try request.object(bytes) { object in
      var result = MailHistory.Query()
      if let text = object.optional("to")?.addressText() { result.recipient = try? Address(text) }
      result.submitter = object.optional("submitter")?.nonEmptyText()
      if let value = object.optional("before"), let text = value.text() {
        result.before = text
        if !MailIdentity.isID(text) { value.report(notAnID) }
      }
      if let limit = object.optional("limit")?.integer(in: MailHistory.Query.limits) { result.limit = limit }
      if let value = object.optional("state") {
        var fields = [value]
        if case .array = value.node.content {
          fields = value.elements() ?? []
          if fields.isEmpty { value.report("empty list", remedy: "name a state, or remove the key") }
        }
        result.states = Set(fields.compactMap { $0.choice(OutboxState.self) })
      }
      return result
    }
  }

  private static let notAnID = "not the id of a mail"
}
