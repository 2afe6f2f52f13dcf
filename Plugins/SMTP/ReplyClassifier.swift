/// The outcome of an attempt for one recipient.
enum SMTPOutcome: Equatable, Sendable {
  case sent
  case deferred
  case unsuited
  case rejected
  case held(Scope)
  case unknown

  /// What `held` applies to.
  enum Scope: Sendable { case transport, mail }

  /// Whether nothing changes it: not another connection, not another time.
  var isFinal: Bool { self == .sent || self == .rejected || self == .unsuited || self == .held(.mail) }

  /// The order that decides the outcome of several recipients: the lowest rank among them.
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

/// What a reply responds to.
enum SMTPStage: Sendable {
  case greeting
  case tls
  case login
  case mail
  case recipient
  case content
}

/// The table from replies to outcomes. The first matching row decides.
enum ReplyClassifier {
  /// One row: the outcome of a refusal at these stages with one of these codes and, if given, this enhanced code.
  struct Row: Sendable {
    let stages: Set<SMTPStage>
    let codes: ClosedRange<Int>
    let subject: Int?
    let detail: Int?
    /// Whether the row applies only to replies without an enhanced code.
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
    Row(allStages, 400...499, nil, nil, .deferred),  // includes 454 in reply to AUTH
    Row([.greeting, .tls], 500...599, nil, nil, .held(.transport)),
    Row([.login], 300...599, nil, nil, .held(.transport)),
    Row(transactionStages, 530...530, nil, nil, .held(.transport)),  // authentication required
    Row(transactionStages, 534...535, nil, nil, .held(.transport)),  // credentials
    Row(transactionStages, 538...538, nil, nil, .held(.transport)),  // encryption required
    Row(transactionStages, 550...550, 4, 5, .held(.transport)),  // the account's daily limit
    Row([.mail, .recipient], 500...599, 7, nil, .held(.mail)),  // the login may not use this sender
    Row(transactionStages, 503...503, nil, nil, .deferred),  // command order, not an address
    Row(transactionStages, 552...552, 3, 4, .unsuited),  // larger than the server accepts
    Row(transactionStages, 552...552, 2, 3, .unsuited),  // larger than the administrator allows
    Row([.mail], 552...552, withoutEnhancedCode: true, .unsuited),  // in reply to MAIL with SIZE
    Row(transactionStages, 500...599, nil, nil, .rejected),
  ]

  /// Returns the outcome of a refusal; `.unknown` for any other reply.
  static func outcome(of reply: Reply, at stage: SMTPStage) -> SMTPOutcome {
    table.first { $0.matches(stage, reply) }?.outcome ?? .unknown
  }

  /// Whether a recipient was refused only because the transaction has too many: 452 4.5.3, 452 without an enhanced
  /// code, 552 5.5.3, or 552 with "too many recipients" from servers that follow RFC 821 (RFC 5321, 4.5.3.1.10).
  static func exceedsRecipientLimit(_ reply: Reply, _ message: String) -> Bool {
    switch (reply.code, reply.enhanced?.subject, reply.enhanced?.detail) {
    case (452, nil, nil), (452, 5, 3), (552, 5, 3): true
    case (552, nil, nil): message.lowercased().contains("too many recipients")
    default: false
    }
  }

  /// Whether a refusal of BDAT is about the command, not about the content, so that DATA must be used.
  static func rejectsBDAT(_ reply: Reply) -> Bool {
    switch reply.code {
    case 500, 502: true
    // Syntax, order or parameters of the command; a refused content has a reason of another subject.
    case 501, 503, 504, 555: reply.enhanced == nil || reply.enhanced?.subject == 5
    default: false
    }
  }

  /// Whether a refusal of the body is about the order of commands: 503, 5.5.0 or 5.5.1 (RFC 3463, 3.6).
  static func isSequenceError(_ reply: Reply) -> Bool {
    guard reply.code >= 500 else { return false }
    if reply.code == 503 { return true }
    return reply.enhanced?.subject == 5 && (reply.enhanced?.detail ?? 9) <= 1
  }
}

/// Finds the server's queue id in the reply to a mail.
enum QueueID {
  /// Returns the id: Postfix and Dovecot `queued as ID`, Exim `id=ID`, Gmail `ID - gsmtp`, Exchange `<ID>`.
  ///
  /// Works on bytes without an array of words, because it runs for every mail.
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
