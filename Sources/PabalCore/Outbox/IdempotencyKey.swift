/// What makes a request that comes twice one request: the key that its caller drew for it
/// (draft-ietf-httpapi-idempotency-key-header).
public struct IdempotencyKey: Sendable, Hashable {
  /// How long a key is remembered after the request that brought it.
  public static let lifetime = Duration.seconds(86_400)
  /// The most octets a key may have.
  public static let sizeLimit = 255

  let client: String
  let key: String
  let payload: [UInt8]

  /// The key `key` of `client`, a caller's name, for a request of these octets; `nil` where it has none or more
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
