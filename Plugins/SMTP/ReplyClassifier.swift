/// How an attempt ended, for one recipient.
enum SMTPOutcome: Equatable, Sendable {
  case sent
  case deferred
  case unsuited
  case rejected
  case held(Scope)
  case unknown

  /// How far `held` reaches.
  enum Scope: Sendable { case transport, mail }

  /// The order in which the outcome of several recipients is told: the first present.
  var rank: Int {
    switch self {
    case .unknown: 0
    case .held(.transport): 1
    case .held(.mail): 2
    case .deferred: 3
    case .unsuited: 4
    case .rejected: 5
    case .sent: 6
    }
  }
}

/// What a reply answers.
enum SMTPStage: Sendable {
  case greeting
  case tls
  case login
  case mail
  case recipient
  case content
}

/// From reply to outcome: the one table. The first row that fits decides.
enum ReplyClassifier {
  /// One row: at these stages a refusal with one of these codes, enhanced codes or both means `outcome`.
  struct Row: Sendable {
    let stages: Set<SMTPStage>
    let codes: ClosedRange<Int>
    let subject: Int?
    let detail: Int?
    /// Only without an enhanced code.
    let withoutEnhancedCode: Bool
    let outcome: SMTPOutcome

    init(
      _ stages: Set<SMTPStage>, _ codes: ClosedRange<Int>, _ subject: Int? = nil, _ detail: Int? = nil,
      withoutEnhancedCode: Bool = false, _ outcome: SMTPOutcome
    ) {
      self.stages = stages
      self.codes = codes
      self.subject = subject
      self.detail = detail
      self.withoutEnhancedCode = withoutEnhancedCode
      self.outcome = outcome
    }

    func matches(_ stage: SMTPStage, _ reply: Reply) -> Bool {
      guard stages.contains(stage), codes.contains(reply.code) else { return false }
      if withoutEnhancedCode, reply.enhanced != nil { return false }
      if let subject, reply.enhanced?.subject != subject { return false }
      if let detail, reply.enhanced?.detail != detail { return false }
      return true
    }
  }

  private static let allStages: Set<SMTPStage> = [.greeting, .tls, .login, .mail, .recipient, .content]
  private static let transactionStages: Set<SMTPStage> = [.mail, .recipient, .content]

  static let table: [Row] = [
    // stages                  codes      X.subject.detail   outcome
    Row(allStages, 400...499, nil, nil, .deferred),  // 454 to a login among them
    Row([.greeting, .tls], 500...599, nil, nil, .held(.transport)),
    Row([.login], 300...599, nil, nil, .held(.transport)),
    Row(transactionStages, 530...530, nil, nil, .held(.transport)),  // authentication required
    Row(transactionStages, 534...535, nil, nil, .held(.transport)),  // credentials
    Row(transactionStages, 538...538, nil, nil, .held(.transport)),  // encryption required
    Row(transactionStages, 550...550, 4, 5, .held(.transport)),  // the account's daily limit
    Row([.mail, .recipient], 500...599, 7, nil, .held(.mail)),  // not this sender's to send
    Row(transactionStages, 503...503, nil, nil, .deferred),  // a quarrel over sequence, nobody's address
    Row(transactionStages, 552...552, 3, 4, .unsuited),  // larger than this server takes
    Row(transactionStages, 552...552, 2, 3, .unsuited),  // the same, as an administrator's limit
    Row([.mail], 552...552, withoutEnhancedCode: true, .unsuited),  // to MAIL with its SIZE
    Row(transactionStages, 500...599, nil, nil, .rejected),
  ]

  /// What a refusal means; a reply that is none has decided nothing.
  static func outcome(of reply: Reply, at stage: SMTPStage) -> SMTPOutcome {
    table.first { $0.matches(stage, reply) }?.outcome ?? .unknown
  }

  /// Whether a recipient was refused only because the transaction has enough of them: 452 4.5.3, 452 without an
  /// enhanced code, and 552 5.5.3, or 552 in so many words, of servers that follow RFC 821 (RFC 5321,
  /// 4.5.3.1.10).
  static func exceedsRecipientLimit(_ reply: Reply, _ message: String) -> Bool {
    switch (reply.code, reply.enhanced?.subject, reply.enhanced?.detail) {
    case (452, nil, nil), (452, 5, 3), (552, 5, 3): true
    case (552, nil, nil): message.lowercased().contains("too many recipients")
    default: false
    }
  }

  /// Whether BDAT itself was not understood: send DATA.
  static func rejectsBDAT(_ reply: Reply) -> Bool { reply.code == 500 || reply.code == 502 }

  /// Whether a refusal of the bytes is about the order of commands: 503, or 5.5.0 and 5.5.1 (RFC 3463, 3.6).
  static func isSequenceError(_ reply: Reply) -> Bool {
    guard reply.code >= 500 else { return false }
    if reply.code == 503 { return true }
    return reply.enhanced?.subject == 5 && (reply.enhanced?.detail ?? 9) <= 1
  }
}

/// The id under which a server says it has queued a mail.
enum QueueID {
  /// Postfix and Dovecot: `queued as ID`; Exim: `id=ID`; Gmail: `ID - gsmtp`; Exchange: `<ID>`.
  ///
  /// Bytes, and no array of words: this runs for every mail.
  static func find(in reply: String) -> String? {
    let bytes = reply.utf8Span.span
    func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
      guard range.count == text.utf8CodeUnitCount else { return false }
      return range.allSatisfy { bytes[$0] == text.utf8Start[$0 - range.lowerBound] }
    }
    func text(_ range: Range<Int>) -> String {
      bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
    var (second, first) = (0..<0, 0..<0)  // the words before this one
    var start = 0
    while start < bytes.count {
      guard bytes[start] != UInt8(ascii: " ") else {
        start += 1
        continue
      }
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: " ") { end += 1 }
      let word = start..<end
      if matches(first, "as"), matches(second, "queued") { return text(word) }
      if word.count >= 3, matches(start..<(start + 3), "id=") { return text((start + 3)..<end) }
      if matches(word, "gsmtp"), matches(first, "-"), !second.isEmpty { return text(second) }
      if bytes[start] == UInt8(ascii: "<"), bytes[end - 1] == UInt8(ascii: ">") { return text(word) }
      (second, first) = (first, word)
      start = end
    }
    return nil
  }
}
