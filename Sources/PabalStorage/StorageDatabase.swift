public import PabalCore

/// An open database with everything that Pabal stores.
public protocol StorageDatabase: Sendable {
  /// Where it is, for errors: a path, or an address without user and password.
  var place: String { get }
  /// The outbox in it.
  var outbox: any Outbox { get }
  /// The verifications in it.
  var verificationStore: any VerificationStore { get }
  /// The suppression list in it.
  var suppressionStore: any SuppressionStore { get }
  /// What it keeps for bounces.
  var bounceStore: any BounceStore { get }
  /// The current time by the clock that all nodes share.
  var now: @Sendable () -> Timestamp { get }
  /// Throws if a start of a verification could not be stored now.
  func probe(keys: Keyring) async throws(StorageError)
  /// Calls `wake` when another process has stored mail, as far as the database tells; nodes look for mail regularly anyway.
  func listen(_ wake: @escaping @Sendable () -> Void)
  /// Returns what deserves attention in its set-up. Blocks.
  func findings() throws(StorageError) -> [Diagnostic]
  /// Closes it; later calls fail.
  func close()
}

extension StorageDatabase {
  /// The time of this machine, which is the only one.
  public var now: @Sendable () -> Timestamp { Timestamp.now }
  /// Does nothing.
  public func listen(_ wake: @escaping @Sendable () -> Void) {}
  /// Returns nothing.
  public func findings() throws(StorageError) -> [Diagnostic] { [] }
}
