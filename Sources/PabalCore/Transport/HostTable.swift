internal import CPabalTransport

/// The table the host lends to one opened transport, with the transport's own place behind it.
///
/// A plugin sees only the first part; `log` finds its way back through the second.
struct HostTable {
  var table: pabal_host
  let log: Unmanaged<HostLog>

  /// A table that lives until `release`.
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

/// Where a transport's log lines go.
final class HostLog: Sendable {
  let write: @Sendable (LogLevel, String) -> Void
  init(_ write: @escaping @Sendable (LogLevel, String) -> Void) { self.write = write }
}

/// How much a log line matters.
public enum LogLevel: String, Sendable, Comparable, CaseIterable {
  case debug = "debug"
  case info = "info"
  case warning = "warning"
  case error = "error"

  /// Orders levels from the least to the most important.
  public static func < (a: LogLevel, b: LogLevel) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }
}

/// One call of `open`: the settings it may ask for, and why it failed.
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
    record.contractViolation = "the plugin asked for a token by “\(name)”, for which no account is configured"
    record.tokenOutcome = .held(.transport)
    return 1
  }
  do throws(AccessTokenError) {
    let freshToken = try source.accessToken(rejected: rejected.map { String(cString: $0) })
    token.pointee.text = record.copyToken(freshToken)
    token.pointee.expires_in = freshToken.expiresIn.map { max(1, $0.components.seconds) } ?? 0
    return 0
  } catch {
    record.reply = error.reason
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
    record.contractViolation = "the plugin reported recipient \(index) of \(record.recipientCount)"
    return
  }
  let outcome = Outcome(verdict.pointee)
  if outcome == nil {
    record.contractViolation =
      "the plugin gave recipient \(index + 1) outcome \(verdict.pointee.outcome), which does not exist; "
      + "whether the mail left is not known"
  }
  if record.recipients.isEmpty {
    record.recipients = Array(repeating: nil, count: record.recipientCount)
  }
  record.recipients[index] = (outcome ?? .unknown, printableText(reply, length))
}
