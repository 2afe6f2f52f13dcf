internal import PabalPlugin

/// What the answer to a question for the mailbox's profile says of the account.
enum Profile {
  static func ending(of exchange: Exchange, _ service: Service, user: String?, now: Int) -> Ending {
    let name = service.endpoint.name
    guard let status = exchange.status else {
      // Nothing was to be handed over.
      var exchange = exchange
      exchange.isHandedOver = false
      return NetworkFailure.ending(of: exchange, service)
    }
    if status == 200 {
      guard let address = JSONText(exchange.body)?["emailAddress"]?.string, !address.isEmpty else {
        return Ending(.held(.transport), "\(name) answers without a mailbox; is \"endpoint\" Gmail's?")
      }
      // An alias is the same mailbox by another name, so it is for a person to judge.
      let others = user.map { $0.lowercased() != address.lowercased() } ?? false
      let note =
        others ? ", though \"user\" of its account is \(user ?? ""): log that one in, or mend \"user\"" : ""
      return Ending(.ready, "reached \(name), sends as \(address)\(note)")
    }
    let refusal = Refusal(status: status, body: exchange.body)
    // gmail.send alone opens no question at all, and it is all that sending needs.
    let narrow: Set = ["insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"]
    if status == 403, !narrow.isDisjoint(with: refusal.reasons) {
      return Ending(
        .ready, "reached \(name), the token is accepted; its scope does not show whose mailbox it is")
    }
    let row = Judgement.row(for: refusal)
    let words = Judgement.words(refusal, advice: row?.advice ?? "")
    let wait = [RetryTime.seconds(in: refusal.message, now: now) ?? 0, exchange.retryAfter].max() ?? 0
    switch row?.kind {
    case .held: return Ending(.held(.transport, retryAfter: Int64(wait)), words)
    case .rejected, .unsuited:
      return Ending(.held(.transport), "\(words); is \"endpoint\" Gmail's?")
    case .deferred, .unknown, nil: return Ending(.deferred(retryAfter: Int64(wait)), words)
    }
  }
}
