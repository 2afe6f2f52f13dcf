/// The sealed content of an entry: the mail, and the result for each recipient so far.
public struct OutboxContent: Sendable {
  /// The result for one recipient so far.
  struct Progress: Sendable, Hashable {
    /// `sent`, `rejected` or `unknown` once the recipient isn't tried again; otherwise `nil`.
    var final: Outcome?
    /// The last reply.
    var reply: String?
    /// The name of the server that gave it, if it is known.
    var remoteHost: String?
    /// Whether the sender knows what became of it, or doesn't want to.
    var isReported = false
    /// Whether the sender knows that it waits.
    var isDelayReported = false
  }

  /// The mail, with all its recipients.
  public let mail: Mail
  /// One element for each recipient of the envelope, in the same order.
  var progress: [Progress]

  /// The reports that the sender gets; `nil`: none.
  package let report: ReportRequest?

  /// The content of a mail before its first attempt.
  public init(_ mail: Mail) { self.init(mail, report: nil) }

  /// The content of a submitted mail before its first attempt.
  package init(_ mail: Mail, report: ReportRequest?) {
    self.mail = mail
    self.report = report
    progress = Array(repeating: Progress(), count: mail.envelope.recipients.count)
  }

  /// The recipients with their final outcome, if there is one, and their last reply.
  public var recipients: [(address: Address, outcome: Outcome?, reply: String?)] {
    zip(mail.envelope.recipients, progress).map { ($0, $1.final, $1.reply) }
  }

  /// The mail for the recipients without a final outcome, or `nil` if there are none.
  var remaining: Mail? {
    mail.addressed(to: zip(mail.envelope.recipients, progress).filter { $1.final == nil }.map(\.0))
  }

  /// Records the results of the recipients in `receipt`.
  mutating func record(_ receipt: Receipt, unknown: UnknownPolicy) {
    for entry in receipt.recipients {
      guard let index = mail.envelope.recipients.firstIndex(of: entry.address) else { continue }
      if let reply = entry.reply {
        progress[index].reply = reply
        progress[index].remoteHost = entry.remoteHost
      }
      if entry.outcome.isFinal || (entry.outcome == .unknown && unknown == .keep) {
        progress[index].final = entry.outcome
      }
    }
  }

  /// The combined outcome, once every recipient has a final one.
  var decided: Outcome? {
    let finals = progress.compactMap(\.final)
    return finals.count == progress.count ? Outcome.combined(finals) : nil
  }
}

extension OutboxContent {
  /// The bytes aren't valid content.
  public struct FormatError: Error, Sendable {}

  /// The encoded content: a version, then fields with their lengths, and the mail's bytes last. Version 2 has the
  /// reports in addition, and version 3 the names of the servers that replied.
  public var bytes: [UInt8] {
    let version: UInt8 = report == nil ? 1 : progress.allSatisfy { $0.remoteHost == nil } ? 2 : 3
    var bytes: [UInt8] = [version]
    bytes.reserveCapacity(mail.bytes.count + 256)
    func append(_ count: Int) {
      for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
    }
    func append(_ text: String) {
      append(text.utf8.count)
      bytes.append(contentsOf: text.utf8)
    }
    bytes.append((mail.needsSMTPUTF8 ? 1 : 0) | (mail.needs8BitMIME ? 2 : 0))
    append(mail.messageID)
    append(mail.envelope.sender?.description ?? "")
    if let report {
      append(report.sender.description)
      bytes.append(report.parameters.returned?.rawValue ?? 0)
      append(report.parameters.envelopeID ?? "")
    }
    append(mail.envelope.recipients.count)
    for (recipient, progress) in zip(mail.envelope.recipients, progress) {
      append(recipient.description)
      append(progress.final?.name ?? "")
      append(progress.reply ?? "")
      guard let report else { continue }
      let parameters = report.parameters.recipients[recipient]
      // The highest bit says that there is a NOTIFY, which may name no event.
      bytes.append(parameters?.events.map { $0.rawValue | 0x80 } ?? 0)
      bytes.append((progress.isReported ? 1 : 0) | (progress.isDelayReported ? 2 : 0))
      append(parameters?.original ?? "")
      if version == 3 { append(progress.remoteHost ?? "") }
    }
    bytes.append(contentsOf: mail.bytes)
    return bytes
  }

