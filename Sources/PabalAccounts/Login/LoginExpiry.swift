/// Why a login expires at a known time.
enum LoginExpiry: Sendable, Hashable {
  /// The app's publishing status is Testing, so Google ends every login after seven days.
  case testing
  /// The access was granted for a limited time.
  case limited
  /// One of the two; a token file written by another program or an older Pabal doesn't say which.
  case unknownReason

  /// Seven days, with a tolerance for clocks and slow networks.
  private static let testingLifetimes: ClosedRange<Duration> =
    .seconds(6 * 86_400)...(.seconds(7 * 86_400 + 3600))

  /// Determines why the login of `stored` expires.
  init(_ stored: StoredToken?, _ issuer: OAuthErrorClassifier.Issuer) {
    self.init(lifetime: stored?.refreshTokenLifetime, issuer)
  }

  /// Determines why a login with this lifetime expires.
  init(lifetime: Duration?, _ issuer: OAuthErrorClassifier.Issuer) {
    self =
      switch lifetime {
      case _ where issuer != .google: .limited
      case nil: .unknownReason
      case .some(let lifetime): Self.testingLifetimes.contains(lifetime) ? .testing : .limited
      }
  }

  /// The reason as the end of a sentence.
  var reasonClause: String {
    switch self {
    case .testing: ": the app's publishing status is Testing"
    case .limited: ", because access was granted for a limited time"
    case .unknownReason:
      ", because access was granted for a limited time, as it always is while the app is in Testing"
    }
  }

  /// Returns what to do.
  func remedy(account: String) -> String {
    let again = "log in again: pabal account login \(account)"
    return switch self {
    case .testing: "publish the app, then \(again)"
    case .limited: again
    case .unknownReason: "publish the app if it is in Testing, then \(again)"
    }
  }

  /// The step of the guide that says more.
  var step: GuideStep? { self == .limited ? nil : .publish }
}
