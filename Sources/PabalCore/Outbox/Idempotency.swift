/// What makes a request that comes twice one request: the key that its caller drew for it
/// (draft-ietf-httpapi-idempotency-key-header).
public struct IdempotencyKey: Sendable, Hashable {
  /// How long a key is remembered after the request that brought it.
  public static let lifetime = Duration.seconds(86_400)
  /// The most bytes a key may have.
  public static let sizeLimit = 255

  let client: String
  let key: String
  let payload: [UInt8]

  /// The key `key` of `client`, a caller's name, for a request of these bytes; `nil` where it has none or more
  /// than `sizeLimit`.
  ///
  /// Keys of other clients, and of other operations, are other keys. The same key with another payload is refused.
  public init?(_ key: String, client: String, payload: [UInt8]) {
    guard 1...IdempotencyKey.sizeLimit ~= key.utf8.count else { return nil }
    self.key = key
    self.client = client
    self.payload = payload
  }
}

/// What a request came to that may have come before.
public struct IdempotentResult<Value: Sendable>: Sendable {
  /// What was asked for, as it is now.
  public let value: Value
  /// Whether an earlier request of the same key made it, and this one nothing.
  public let isReplay: Bool
}

extension IdempotentResult: Equatable where Value: Equatable {}

/// A request that was carried out, as stores keep it: nothing of it but keyed digests.
public struct IdempotencyRecord: Sendable, Hashable {
  /// The digest of client, operation and key.
  package var key: [UInt8]
  /// The digest of what was asked for.
  package var payload: [UInt8]
  /// The id of the verification or mail that it made.
  package var resultID: String
  /// When it came.
  package var at: Timestamp

  /// A request that was carried out.
  package init(key: [UInt8], payload: [UInt8], resultID: String, at: Timestamp) {
    self.key = key
    self.payload = payload
    self.resultID = resultID
    self.at = at
  }
}

/// A request with an idempotency key, in the digests that stores know it by.
struct IdempotentRequest: Sendable {
  /// What a request can ask for; a key of one is none of another.
  enum Operation: String {
    case start = "start"
    case resend = "resend"
    case mail = "mail"
  }

  /// What the store knows of a request.
  enum PriorResult: Sendable, Hashable {
    /// It never came, or too long ago.
    case none
    /// It came, and made what has this id.
    case replay(of: String)
    /// Its key came with another payload.
    case reused
  }

  // By each of the keyring's keys, the current one's first.
  let digests: [Digests]

  struct Digests: Sendable {
    var key: [UInt8]
    var payload: [UInt8]
  }

  /// A request that asks `operation` of what is called `subject`, if of anything.
  init(_ key: IdempotencyKey, _ operation: Operation, of subject: String = "", keys: Keyring) {
    let name = [operation.rawValue, key.client, key.key].map { Array($0.utf8) }
    let names = keys.requestDigests([Array("key".utf8)] + name)
    let payloads = keys.requestDigests([Array("payload".utf8)] + name + [Array(subject.utf8), key.payload])
    digests = zip(names, payloads).map { Digests(key: $0, payload: $1) }
  }

  /// What came of it before `now`.
  func priorResult(_ rows: any VerificationTransaction, at now: Timestamp) throws -> PriorResult {
    guard let record = try rows.request(under: digests.map(\.key)),
      // One from a time to come, before the clock was set back, counts as made now.
      now < min(record.at, now) + IdempotencyKey.lifetime
    else { return .none }
    let isSame = digests.contains { $0.key == record.key && $0.payload == record.payload }
    return isSame ? .replay(of: record.resultID) : .reused
  }

  /// Takes down that it made what has this id.
  func remember(_ resultID: String, _ rows: any VerificationTransaction, at now: Timestamp) throws {
    let digests = digests[0]
    try rows.remember(
      IdempotencyRecord(key: digests.key, payload: digests.payload, resultID: resultID, at: now))
  }
}