  /// Decodes the content of the mail `id`.
  public init(_ bytes: [UInt8], id: String) throws(FormatError) {
    var reader = Reader(bytes)
    let version = try reader.byte()
    guard 1...3 ~= version else { throw FormatError() }
    let needs = try reader.byte()
    let messageID = try reader.text()
    let sender = try reader.text()
    var report = version >= 2 ? try reader.report() : nil
    var recipients: [Address] = []
    var progress: [Progress] = []
    for _ in 0..<(try reader.number()) {
      recipients.append(try reader.address())
      let outcome = try reader.text()
      let reply = try reader.text()
      progress.append(Progress(final: try Reader.final(outcome), reply: reply.isEmpty ? nil : reply))
      guard version >= 2 else { continue }
      let (events, reported, original) = (try reader.byte(), try reader.byte(), try reader.text())
      progress[progress.count - 1].isReported = reported & 1 != 0
      progress[progress.count - 1].isDelayReported = reported & 2 != 0
      if version == 3 {
        let host = try reader.text()
        progress[progress.count - 1].remoteHost = host.isEmpty ? nil : host
      }
      guard events != 0 || !original.isEmpty else { continue }
      report?.parameters.recipients[recipients[recipients.count - 1]] = ReportParameters.Recipient(
        events: events == 0 ? nil : ReportParameters.Events(rawValue: events & 7),
        original: original.isEmpty ? nil : original)
    }
    let from = try sender.isEmpty ? nil : Reader.address(sender)
    // An envelope drops duplicate recipients, which would assign results to the wrong ones.
    guard let envelope = Envelope(sender: from, recipients: recipients),
      envelope.recipients.count == recipients.count
    else { throw FormatError() }
    mail = Mail(
      id: id, envelope: envelope, messageID: messageID, bytes: Array(reader.remaining),
      needsSMTPUTF8: needs & 1 != 0, needs8BitMIME: needs & 2 != 0)
    self.progress = progress
    self.report = report
  }

  private struct Reader {
    var remaining: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { remaining = bytes[...] }

    mutating func byte() throws(FormatError) -> UInt8 {
      guard let byte = remaining.popFirst() else { throw FormatError() }
      return byte
    }

    mutating func number() throws(FormatError) -> Int {
      var number = 0
      for _ in 0..<4 { number = number << 8 | Int(try byte()) }
      return number
    }

    mutating func text() throws(FormatError) -> String {
      let count = try number()
      guard count <= remaining.count else { throw FormatError() }
      defer { remaining = remaining.dropFirst(count) }
      return String(decoding: remaining.prefix(count), as: UTF8.self)
    }

    mutating func report() throws(FormatError) -> ReportRequest {
      var report = ReportRequest(sender: try address())
      let returned = try byte()
      guard returned <= 2 else { throw FormatError() }
      report.parameters.returned = ReportParameters.Returned(rawValue: returned)
      let envelopeID = try text()
      report.parameters.envelopeID = envelopeID.isEmpty ? nil : envelopeID
      return report
    }

    mutating func address() throws(FormatError) -> Address { try Reader.address(try text()) }

    static func address(_ text: String) throws(FormatError) -> Address {
      do throws(AddressError) {
        return try Address(text)
      } catch {
        throw FormatError()
      }
    }

    static func final(_ name: String) throws(FormatError) -> Outcome? {
      switch name {
      case "": nil
      case Outcome.sent.name: .sent
      case Outcome.rejected.name: .rejected
      case Outcome.unknown.name: .unknown
      default: throw FormatError()
      }
    }
  }
}

/// Encrypts what a store keeps, so that a stolen database doesn't reveal it.
public protocol ContentSealing: Sendable {
  /// Returns `clear`, sealed for the row `id`.
  func seal(_ clear: [UInt8], id: String) -> [UInt8]
  /// Returns the digests by which a mail is found by its recipients; none if mail isn't searched.
  func digests(of recipients: [Address]) -> [[UInt8]]
  /// Returns the content that was sealed for the row `id`. Throws if it was changed or moved to another row, or if its
  /// key is no longer known.
  func open(_ sealed: [UInt8], id: String) throws -> [UInt8]
}

extension ContentSealing {
  /// Returns none.
  public func digests(of recipients: [Address]) -> [[UInt8]] { [] }
}
