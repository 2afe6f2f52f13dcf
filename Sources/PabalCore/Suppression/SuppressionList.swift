@_spi(_Unicode) internal import Swift
internal import Synchronization

/// The suppression list by address.
///
/// Upper and lower case, and a local part with and without quotes, are the same address. Addresses with different `+tags`
/// aren't, because one of them may work when the other doesn't.
public struct SuppressionList: Sendable {
  private let store: any SuppressionStore
  private let keys: Keyring
  private let emptiness = Emptiness()

  /// How long a list that was empty is taken to be so for mail that is sent in any case.
  private static let emptyFor: Duration = .seconds(10)
  private static let renewalLimit = 500

  private final class Emptiness: Sendable {
    let since = Mutex<ContinuousClock.Instant?>(nil)
  }

  /// The list in `store`, whose addresses are sealed by `keys`.
  public init(_ store: any SuppressionStore, keys: Keyring) {
    self.store = store
    self.keys = keys
  }

  /// Adds an address. Returns `false` if it was on the list already; then its entry stays as it is.
  public func add(_ suppression: Suppression) async throws(StorageError) -> Bool {
    emptiness.since.withLock { $0 = nil }
    return try await store.add(record(suppression), unless: digests(suppression.address))
  }

  /// Removes an address. Returns whether it was on the list.
  public func remove(_ address: Address) async throws(StorageError) -> Bool {
    try await store.remove(digests(address))
  }

  /// Returns the entries of those of `addresses` that are on the list.
  public func suppressed(_ addresses: [Address]) async throws(StorageError) -> [Address: Suppression] {
    var found: [Address: Suppression] = [:]
    // In parts, because the number of a statement's parameters is limited.
    var rest = addresses[...]
    while !rest.isEmpty {
      let part = rest.prefix(200)
      rest = rest.dropFirst(part.count)
      let digests = part.map { ($0, self.digests($0)) }
      let records = Dictionary(
        try await store.find(digests.flatMap(\.1)).map { ($0.key, $0) },
        uniquingKeysWith: { first, _ in first })
      guard !records.isEmpty else { continue }
      for (address, keys) in digests {
        guard let record = keys.lazy.compactMap({ records[$0] }).first else { continue }
        found[address] = Suppression(
          address, reason: record.reason, status: record.status, mail: record.mail, added: record.added)
      }
    }
    return found
  }

  /// The same, but may return nothing for ten seconds after the first address was added by another process, so that an
  /// empty list costs nothing.
  func suppressedUnlessEmpty(
    _ addresses: [Address], at now: ContinuousClock.Instant
  ) async throws(StorageError) -> [Address: Suppression] {
    let isEmpty = emptiness.since.withLock { $0.map { now - $0 < SuppressionList.emptyFor } ?? false }
    guard !isEmpty else { return [:] }
    guard try await !store.isEmpty() else {
      emptiness.since.withLock { $0 = now }
      return [:]
    }
    return try await suppressed(addresses)
  }

  /// Returns the newest `limit` entries. One whose key no longer exists is left out.
  public func list(limit: Int) async throws(StorageError) -> [Suppression] {
    try await store.list(limit: limit).compactMap(suppression)
  }

  /// Returns how many addresses are on the list.
  public func count() async throws(StorageError) -> Int { try await store.count() }

  /// Seals entries of previous master keys with the current one, because an entry isn't found any more once its key is
  /// deleted. Returns how many it sealed.
  public func renew() async throws(StorageError) -> Int {
    var count = 0
    while true {
      let old = try await store.list(
        notSealedWith: keys.currentVersion, limit: SuppressionList.renewalLimit)
      let renewed = old.compactMap { record in
        suppression(record).map { (key: record.key, record: self.record($0)) }
      }
      if !renewed.isEmpty { try await store.replace(renewed) }
      count += renewed.count
      // The others can't be opened, and would be found again.
      guard renewed.count == SuppressionList.renewalLimit else { return count }
    }
  }

  private func record(_ suppression: Suppression) -> SuppressionRecord {
    let key = keys.addressDigest(SuppressionList.identity(suppression.address))
    return SuppressionRecord(
      key: key, sealed: keys.seal(Array(suppression.address.description.utf8), id: SuppressionList.sealID),
      reason: suppression.reason, status: suppression.status, mail: suppression.mail, added: suppression.added
    )
  }

  private func suppression(_ record: SuppressionRecord) -> Suppression? {
    guard let bytes = try? keys.open(record.sealed, id: SuppressionList.sealID),
      let address = try? Address(String(decoding: bytes, as: UTF8.self))
    else { return nil }
    return Suppression(
      address, reason: record.reason, status: record.status, mail: record.mail, added: record.added)
  }

  private func digests(_ address: Address) -> [[UInt8]] {
    keys.addressDigests(SuppressionList.identity(address))
  }

  private static let sealID = "suppression"

  // NUL can't occur in an address; it separates this use of the digests from the others.
  private static func identity(_ address: Address) -> String { "suppression\0\(normalized(address))" }

  /// The form in which addresses are compared.
  static func normalized(_ address: Address) -> String {
    let identity = VerificationRecipient(address: address).identity
    return identity.utf8.allSatisfy { $0 < 0x80 }
      ? identity : String(String.UnicodeScalarView(identity._nfc))
  }
}
