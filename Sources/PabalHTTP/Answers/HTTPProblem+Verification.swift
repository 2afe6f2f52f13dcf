internal import HTTPTypes
internal import PabalCore

extension HTTPProblem {
  /// What a caller is told of a refusal, and nothing more: what is wrong with the site is for its log.
  init(_ problem: VerificationProblem) {
    switch problem {
    case .unknown:
      self.init(
        "no-such-verification", .notFound, "There is no such verification",
        detail: "an ended one is kept for a day")
    case .limited(let limit, let wait):
      // Nobody but the operator can make room, so it is the service that is not available.
      self.init(
        "limit-reached", limit == .overall ? .serviceUnavailable : .tooManyRequests, "A limit is reached",
        detail: problem.description)
      self.limit = limit.rawValue
      retryAfter = wait?.wholeSecondsUp
    case .ended(let state):
      self.init("ended", .conflict, "The verification has ended", detail: "it is \(state.rawValue)")
    case .input(let field, let what):
      self = .invalid(field, what)
    case .proof(let proof):
      switch proof {
      case .unknown: self.init("no-such-proof", .notFound, "There is no such proof")
      case .redeemed: self.init("proof-redeemed", .conflict, "The proof was redeemed before")
      case .expired: self.init("proof-expired", .gone, "The proof's time is over")
      }
    case .words:
      self.init("message-broken", .serviceUnavailable, "The message can't be rendered", detail: "see the log")
      retryAfter = 60
    case .keys:
      self.init("keys-missing", .serviceUnavailable, "A key is missing here", detail: "see the log")
      retryAfter = 60
    case .storage:
      self.init(
        "storage-unavailable", .serviceUnavailable, "The store could not do it", detail: "nothing was done")
      retryAfter = 5
    }
  }
}
