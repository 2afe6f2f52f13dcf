internal import CPabalTransport
internal import Dispatch
internal import Synchronization

/// A transport that a plugin provides, opened with what `config.json` says of it.
///
/// Unchecked, since `handle` is the plugin's own object, which the contract makes safe for `parallel`
/// threads; everything else is written in `init` alone or is behind a lock.
public final class LoadedTransport: Transport, @unchecked Sendable {
  /// The transport's name in `config.json`.
  public let name: String
  /// The plugin behind it.
  public let plugin: Plugin
  /// How many attempts may be under way at once; more wait for their turn.
  public let parallel: Int

  private let handle: UnsafeMutableRawPointer?
  private let host: UnsafeMutablePointer<HostTable>
  private let settings: OpenedSettings
  private let accounts: [String: any AccessTokenSource]
  private let turns: DispatchSemaphore
  private let closed = Mutex(false)
  private let threads: WorkerThreads

  /// Fetches the secrets among `settings` and opens the transport.
  ///
  /// `accounts` are by name; `log` is called from any thread.
  public init(
    _ plugin: Plugin, name: String, settings: [CheckedSetting] = [],
    accounts: [String: any AccessTokenSource] = [:],
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    self.plugin = plugin
    self.name = name
    self.settings = try OpenedSettings(settings, declared: plugin.settings, users: accounts.mapValues(\.user))
    var bySetting: [String: any AccessTokenSource] = [:]
    for setting in settings { bySetting[setting.declaration.key] = setting.account.flatMap { accounts[$0] } }
    self.accounts = bySetting

    let host = HostTable.allocate(HostLog(log))
    let opening = OpeningRecord(self.settings)
    var handle: UnsafeMutableRawPointer?
    var parallel: UInt32 = 0
    let failed = withExtendedLifetime(opening) {
      UnsafeMutableRawPointer(host).withMemoryRebound(to: pabal_host.self, capacity: 1) {
        plugin.table.open($0, OpaquePointer(Unmanaged.passUnretained(opening).toOpaque()), &handle, &parallel)
      }
    }
    guard failed == 0 else {
      HostTable.release(host)
      let reason = opening.reason ?? "it gives no reason, which is a fault of the plugin \(plugin.path)"
      throw Diagnostic("the transport “\(name)” can't be opened: \(reason)")
    }
    guard (1...256).contains(parallel) else {
      plugin.table.close(handle)
      HostTable.release(host)
      throw Diagnostic(
        "the transport “\(name)” can't be opened: the plugin wants \(parallel) threads, not 1 to 256",
        file: plugin.path)
    }
    self.host = host
    self.handle = handle
    self.parallel = Int(parallel)
    self.turns = DispatchSemaphore(value: Int(parallel))
    self.threads = WorkerThreads(count: Int(parallel))
  }

  deinit { close() }

  /// Makes one attempt, on a thread of the host's.
  public func send(_ mail: Mail) async -> Receipt {
    await threads.run { self.attempt(mail) }
  }

  /// Makes one attempt on the calling thread, and blocks until it has ended.
  public func attempt(_ mail: Mail) -> Receipt {
    let record = AttemptRecord(accounts: accounts, recipientCount: mail.envelope.recipients.count)
    let verdict = inTurn(record) { handle, attempt, verdict in
      withPluginMail(mail) { plugin.table.send(handle, $0, attempt, &verdict) }
    }
    return record.receipt(verdict, for: mail.envelope, transport: name)
  }

  /// What `check` found.
  public struct CheckReport: Sendable {
    /// `nil` when the far side was reached and took the login, or there is nothing to reach.
    public let problem: Outcome?
    /// What was found and what to do about it.
    public let reply: String?
  }

  /// Reaches the far side and logs in, sends nothing; blocks.
  public func check() -> CheckReport {
    guard let check = plugin.table.check else { return CheckReport(problem: nil, reply: nil) }
    let record = AttemptRecord(accounts: accounts, recipientCount: 0)
    let verdict = inTurn(record) { handle, attempt, verdict in check(handle, attempt, &verdict) }
    if let problem = record.tokenProblem {
      return CheckReport(problem: problem, reply: record.fault ?? record.reply)
    }
    if verdict.outcome == PABAL_READY { return CheckReport(problem: nil, reply: record.reply) }
    guard let outcome = Outcome(verdict), outcome != .sent else {
      return CheckReport(problem: .unknown, reply: "the plugin's check gave \(told(verdict))")
    }
    return CheckReport(problem: outcome, reply: record.reply)
  }

  /// Waits for the attempts under way and gives everything back; later attempts are `deferred`.
  public func close() {
    guard !closed.withLock({ exchange(&$0, with: true) }) else { return }
    threads.stop()
    for _ in 0..<parallel { turns.wait() }
    plugin.table.close(handle)
    HostTable.release(host)
    for _ in 0..<parallel { turns.signal() }
  }

  private func inTurn(
    _ record: AttemptRecord,
    _ call: (UnsafeMutableRawPointer?, OpaquePointer, inout pabal_verdict) -> Void
  ) -> pabal_verdict {
    turns.wait()
    defer { turns.signal() }
    var verdict = pabal_verdict()
    verdict.size = UInt32(MemoryLayout<pabal_verdict>.size)
    guard !closed.withLock({ $0 }) else {
      record.reply = "the transport “\(name)” has been closed"
      verdict.outcome = Int32(PABAL_DEFERRED)
      return verdict
    }
    withExtendedLifetime(record) {
      call(handle, OpaquePointer(Unmanaged.passUnretained(record).toOpaque()), &verdict)
    }
    return verdict
  }
}

/// Calls `body` with the mail as `pabal_transport.h` has it; nothing of it outlives the call.
private func withPluginMail(_ mail: Mail, _ body: (UnsafePointer<pabal_mail>) -> Void) {
  let recipients = mail.envelope.recipients
  var texts: [UInt8] = []
  texts.reserveCapacity(192 + 64 * recipients.count)
  var offsets: [Int] = []
  offsets.reserveCapacity(3 + recipients.count)
  func lend(_ text: String) {
    offsets.append(texts.count)
    texts.append(contentsOf: text.utf8)
    texts.append(0)
  }
  lend(mail.id)
  lend(mail.messageID)
  lend(mail.envelope.sender?.description ?? "")
  for recipient in recipients { lend(recipient.description) }
  texts.withUnsafeBytes { texts in
    guard let base = texts.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
    withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: offsets.count - 2) { recipients in
      for (index, offset) in offsets.dropFirst(3).enumerated() {
        recipients.initializeElement(at: index, to: base + offset)
      }
      recipients.initializeElement(at: offsets.count - 3, to: nil)
      mail.octets.withUnsafeBufferPointer { octets in
        var needs: UInt32 = 0
        if mail.needsSMTPUTF8 { needs |= UInt32(PABAL_NEEDS_SMTPUTF8) }
        if mail.needs8BitMIME { needs |= UInt32(PABAL_NEEDS_8BITMIME) }
        var lent = pabal_mail(
          size: UInt32(MemoryLayout<pabal_mail>.size), needs: needs, id: base + offsets[0],
          message_id: base + offsets[1], sender: base + offsets[2],
          recipients: UnsafePointer(recipients.baseAddress), recipient_count: offsets.count - 3,
          octets: octets.baseAddress, octet_count: octets.count)
        body(&lent)
      }
    }
  }
}
