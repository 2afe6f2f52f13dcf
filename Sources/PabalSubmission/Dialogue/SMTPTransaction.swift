internal import PabalCore

/// The mail that a session is receiving: its envelope and its content so far.
struct SMTPTransaction {
  /// The reverse path; `nil` stands for `<>`.
  let sender: Address?
  /// Whether MAIL had SMTPUTF8.
  let isInternational: Bool
  /// The queue id that the client chose.
  let id: String?
  /// The reports that the client asks for.
  private(set) var report = ReportParameters()
  /// Who submits the mail.
  let submitter: Submitter
  /// The accepted recipients.
  private(set) var recipients: [Address] = []
  /// The content so far.
  private(set) var content: SMTPContent
  /// The reply to the chunk that was refused, after which the mail can't be completed.
  private var failure: SMTPReply?

  /// How the content arrives.
  private enum Source {
    case data(DataReader)
    case chunks(ChunkReader)
  }

  /// What the input had of the content.
  enum Progress {
    /// More input is needed.
    case incomplete
    /// A chunk is complete that isn't the last one.
    case chunk
    /// The content is complete.
    case complete
  }

  private var source: Source?
  private let policy: SMTPSessionPolicy
  private var hasRefusedRecipient = false

  /// Begins a mail with the argument of MAIL. Throws the reply to an argument that isn't accepted.
  init(
    _ argument: ArraySlice<UInt8>, submitter: Submitter, policy: SMTPSessionPolicy
  ) throws(SMTPReply) {
    let path = try SMTPPath(argument, after: "FROM:")
    var expectedSize = 0
    var isInternational = false
    var id: String?
    for parameter in path.parameters {
      switch (parameter.keyword, parameter.value) {
      case ("SIZE", let value?):
        expectedSize = try SMTPTransaction.size(value, policy)
      case ("BODY", let value?):
        guard ["7BIT", "8BITMIME"].contains(value.uppercased()) else {
          throw SMTPReply(555, "5.5.4", "BODY is 7BIT or 8BITMIME")
        }
      case ("SMTPUTF8", nil): isInternational = true
      case ("XQUEUEID", let value?) where policy.acceptsQueueIDs:
        guard MailIdentity.isID(value) else { throw SMTPReply(501, "5.5.4", "XQUEUEID isn't an id") }
        id = value
      // The identity of the submitter is known here, so what an earlier system says about it is ignored (RFC 4954, 5).
      case ("AUTH", _?): break
      case ("RET", let value?):
        guard let returned = ReportParameters.returned(value) else {
          throw SMTPReply(501, "5.5.4", "RET is FULL or HDRS")
        }
        report.returned = returned
      case ("ENVID", let value?):
        guard let id = ReportParameters.envelopeID(value) else {
          throw SMTPReply(501, "5.5.4", "ENVID isn't at most 100 characters of xtext")
        }
        report.envelopeID = id
      case ("SIZE", nil), ("BODY", nil), ("SMTPUTF8", _), ("AUTH", nil), ("RET", nil), ("ENVID", nil):
        throw SMTPReply(501, "5.5.4", "the parameter \(parameter.keyword) isn't valid")
      default: throw SMTPReply(555, "5.5.4", "unknown parameter \(parameter.keyword)")
      }
    }
    guard isInternational || !path.isInternational else { throw SMTPTransaction.needsSMTPUTF8 }
    sender = path.isNull ? nil : try path.address(completing: policy.hostName, status: "5.1.7")
    self.isInternational = isInternational
    self.id = id
    self.submitter = submitter
    self.policy = policy
    content = SMTPContent(limit: policy.maxSize, expectedSize: expectedSize, acceptsLF: policy.acceptsLF)
  }

  /// Whether no chunk has been refused.
  var isAccepted: Bool { failure == nil }

  /// Records that a chunk was refused.
  mutating func fail(_ reply: SMTPReply) {
    if failure == nil { failure = reply }
    content.fail(reply)
  }

  /// Refuses the content that is arriving, and keeps none of it.
  mutating func refuseContent(_ reply: SMTPReply) { content.fail(reply) }

