/// How much of its life a token must still have, by what it is for.
///
/// A token that lives shortly would else be renewed by everybody who asks for it.
enum TokenFreshness: Sendable {
  /// For whoever needs one now; Google's library has 3 min 45 s.
  case use
  /// For a running service, so that nobody waits.
  case ahead
  /// Where no better one is to be had: long enough for one login at the far side.
  case fallback

  /// The least that must be left of `life`; `nil` where nobody knows how long that is.
  func minimumRemaining(of life: Duration?) -> Duration {
    let (most, part): (Duration, Int) =
      switch self {
      case .use: (OAuthAccount.expiryMargin, 4)
      case .ahead: (OAuthAccount.refreshMargin, 2)
      case .fallback: (.seconds(20), 10)
      }
    return life.map { min(most, $0 / part) } ?? most
  }
}
