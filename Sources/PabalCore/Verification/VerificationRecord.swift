/// A verification as stores keep it. Codes are keyed digests, and the recipient is sealed.
public struct VerificationRecord: Sendable, Hashable {
  /// A code that a newer one replaced. It is kept so that a check can answer `superseded`.
  package struct EarlierCode: Sendable, Hashable {
    /// The id of its verification.
    package var id: String
    /// Its number within the verification, from 1.
    package var generation: Int
    /// The keyed digest.
    package var digest: [UInt8]

    /// A replaced code.
    package init(id: String, generation: Int, digest: [UInt8]) {
      self.id = id
      self.generation = generation
      self.digest = digest
    }
  }

  /// The unguessable id: 26 characters of `[0-9A-Z]`. Knowing it is what permits a check.
  package let id: String
  /// What the code is for, such as `sign-up`.
  package let purpose: String
  /// The digest of purpose and address. It never changes; a newer start finds the verification by it.
  package let identity: [UInt8]
  /// The digest of the mailbox, by which verifications of an address are found; `nil` in a record of an earlier version.
  package let mailbox: [UInt8]?
  /// The stored name of the caller that started it.
  package let caller: String
  /// The sealed address, as it was typed.
  package let recipient: [UInt8]
  /// The sealed `StoredVerificationRequest`; `nil` in a final state.
  package var request: [UInt8]?
  /// Its state.
  package var state: VerificationState
  /// The number of the valid code, from 1.
  package var generation: Int
  /// The keyed digest of the valid code.
  package var code: [UInt8]
  /// The replaced codes, the newest first.
  package var earlier: [EarlierCode]
  /// How many codes were checked.
  package var attempts: Int
  /// When it was started.
  package var created: Timestamp
  /// When the valid code was generated.
  package var codeCreated: Timestamp
  /// When the valid code expires.
  package var expires: Timestamp
  /// When it entered its final state or was approved.
  package var ended: Timestamp?
  /// The keyed digest of the proof; `nil` before the approval.
  package var proof: [UInt8]?
  /// The id of the mail with the valid code.
  package var mail: String
  /// The language of the mail.
  package var language: String?

  /// A record with all properties.
  package init(
    id: String, purpose: String, identity: [UInt8], mailbox: [UInt8]? = nil, caller: String = "",
    recipient: [UInt8], request: [UInt8]?,
    state: VerificationState = .pending, generation: Int = 1, code: [UInt8], earlier: [EarlierCode] = [],
    attempts: Int = 0, created: Timestamp, codeCreated: Timestamp, expires: Timestamp,
    ended: Timestamp? = nil,
    proof: [UInt8]? = nil, mail: String, language: String?
  ) {
    self.id = id
    self.purpose = purpose
    self.identity = identity
    self.mailbox = mailbox
    self.caller = caller
    self.recipient = recipient
    self.request = request
    self.state = state
    self.generation = generation
    self.code = code
    self.earlier = earlier
    self.attempts = attempts
    self.created = created
    self.codeCreated = codeCreated
    self.expires = expires
    self.ended = ended
    self.proof = proof
    self.mail = mail
    self.language = language
  }
}

// The transitions of a record, here because all stores share them.
extension VerificationRecord {
  /// How many replaced codes are kept: as many as the default caps allow for one address in a day.
  static let earlierLimit = 10

  /// Enters `next`, and erases the request, which only a pending verification needs.
  mutating func transition(to next: VerificationState, at now: Timestamp) {
    precondition(
      state.canTransition(to: next), "a verification in state \(state.rawValue) can't become \(next.rawValue)"
    )
    state = next
    // The lifetime of a proof starts with the approval, so `consumed` keeps that time.
    if next != .consumed { ended = now }
    request = nil
  }

  /// The codes that a new one replaces, the newest first.
  var replacedCodes: [EarlierCode] {
    Array(
      ([EarlierCode(id: id, generation: generation, digest: code)] + earlier)
        .prefix(VerificationRecord.earlierLimit))
  }

  /// Moves times after `now` back to `now`, so that no code or proof outlives its lifetime after the clock was set back.
  /// Returns whether it changed any.
  mutating func clampFutureTimes(at now: Timestamp, lifetime: Duration) -> Bool {
    var changed = false
    if codeCreated > now {
      codeCreated = now
      created = min(created, now)
      expires = min(expires, now + lifetime)
      changed = true
    }
    if let ended, ended > now {
      self.ended = now
      changed = true
    }
    return changed
  }

  /// Returns the state at `now`: `expired` for a pending verification that has expired but isn't marked yet.
  func state(at now: Timestamp) -> VerificationState {
    state == .pending && expires <= now ? .expired : state
  }
}

/// The parameters of a start that a resend needs. Stores keep them sealed.
struct StoredVerificationRequest: Sendable, Hashable {
  var message: String
  var languages: [String]
  var variables: [String: String]
  var isNotice: Bool

  /// The maximum encoded size in bytes.
  static let sizeLimit = 65_536

  init(message: String, languages: [String], variables: [String: String], isNotice: Bool) {
    self.message = message
    self.languages = languages
    self.variables = variables
    self.isNotice = isNotice
  }

  /// The encoded request: texts prefixed with their lengths. A notice has as many texts as a code, so that the size
  /// doesn't reveal it.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    func append(_ text: String) {
      bytes += UInt32(text.utf8.count).bigEndianBytes
      bytes += Array(text.utf8)
    }
    append(isNotice ? "n" : "c")
    append(message)
    append(String(languages.count))
    languages.forEach(append)
    for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
      append(name)
      append(value)
    }
    return bytes
  }

  /// Decodes a request; `nil` if `bytes` aren't a valid one.
  init?(bytes: [UInt8]) {
    var texts: [String] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      guard rest.count >= 4 else { return nil }
      let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      guard rest.count >= count, let text = String(validating: rest.prefix(count), as: UTF8.self) else {
        return nil
      }
      texts.append(text)
      rest = rest.dropFirst(count)
    }
    guard texts.count >= 3, ["n", "c"].contains(texts[0]), let count = Int(texts[2]), count >= 0,
      texts.count >= 3 + count, (texts.count - count - 3).isMultiple(of: 2)
    else { return nil }
    isNotice = texts[0] == "n"
    message = texts[1]
    languages = Array(texts[3..<(3 + count)])
    variables = [:]
    for index in stride(from: 3 + count, to: texts.count, by: 2) {
      variables[texts[index]] = texts[index + 1]
    }
  }
}
