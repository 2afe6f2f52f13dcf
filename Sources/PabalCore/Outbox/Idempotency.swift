/// Identifies a request, so that repeating it has no further effect
/// (draft-ietf-httpapi-idempotency-key-header).
public struct IdempotencyKey: Sendable, Hashable {
  /// How long a key is remembered after its request.
  public static let lifetime = Duration.seconds(86_400)
  /// The maximum length of a key in bytes.
  public static let sizeLimit = 255

  let client: String
  let key: String
  let payload: [[UInt8]]

  /// The key `key` of the caller named `client`, for a request with these bytes; `nil` if `key` is empty or longer
  /// than `sizeLimit`.
  ///
  /// Keys are separate for each client and operation. Reusing a key with another payload is an error.
  public init?(_ key: String, client: String, payload: [UInt8]) {
    self.init(key, client: client, payloadParts: [payload])
  }

  /// The key `key` of the caller named `client`, for a request that consists of these parts.
  package init?(_ key: String, client: String, payloadParts payload: [[UInt8]]) {
    guard 1...IdempotencyKey.sizeLimit ~= key.utf8.count else { return nil }
    self.key = key
    self.client = client
    self.payload = payload
  }
}

/// The result of a request that may have been made before.
public struct IdempotentResult<Value: Sendable>: Sendable {
  /// The requested object in its current state.
  public let value: Value
  /// Whether an earlier request with the same key created it.
  public let isReplay: Bool
}

extension IdempotentResult: Equatable where Value: Equatable {}

/// A completed request as stores keep it: keyed digests only.
public struct IdempotencyRecord: Sendable, Hashable {
  /// The digest of client, operation and key.
  package var key: [UInt8]
  /// The digest of the payload.
  package var payload: [UInt8]
  /// The id of what the request created.
  package var resultID: String
  /// When the request was made.
  package var at: Timestamp

  /// A completed request.
  package init(key: [UInt8], payload: [UInt8], resultID: String, at: Timestamp) {
    self.key = key
    self.payload = payload
    self.resultID = resultID
    self.at = at
  }
}

/// A request with an idempotency key, as the digests by which stores find it.
struct IdempotentRequest: Sendable {
  /// The kind of request; keys of different kinds are unrelated. Its name is part of the digests.
  struct Operation: Sendable {
    let name: String

    static let mail = Operation(name: "mail")
  }

  /// What the store knows about a request.
  enum PriorResult: Sendable, Hashable {
    /// Not made before, or longer ago than keys are remembered.
    case none
    /// Made before; it created the object with this id.
    case replay(of: String)
    /// Its key was used with another payload.
    case reused
  }

  // One for each key of the keyring, the current one first.
  let digests: [Digests]

  struct Digests: Sendable {
    var key: [UInt8]
    var payload: [UInt8]
  }

  /// A request for `operation`, on the object called `subject` if there is one.
  init(_ key: IdempotencyKey, _ operation: Operation, of subject: String = "", keys: Keyring) {
    let name = [operation.name, key.client, key.key].map { Array($0.utf8) }
    let names = keys.requestDigests([Array("key".utf8)] + name)
    let payloads = keys.requestDigests([Array("payload".utf8)] + name + [Array(subject.utf8)] + key.payload)
    digests = zip(names, payloads).map { Digests(key: $0, payload: $1) }
  }

  /// The digests under which the request may be stored: its part of a transaction's footprint.
  var footprint: [[UInt8]] { digests.map(\.key) }

  /// Returns the result of this request if it was made before `now`.
  func priorResult(_ transaction: any OutboxTransaction, at now: Timestamp) throws -> PriorResult {
    guard let record = try transaction.request(under: footprint),
      // A record dated in the future, written before the clock was set back, counts as made now.
      now < min(record.at, now) + IdempotencyKey.lifetime
    else { return .none }
    let isSame = digests.contains { $0.key == record.key && $0.payload == record.payload }
    return isSame ? .replay(of: record.resultID) : .reused
  }

  /// Stores that this request created the object with the id `resultID`.
  func remember(_ resultID: String, _ transaction: any OutboxTransaction, at now: Timestamp) throws {
    let digests = digests[0]
    try transaction.remember(
      IdempotencyRecord(key: digests.key, payload: digests.payload, resultID: resultID, at: now))
  }
}

/// Runs housekeeping during one in sixteen operations, so that a store doesn't grow in a program without a
/// dispatcher either.
struct OccasionalSweep: Sendable {
  /// How many rows of each kind one sweep deletes at most: sixteen for each operation since the last sweep on
  /// average, and an operation adds at most three.
  static let limit = 256

  /// Draws 64 random bits.
  let random: @Sendable () -> UInt64

  /// Runs `body`, sometimes with `sweep` beside it, so that a store can write both in one commit.
  ///
  /// An error of `sweep` is dropped because a later sweep catches up and `body` doesn't depend on it.
  func run<Value: Sendable, Failure: Error>(
    _ sweep: @escaping @Sendable () async throws -> Void,
    beside body: () async throws(Failure) -> sending Value
  ) async throws(Failure) -> sending Value {
    guard random().isMultiple(of: 16) else { return try await body() }
    async let swept: Void? = try? sweep()
    let value = try await body()
    _ = await swept
    return value
  }
}
