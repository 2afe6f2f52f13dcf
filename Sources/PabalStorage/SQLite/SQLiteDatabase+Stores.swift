public import PabalCore

extension SQLiteDatabase: StorageDatabase {
  /// The path of the file.
  public var place: String { path }
  /// The outbox in the file. Each value counts the turns of callers by itself.
  public var outbox: any Outbox { SQLiteOutbox(self) }
  /// The verifications in the file.
  public var verificationStore: any VerificationStore { SQLiteVerificationStore(self) }
  /// The suppression list in the file.
  public var suppressionStore: any SuppressionStore { SQLiteSuppressionStore(self) }
  /// What the file keeps for bounces.
  public var bounceStore: any BounceStore { SQLiteBounceStore(self) }
}
