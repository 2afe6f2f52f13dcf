/// Seals what a store keeps, so that a stolen database gives nothing.
public protocol ContentSealing: Sendable {
  /// `clear`, sealed for the row called `id` alone.
  func seal(_ clear: [UInt8], id: String) -> [UInt8]
  /// What was sealed for the row called `id`; an error if it was changed, moved, or sealed with a key that
  /// is not known any more.
  func open(_ sealed: [UInt8], id: String) throws -> [UInt8]
}
