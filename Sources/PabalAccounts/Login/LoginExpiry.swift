/// Why a login has an end that is known.
enum LoginExpiry: Sendable, Hashable {
  /// The app's publishing status is Testing, where Google lets every login live seven days.
  case testing
  /// The grant is limited in time.
  case limited
  /// One of the two; the token file is of another program, or of a Pabal that didn't write it down.
  case unknownReason

  /// Seven days, give or take what a clock and a slow network may.
  private static let testingLifetimes: ClosedRange<Duration> =
    .seconds(6 * 86_400)...(.seconds(7 * 86_400 + 3600))

  /// Why the login of `stored` ends.
  init(_ stored: StoredToken?, _ issuer: OAuthErrorClassifier.Issuer) {
    self.init(lifetime: stored?.refreshTokenLifetime, issuer)
  }

  /// Why a login ends that was to live so long.
  init(lifetime: Duration?, _ issuer: OAuthErrorClassifier.Issuer) {
    self =
      switch lifetime {
      case _ where issuer != .google: .limited
      case nil: .unknownReason
      case .some(let lifetime): Self.testingLifetimes.contains(lifetime) ? .testing : .limited
      }
  }

  /// For the end of a sentence.
  var reasonClause: String {
    switch self {
    case .testing: ": the app's publishing status is Testing"
    case .limited: ", because the grant is limited in time"
    case .unknownReason: ", because the grant is limited in time, as every one is while the app is in Testing"
    }
  }

  /// What to do.
  func remedy(account: String) -> String {
    let again = "log in again: pabal account login \(account)"
    return switch self {
    case .testing: "publish the app, then \(again)"
    case .limited: again
    case .unknownReason: "publish the app if it is in Testing, then \(again)"
    }
  }

  /// Where the guide says more.
  var step: GuideStep? { self == .limited ? nil : .publish }
}
