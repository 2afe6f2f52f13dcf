/// A verification as stores keep it: its code as a keyed digest, its recipient sealed.
public struct VerificationRecord: Sendable, Hashable {
  /// A code that a newer one overwrote, kept so that it can be answered truthfully.
  package struct EarlierCode: Sendable, Hashable {
    /// The verification it was made for.
    package var id: String
    /// Which of its codes it was, from 1.
    package var generation: Int
    /// The keyed digest.
    package var digest: [UInt8]

    /// A code that a newer one overwrote.
    package init(id: String, generation: Int, digest: [UInt8]) {
      self.id = id
      self.generation = generation
      self.digest = digest
    }
  }

  /// 26 characters of `[0-9A-Z]` that nobody can guess; whoever has it may check.
  package let id: String
  /// What is proved: `sign-up`.
  package let purpose: String
  /// The digest of purpose and address, by which a newer start finds it.
  package let identity: [UInt8]
  /// The address as typed, sealed.
  package let recipient: [UInt8]
  /// What a resend needs, sealed; `nil` once it is final.
  package var request: [UInt8]?
  /// Where it stands.
  package var state: VerificationState
  /// Which code is valid, from 1.
  package var generation: Int
  /// The keyed digest of the valid code.
  package var code: [UInt8]
  /// The codes before it, the newest first.
  package var earlier: [EarlierCode]
  /// How many codes were judged.
  package var attempts: Int
  /// When it was started.
  package var created: Timestamp
  /// When the valid code was made.
  package var codeCreated: Timestamp
  /// From when on the valid code is dead.
  package var expires: Timestamp
  /// When it came into its final state, or was approved.
  package var ended: Timestamp?
  /// The keyed digest of the proof, once there is one.
  package var proof: [UInt8]?
  /// The mail that carries the valid code.
  package var mail: String
  /// The language of its words.
  package var language: String?

  /// The whole of a row.
  package init(
    id: String, purpose: String, identity: [UInt8], recipient: [UInt8], request: [UInt8]?,
    state: VerificationState = .pending, generation: Int = 1, code: [UInt8], earlier: [EarlierCode] = [],
    attempts: Int = 0, created: Timestamp, codeCreated: Timestamp, expires: Timestamp,
    ended: Timestamp? = nil,
    proof: [UInt8]? = nil, mail: String, language: String?
  ) {
    self.id = id
    self.purpose = purpose
    self.identity = identity
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

// The rules by which a record changes, so that every store follows the same ones.
extension VerificationRecord {
  /// How many overwritten codes are told from wrong ones: all that a day's caps let out to one address.
  static let earlierLimit = 10

  /// Brings it into `next`, and erases what only a pending one needs.
  mutating func transition(to next: VerificationState, at now: Timestamp) {
    precondition(
      state.canTransition(to: next), "a verification in state \(state.rawValue) can't become \(next.rawValue)"
    )
    state = next
    // The proof's time runs from the approval.
    if next != .consumed { ended = now }
    request = nil
  }

  /// The codes that the next one overwrites, the newest first.
  var replacedCodes: [EarlierCode] {
    Array(
      ([EarlierCode(id: id, generation: generation, digest: code)] + earlier)
        .prefix(VerificationRecord.earlierLimit))
  }

  /// Where the clock was set back since, what lies ahead of it counts as made now: no code or proof lives
  /// longer than a lifetime from here. Says whether that changed anything.
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

  /// The state, with a pending one whose time is over as expired.
  func state(at now: Timestamp) -> VerificationState {
    state == .pending && expires <= now ? .expired : state
  }
}

/// What a resend needs to know of the start, as it is sealed.
struct StoredVerificationRequest: Sendable, Hashable {
  var message: String
  var languages: [String]
  var variables: [String: String]
  var isNotice: Bool

  /// The most bytes all of it may have; a mail's variables are a few words.
  static let sizeLimit = 65_536

  init(message: String, languages: [String], variables: [String: String], isNotice: Bool) {
    self.message = message
    self.languages = languages
    self.variables = variables
    self.isNotice = isNotice
  }

  /// Its texts, each with its length in front; whether it is a notice can't be told from their number.
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

  /// What `bytes` gave; `nil` for anything else.
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
