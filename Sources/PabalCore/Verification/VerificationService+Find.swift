extension VerificationService {
  /// The maximum number of verifications that a search returns.
  public static let findLimit = 20
  // A mailbox has fewer than this in a day, so that a client finds its own among those of others.
  private static let readLimit = 1_000

  /// Returns the newest verifications of the mailbox that `address` reaches, of any purpose and in any state, as long as
  /// they are kept.
  ///
  /// They are found by a keyed digest. Verifications that an earlier version started aren't found.
  public func find(address: String) async throws(VerificationError) -> [Verification] {
    let mailbox = rateLimitKeys.mailbox(try VerificationService.recipient(address.trimmed))
    return try await find { try $0.verifications(of: mailbox, limit: VerificationService.readLimit) }
  }

  /// Returns the newest verifications whose ``Verification/reference`` is `reference`, in any case of its letters; more
  /// characters of the end of the id may be given.
  public func find(reference: String) async throws(VerificationError) -> [Verification] {
    let suffix = reference.uppercased()
    let isReference = suffix.utf8.allSatisfy { 0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 }
    guard isReference, Verification.referenceLength...Verification.completeIDLength ~= suffix.utf8.count
    else {
      throw .input(
        field: "reference",
        message: "\(quoted(reference)) isn't the last \(Verification.referenceLength) characters of an id")
    }
    return try await find {
      try $0.verifications(withSuffix: suffix, limit: VerificationService.readLimit)
    }
  }

  private func find(
    _ search: @escaping @Sendable (any VerificationTransaction) throws -> [VerificationRecord]
  ) async throws(VerificationError) -> [Verification] {
    let now = now()
    return try await read { transaction in
      // Unlike under an id, which can't be guessed, records without an owner aren't found by clients.
      try search(transaction).filter { caller == .unrestricted || caller.storedName == $0.caller }.prefix(
        VerificationService.findLimit
      )
      .map { try snapshot($0, transaction, at: now) }
    }
  }
}
