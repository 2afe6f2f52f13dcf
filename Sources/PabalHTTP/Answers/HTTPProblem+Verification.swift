internal import HTTPTypes
internal import PabalCore

extension ProblemDetails {
  /// What a caller is told of a refusal, and nothing more: what is wrong with the site is for its log.
  init(_ problem: VerificationError) {
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
    case .input(let field, let message):
      self = .invalid(field, message)
    case .proof(let proof):
      switch proof {
      case .unknown: self.init("no-such-proof", .notFound, "There is no such proof")
      case .redeemed: self.init("proof-redeemed", .conflict, "The proof was redeemed before")
      case .expired: self.init("proof-expired", .gone, "The proof's time is over")
      }
    case .reused: self = .reused
    case .brokenMessage: self = .brokenMessage
    case .keys:
      self.init("keys-missing", .serviceUnavailable, "A key is missing here", detail: "see the log")
      retryAfter = 60
    case .storage: self = .storageUnavailable
    }
  }

  init(_ problem: MailSubmissionError) {
    switch problem {
    case .reused: self = .reused
    case .mailDeleted:
      self.init(
        "no-such-mail", .notFound, "There is no such mail",
        detail: "the one that this Idempotency-Key made is no longer kept")
    case .storage: self = .storageUnavailable
    }
  }

  /// `field` is where the request names the message; `nil`: its path does.
  init(_ problem: MessageComposerError, named field: String?) {
    switch problem {
    case .unknown(let message):
      self =
        field.map { .invalid($0, message) }
        ?? ProblemDetails("no-such-message", .notFound, "There is no such message", detail: message)
    case .input(let field, let message): self = .invalid(field, message)
    case .broken: self = .brokenMessage
    }
  }

  static let mailNotFound = ProblemDetails("no-such-mail", .notFound, "There is no such mail")
  static let reused = ProblemDetails(
    "idempotency-key-reused", .unprocessableContent, "The Idempotency-Key came before with another request")
  private static let brokenMessage: ProblemDetails = {
    var problem = ProblemDetails(
      "message-broken", .serviceUnavailable, "The message can't be rendered", detail: "see the log")
    problem.retryAfter = 60
    return problem
  }()
  private static let storageUnavailable: ProblemDetails = {
    var problem = ProblemDetails(
      "storage-unavailable", .serviceUnavailable, "The store could not do it", detail: "nothing was done")
    problem.retryAfter = 5
    return problem
  }()
}
