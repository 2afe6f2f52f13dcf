internal import CPabalTransport

/// The function table that the host passes to one opened transport, followed by the host's private data.
///
/// A plugin sees only `table`; the log callback finds its receiver in `log`.
struct HostTable {
  var table: pabal_host
  let log: Unmanaged<HostLog>

  /// Allocates a table that lives until `release`.
  static func allocate(_ log: HostLog) -> UnsafeMutablePointer<HostTable> {
    let host = UnsafeMutablePointer<HostTable>.allocate(capacity: 1)
    host.initialize(
      to: HostTable(
        table: pabal_host(
          abi: PABAL_TRANSPORT_ABI, size: UInt32(MemoryLayout<pabal_host>.size), log: logLine,
          setting: settingValue, fail: failOpening, access_token: accessToken, reply: reportReply,
          remote_id: reportRemoteID, recipient: reportRecipient),
        log: Unmanaged.passRetained(log)))
    return host
  }

  static func release(_ host: UnsafeMutablePointer<HostTable>) {
    host.pointee.log.release()
    host.deinitialize(count: 1)
    host.deallocate()
  }
}

/// The receiver of a transport's log lines.
final class HostLog: Sendable {
  let write: @Sendable (LogLevel, String) -> Void
  init(_ write: @escaping @Sendable (LogLevel, String) -> Void) { self.write = write }
}

/// The importance of a log line.
public enum LogLevel: String, Sendable, Comparable, CaseIterable {
  case debug = "debug"
  case info = "info"
  case warning = "warning"
  case error = "error"

  /// Orders levels from least to most important.
  public static func < (a: LogLevel, b: LogLevel) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }
}

/// The state of one `open` call: the settings it can read, and its failure reason.
final class OpeningRecord {
  let values: PluginSettingValues
  var reason: String?
  init(_ values: PluginSettingValues) { self.values = values }
}

private func logLine(
  _ host: UnsafePointer<pabal_host>?, _ level: Int32, _ text: UnsafePointer<CChar>?, _ length: Int
) {
  guard let host, let line = printableText(text, length) else { return }
  let log = UnsafeRawPointer(host).assumingMemoryBound(to: HostTable.self).pointee.log
  let levels: [Int: LogLevel] = [
    PABAL_LOG_DEBUG: .debug, PABAL_LOG_INFO: .info, PABAL_LOG_WARNING: .warning,
  ]
  log.takeUnretainedValue().write(levels[Int(level)] ?? .error, line)
}

private func settingValue(
  _ opening: OpaquePointer?, _ key: UnsafePointer<CChar>?
) -> UnsafePointer<pabal_value>? {
  guard let opening, let key else { return nil }
  let record = Unmanaged<OpeningRecord>.fromOpaque(UnsafeRawPointer(opening)).takeUnretainedValue()
  return record.values.value(String(cString: key))
}

private func failOpening(_ opening: OpaquePointer?, _ reason: UnsafePointer<CChar>?, _ length: Int) {
  guard let opening else { return }
  let record = Unmanaged<OpeningRecord>.fromOpaque(UnsafeRawPointer(opening)).takeUnretainedValue()
  record.reason = printableText(reason, length)
}

private func record(_ attempt: OpaquePointer?) -> AttemptRecord? {
  guard let attempt else { return nil }
  return Unmanaged<AttemptRecord>.fromOpaque(UnsafeRawPointer(attempt)).takeUnretainedValue()
}

private func accessToken(
  _ attempt: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ rejected: UnsafePointer<CChar>?,
  _ token: UnsafeMutablePointer<pabal_token>?
) -> Int32 {
  guard let record = record(attempt) else { return 1 }
  guard let key, let token, let source = record.accounts[String(cString: key)] else {
    let name = key.map { printable(String(cString: $0)) } ?? ""
    record.contractViolation =
      "the plugin asked for a token through the setting “\(name)”, which names no account"
    record.tokenOutcome = .held(.transport)
    return 1
  }
  do throws(AccessTokenError) {
    let freshToken = try source.accessToken(rejected: rejected.map { String(cString: $0) })
    token.pointee.text = record.copyToken(freshToken)
    token.pointee.expires_in = freshToken.expiresIn.map { max(1, $0.components.seconds) } ?? 0
    return 0
  } catch {
    // What the plugin reported of the server that refused the token is the cause; the host's reason says what to do.
    let cause = rejected == nil ? nil : record.reply
    record.reply = cause.map { "\(error.reason); \($0)" } ?? error.reason
    record.tokenOutcome = error.outcome
    return 1
  }
}

private func reportReply(_ attempt: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int) {
  guard let record = record(attempt), record.tokenOutcome == nil else { return }
  record.reply = printableText(text, length)
}

private func reportRemoteID(_ attempt: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int) {
  record(attempt)?.remoteID = printableText(text, length)
}

