internal import PabalPlugin

/// What the answer to a question for the mailbox's profile says of the account.
enum ProfileClassifier {
  static func sendResult(of exchange: HTTPExchange, _ api: GmailAPI, user: String?, now: Int) -> SendResult {
    let name = api.endpoint.name
    guard let status = exchange.status else {
      // Nothing was to be handed over.
      var exchange = exchange
      exchange.isFullySent = false
      return NetworkErrorClassifier.sendResult(of: exchange, api)
    }
    if status == 200 {
      guard let address = GmailJSON(exchange.body)?["emailAddress"]?.string, !address.isEmpty else {
        return SendResult(.held(.transport), "\(name) answers without a mailbox; is \"endpoint\" Gmail's?")
      }
      // An alias is the same mailbox by another name, so it is for a person to judge.
      let others = user.map { $0.lowercased() != address.lowercased() } ?? false
      let note =
        others ? ", though \"user\" of its account is \(user ?? ""): log that one in, or mend \"user\"" : ""
      return SendResult(.ready, "reached \(name), sends as \(address)\(note)")
    }
    let errorResponse = GmailErrorResponse(status: status, body: exchange.body)
    // gmail.send alone opens no question at all, and it is all that sending needs.
    let insufficientScope: Set = ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]
    if status == 403, !insufficientScope.isDisjoint(with: errorResponse.reasons) {
      return SendResult(
        .ready, "reached \(name), the token is accepted; its scope does not show whose mailbox it is")
    }
    let row = ResponseClassifier.row(for: errorResponse)
    let message = ResponseClassifier.message(errorResponse, advice: row?.advice ?? "")
    let wait = [RetryTime.seconds(in: errorResponse.message, now: now) ?? 0, exchange.retryAfter].max() ?? 0
    switch row?.kind {
    case .held: return SendResult(.held(.transport, retryAfter: Int64(wait)), message)
    case .rejected, .unsuited:
      return SendResult(.held(.transport), "\(message); is \"endpoint\" Gmail's?")
    case .deferred, .unknown, nil: return SendResult(.deferred(retryAfter: Int64(wait)), message)
    }
  }
}
