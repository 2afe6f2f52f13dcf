public import PabalCore

/// What the service did, for logs and metrics; nothing in it tells who the people are.
public enum HTTPEvent: Sendable {
  /// A request was answered; `route` is the path with names for its variable parts, `client` the name of the key.
  case answered(route: String, method: String, status: Int, client: String?, took: Duration)
  /// A verification was started; a notice can't be approved.
  case started(purpose: String, language: String?, isNotice: Bool)
  /// A code was sent again.
  case resent(purpose: String, language: String?)
  /// A check was judged, so long after the start.
  case checked(VerificationOutcome, purpose: String, language: String?, after: Duration)
  /// A request came up against a limit.
  case limited(VerificationLimit)
  /// A request could not be done, by the store's or the keys' fault.
  case failed(String)
}
