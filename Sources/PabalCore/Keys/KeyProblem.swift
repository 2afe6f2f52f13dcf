/// Why something sealed can't be opened.
public enum KeyringError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It was sealed with a master key that isn't among the current and the previous ones.
  case unknownKey
  /// It was changed, belongs to another id, or was never sealed by Pabal.
  case notAuthentic

  /// What is wrong; one sentence without its full stop.
  public var description: String {
    switch self {
    case .unknownKey: "it was sealed with a master key that is no longer among those given"
    case .notAuthentic: "it was changed since it was sealed, or belongs to another record"
    }
  }
}
