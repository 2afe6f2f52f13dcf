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
    try rows.remember(IdempotencyRecord(key: digests.key, payload: digests.payload, resultID: resultID, at: now))
  }
}