private func reportRecipient(
  _ attempt: OpaquePointer?, _ index: Int, _ verdict: UnsafePointer<pabal_verdict>?,
  _ reply: UnsafePointer<CChar>?, _ length: Int
) {
  guard let record = record(attempt) else { return }
  guard let verdict, index >= 0, index < record.recipientCount else {
    record.contractViolation =
      "the plugin reported on recipient index \(index), but the mail has \(counted(record.recipientCount, "recipient"))"
    return
  }
  let outcome = Outcome(verdict.pointee)
  if outcome == nil {
    record.contractViolation =
      "the plugin reported the unknown outcome \(verdict.pointee.outcome) for recipient \(index + 1); "
      + "it is not known whether the mail was sent"
  }
  if record.recipients.isEmpty {
    record.recipients = Array(repeating: nil, count: record.recipientCount)
  }
  record.recipients[index] = (outcome ?? .unknown, printableText(reply, length))
}

/// What a plugin reports during one call of `send` or `check`; `pabal_attempt` points to it.
///
/// Used only by the thread that makes the call.
final class AttemptRecord {
  /// The token sources by the key of their account setting.
  let accounts: [String: any AccessTokenSource]
  let recipientCount: Int
  var reply: String?
  var remoteID: String?
  var recipients: [(outcome: Outcome, reply: String?)?] = []
  /// The outcome set by the host if no token was available.
  var tokenOutcome: Outcome?
  /// A violation of the plugin contract.
  var contractViolation: String?
  private var tokenCopies: [UnsafeMutableBufferPointer<CChar>] = []

  init(accounts: [String: any AccessTokenSource], recipientCount: Int) {
    self.accounts = accounts
    self.recipientCount = recipientCount
  }

  deinit {
    for token in tokenCopies {
      token.update(repeating: 0)
      token.deallocate()
    }
  }

  func copyToken(_ token: AccessToken) -> UnsafePointer<CChar>? {
    let bytes = token.text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    tokenCopies.append(copy)
    return UnsafePointer(copy.baseAddress)
  }

  /// Returns the receipt of the attempt. Recipients without an outcome of their own share the mail's.
  func receipt(_ verdict: pabal_verdict, for envelope: Envelope) -> Receipt {
    let mailOutcome = tokenOutcome ?? Outcome(verdict)
    if mailOutcome == nil {
      contractViolation =
        "the plugin reported \(describe(verdict)); it is not known whether the mail was sent"
    }
    if let contractViolation { reply = reply.map { "\($0)\n\(contractViolation)" } ?? contractViolation }
    var entries: [Receipt.Recipient] = []
    entries.reserveCapacity(envelope.recipients.count)
    for (index, address) in envelope.recipients.enumerated() {
      let own = index < recipients.count ? recipients[index] : nil
      entries.append(
        Receipt.Recipient(
          address: address, outcome: own?.outcome ?? mailOutcome ?? .unknown, reply: own?.reply ?? reply))
    }
    return Receipt(recipients: entries, reply: reply, remoteID: remoteID)
  }
}

extension Outcome {
  /// Converts a plugin's verdict on a mail; returns `nil` if it isn't a valid outcome.
  init?(_ verdict: pabal_verdict) {
    // At most a week: a longer wait is a mistake, and would keep the transport out of use for as long.
    let wait: Duration? = verdict.retry_after > 0 ? .seconds(min(verdict.retry_after, 604_800)) : nil
    switch Int(verdict.outcome) {
    case PABAL_SENT: self = .sent
    case PABAL_DEFERRED: self = .deferred(retryAfter: wait)
    case PABAL_UNSUITED: self = .unsuited
    case PABAL_REJECTED: self = .rejected
    case PABAL_HELD where verdict.scope == PABAL_SCOPE_MAIL: self = .held(.mail, retryAfter: wait)
    case PABAL_HELD where verdict.scope == PABAL_SCOPE_TRANSPORT:
      self = .held(.transport, retryAfter: wait)
    case PABAL_UNKNOWN: self = .unknown
    default: return nil
    }
  }
}

/// Describes an invalid verdict.
func describe(_ verdict: pabal_verdict) -> String {
  switch Int(verdict.outcome) {
  case 0: "no outcome"
  case PABAL_HELD: "“held” without a scope"
  case PABAL_READY: "“ready”, which only check may report"
  case PABAL_SENT: "“sent”, which only send may report"
  default: "the unknown outcome \(verdict.outcome)"
  }
}

/// Returns a plugin's text with invalid UTF-8 repaired and non-printable characters escaped.
func printableText(_ text: UnsafePointer<CChar>?, _ length: Int) -> String? {
  guard let text, length > 0, length < 1 << 30 else { return nil }
  let bytes = UnsafeRawBufferPointer(start: text, count: length)
  let shown = printable(String(decoding: bytes, as: UTF8.self), lines: true)
  return shown.isEmpty ? nil : shown
}