  /// Adds a recipient with the argument of RCPT. Throws the reply to one that isn't accepted.
  mutating func addRecipient(_ argument: ArraySlice<UInt8>) throws(SMTPReply) {
    guard source == nil, failure == nil else { throw SMTPReply.contentBegun }
    do throws(SMTPReply) {
      let path = try SMTPPath(argument, after: "TO:")
      let parameters = try SMTPTransaction.recipientParameters(path)
      let isASCII = path.parameters.allSatisfy { $0.value?.utf8.allSatisfy { $0 < 0x80 } ?? true }
      guard isInternational || isASCII && !path.isInternational else { throw SMTPTransaction.needsSMTPUTF8 }
      let address = try path.address(completing: policy.hostName, status: "5.1.3")
      guard recipients.count < policy.maxRecipients else { throw .tooManyRecipients }
      recipients.append(address)
      // The mail is sent to an address once, with the parameters of the first command.
      if let parameters, report.recipients[address] == nil { report.recipients[address] = parameters }
    } catch {
      hasRefusedRecipient = true
      throw error
    }
  }

  /// The reply to content that can't be accepted now; `nil` if it can.
  private var contentRefusal: SMTPReply? {
    // A passing reason stays one, although the chunks that were sent before its reply can't be accepted.
    if let failure { return failure.code < 500 ? failure : .failedContent }
    guard recipients.isEmpty else { return nil }
    return hasRefusedRecipient ? .noValidRecipients : .recipientMissing
  }

  /// Begins to read the content of DATA, which LF, dot, LF ends if `endsAtLF`. Throws the reply if it can't be accepted now.
  mutating func beginData(endsAtLF: Bool) throws(SMTPReply) {
    if case .chunks = source { throw .mixedContent }
    if let contentRefusal { throw contentRefusal }
    source = .data(DataReader(endsAtLF: endsAtLF))
  }

  /// Begins to read a chunk of BDAT. Throws the reply if it can't be accepted now.
  mutating func beginChunk(_ size: ChunkSize) throws(SMTPReply) {
    if let contentRefusal { throw contentRefusal }
    var reader = if case .chunks(let reader) = source { reader } else { ChunkReader() }
    reader.begin(size)
    source = .chunks(reader)
  }

  /// Reads content that is at the start of `input`.
  mutating func read(_ input: inout SMTPInput) -> Progress {
    switch source {
    case .data(var reader):
      input.take { reader.read($0, into: &content) }
      source = .data(reader)
      return reader.isComplete ? .complete : .incomplete
    case .chunks(var reader):
      input.take { reader.read($0, into: &content) }
      source = .chunks(reader)
      guard reader.remaining == 0 else { return .incomplete }
      return reader.isLast ? .complete : .chunk
    case nil: return .incomplete
    }
  }

  /// Returns the reports that the parameters of RCPT ask for; `nil` without parameters.
  private static func recipientParameters(
    _ path: SMTPPath
  ) throws(SMTPReply) -> ReportParameters.Recipient? {
    var recipient = ReportParameters.Recipient()
    for parameter in path.parameters {
      switch (parameter.keyword, parameter.value) {
      case ("NOTIFY", let value?):
        guard let events = ReportParameters.Events(value) else {
          throw SMTPReply(501, "5.5.4", "NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")
        }
        recipient.events = events
      case ("ORCPT", let value?):
        guard let original = ReportParameters.original(value) else {
          throw SMTPReply(501, "5.5.4", "ORCPT isn't a type and an address in xtext")
        }
        recipient.original = original
      case ("NOTIFY", nil), ("ORCPT", nil):
        throw SMTPReply(501, "5.5.4", "the parameter \(parameter.keyword) isn't valid")
      default: throw SMTPReply(555, "5.5.4", "unknown parameter \(parameter.keyword)")
      }
    }
    return path.parameters.isEmpty ? nil : recipient
  }

  private static let needsSMTPUTF8 = SMTPReply(
    553, "5.6.7", "an address with non-ASCII characters needs SMTPUTF8")

  private static func size(_ value: String, _ policy: SMTPSessionPolicy) throws(SMTPReply) -> Int {
    guard (1...20).contains(value.utf8.count), value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw SMTPReply(501, "5.5.4", "SIZE isn't a number")
    }
    guard let size = Int(value), size <= policy.maxSize else { throw .tooLarge(policy.maxSize) }
    return size
  }
}
