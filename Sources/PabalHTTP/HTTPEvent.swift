public import PabalCore

/// What the service did, for logs and metrics; nothing in it tells who the people are.
public enum HTTPEvent: Sendable {
  /// A request was answered; `route` is the path with names for its variable parts, `client` the name of the key.
  case answered(route: String, method: String, status: Int, client: String?, took: Duration)
  /// A check was judged.
  case checked(VerificationOutcome)
}
