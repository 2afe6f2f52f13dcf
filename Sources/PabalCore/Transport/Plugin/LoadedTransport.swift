internal import CPabalTransport
internal import Dispatch
internal import Synchronization

/// A transport from `config.json` with its plugin loaded and its settings checked; secrets aren't fetched yet.
public struct CheckedTransport: Sendable {
  /// The transport's name in `config.json`.
  public let name: String
  /// The plugin that makes the attempts.
  public let plugin: Plugin
  /// The value of each setting that the plugin declares.
  public let settings: [CheckedSetting]
  /// The transport's section of `config.json`.
  public let configuration: TransportConfiguration

  /// Fetches the secrets and opens the transport; blocks. `account` returns the token source of an account by name.
  public func open(
    account source: (String) throws(Diagnostic) -> any AccessTokenSource,
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws(Diagnostic) -> LoadedTransport {
    var sources: [String: any AccessTokenSource] = [:]
    for setting in settings {
      guard let account = setting.account, sources[account] == nil else { continue }
      sources[account] = try source(account)
    }
    do throws(Diagnostic) {
      return try LoadedTransport(plugin, name: name, settings: settings, accounts: sources, log: log)
    } catch {
      guard error.file == nil else { throw error }
      var located = error
      (located.file, located.position) = (configuration.location.file, configuration.location.position)
      throw located
    }
  }
}

extension CheckedTransport {
  /// Returns why a secret in the settings can't be fetched until a person corrects the set-up; `nil` if all can, or if
  /// only a command failed, which may work later. Blocks.
  package func missingSecret() -> Diagnostic? {
    settings.lazy.compactMap { $0.text.missingDiagnostic() }.first
  }
}

extension Configuration {
  /// Loads the plugins of `transports` and checks their settings; throws all errors at once.
  public func checked(
    _ transports: [TransportConfiguration], loader: PluginLoader
  ) throws(Diagnostics) -> [CheckedTransport] {
    var problems: [Diagnostic] = []
    var checked: [CheckedTransport] = []
    for transport in transports {
      do throws(Diagnostic) {
        let plugin = try loader.load(transport.plugin)
        let settings = settings(of: transport, declared: plugin.settings, diagnostics: &problems)
        guard let settings else { continue }
        checked.append(
          CheckedTransport(name: transport.name, plugin: plugin, settings: settings, configuration: transport)
        )
      } catch {
        problems.append(transport.locating(error))
      }
    }
    guard problems.isEmpty else { throw Diagnostics(problems) }
    return checked
  }

  /// Returns the configured route with its plugins loaded; blocks. A transport is opened, and its secrets are fetched,
  /// when a mail first needs it.
  ///
  /// `account` returns the token source of an account by name; `log` receives the transport's name, a level and a line.
  public func loadRoute(
    account: @escaping @Sendable (String) throws(Diagnostic) -> any AccessTokenSource = Configuration
      .noAccount,
    log: @escaping @Sendable (String, LogLevel, String) -> Void = { _, _, _ in }
  ) throws(Diagnostics) -> Route {
    let loader = PluginLoader(configured: plugins.directories)
    return Route(
      try checked(try transports(), loader: loader).map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in
          try transport.open(account: account) { log(transport.name, $0, $1) }
        }
      })
  }

  /// Always throws, for programs without accounts.
  public static func noAccount(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    throw Diagnostic("this program has no accounts, so it can't get access tokens for \(quoted(name))")
  }
}

/// A transport that a plugin provides, opened with its settings from `config.json`.
///
/// Unchecked because `handle` belongs to the plugin, whose contract makes it safe for `parallel` threads; everything
/// else is immutable or synchronized.
public final class LoadedTransport: Transport, @unchecked Sendable {
  /// The transport's name in `config.json`.
  public let name: String
  /// The plugin behind it.
  public let plugin: Plugin
  /// The maximum number of concurrent attempts; further ones wait.
  public let parallel: Int

  private let handle: UnsafeMutableRawPointer?
  private let host: UnsafeMutablePointer<HostTable>
  private let settings: PluginSettingValues
  private let accounts: [String: any AccessTokenSource]
  /// The server that the transport talks to: its setting `host`, unless that is a secret.
  private let remoteHost: String?
  private let slots: DispatchSemaphore
  private let isClosed = Atomic(false)
  private let threads: WorkerThreads

  /// Fetches the secrets in `settings` and opens the transport.
  ///
  /// `accounts` maps account names to token sources; `log` is called from any thread.
  public init(
    _ plugin: Plugin, name: String, settings: [CheckedSetting] = [],
    accounts: [String: any AccessTokenSource] = [:],
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    self.plugin = plugin
    self.name = name
    self.settings = try PluginSettingValues(
      settings, declared: plugin.settings, users: accounts.mapValues(\.user))
    remoteHost =
      settings.first { $0.key == "host" && $0.kind == .text && $0.isSet && !$0.declaration.secret }?
      .text.literal
    var bySetting: [String: any AccessTokenSource] = [:]
    for setting in settings {
      bySetting[setting.declaration.key] = setting.account.flatMap { accounts[$0] }?
        .source(for: setting.declaration.scopes) { key in settings.contains { $0.key == key && $0.isSet } }
    }
    self.accounts = bySetting

    let host = HostTable.allocate(HostLog(log))
    let opening = OpeningRecord(self.settings)
    var handle: UnsafeMutableRawPointer?
    var parallel: UInt32 = 0
    let status = withExtendedLifetime(opening) {
      UnsafeMutableRawPointer(host).withMemoryRebound(to: pabal_host.self, capacity: 1) {
        plugin.table.open($0, OpaquePointer(Unmanaged.passUnretained(opening).toOpaque()), &handle, &parallel)
      }
    }
    guard status == 0 else {
      HostTable.release(host)
      let reason = opening.reason ?? "the plugin \(plugin.path) gave no reason, which is a bug in the plugin"
      throw Diagnostic("the transport “\(name)” can't be opened: \(reason)")
    }
    guard (1...256).contains(parallel) else {
      plugin.table.close(handle)
      HostTable.release(host)
      throw Diagnostic(
        "the transport “\(name)” can't be opened: the plugin asks for \(parallel) threads, but 1 to 256 are allowed",
        file: plugin.path)
    }
    self.host = host
    self.handle = handle
    self.parallel = Int(parallel)
    self.slots = DispatchSemaphore(value: Int(parallel))
    self.threads = WorkerThreads(count: Int(parallel))
  }

  deinit { close() }

  /// Makes one attempt on one of the transport's threads.
  public func send(_ mail: Mail) async -> Receipt {
    await threads.run { self.attempt(mail) }
  }

  /// Makes one attempt on one of the transport's threads, unless `isExpired` returns true once a thread is free.
  public func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
    await threads.run { isExpired() ? nil : self.attempt(mail) }
  }

  /// Makes one attempt on the calling thread; blocks until it has ended.
  public func attempt(_ mail: Mail) -> Receipt {
    let record = AttemptRecord(accounts: accounts, recipientCount: mail.envelope.recipients.count)
    let verdict = withSlot(record) { handle, attempt, verdict in
      withPluginMail(mail) { plugin.table.send(handle, $0, attempt, &verdict) }
    }
    var receipt = record.receipt(verdict, for: mail.envelope)
    if let remoteHost {
      for index in receipt.recipients.indices { receipt.recipients[index].remoteHost = remoteHost }
    }
    return receipt
  }

  /// The result of `check`.
  public struct CheckReport: Sendable {
    /// `nil` if the server was reached and accepted the login, or if the plugin has no check.
    public let problem: Outcome?
    /// What was found and what to do.
    public let reply: String?
  }

  /// Connects and logs in without sending mail; blocks.
  public func check() -> CheckReport {
    guard let check = plugin.table.check else { return CheckReport(problem: nil, reply: nil) }
    let record = AttemptRecord(accounts: accounts, recipientCount: 0)
    let verdict = withSlot(record) { handle, attempt, verdict in check(handle, attempt, &verdict) }
    if let problem = record.tokenOutcome {
      return CheckReport(problem: problem, reply: record.contractViolation ?? record.reply)
    }
    if verdict.outcome == PABAL_READY { return CheckReport(problem: nil, reply: record.reply) }
    guard let outcome = Outcome(verdict), outcome != .sent else {
      return CheckReport(problem: .unknown, reply: "the plugin's check reported \(describe(verdict))")
    }
    return CheckReport(problem: outcome, reply: record.reply)
  }

  /// Waits for running attempts and releases all resources; later attempts are `deferred`.
  public func close() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    threads.stop()
    for _ in 0..<parallel { slots.wait() }
    plugin.table.close(handle)
    HostTable.release(host)
    for _ in 0..<parallel { slots.signal() }
  }

  private func withSlot(
    _ record: AttemptRecord,
    _ call: (UnsafeMutableRawPointer?, OpaquePointer, inout pabal_verdict) -> Void
  ) -> pabal_verdict {
    slots.wait()
    defer { slots.signal() }
    var verdict = pabal_verdict()
    verdict.size = UInt32(MemoryLayout<pabal_verdict>.size)
    guard !isClosed.load(ordering: .acquiring) else {
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

/// Calls `body` with the mail as a `pabal_mail`, which is valid only during the call.
private func withPluginMail(_ mail: Mail, _ body: (UnsafePointer<pabal_mail>) -> Void) {
  let recipients = mail.envelope.recipients
  let sender = mail.envelope.sender?.description ?? ""
  // Includes the terminating NUL of each text.
  var byteCount = mail.id.utf8.count + mail.messageID.utf8.count + sender.utf8.count + 3
  for recipient in recipients { byteCount += recipient.description.utf8.count + 1 }
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: byteCount) { texts in
    var next = texts.startIndex
    func copyCString(_ text: String) -> UnsafePointer<CChar>? {
      let start = next
      text.utf8Span.span.withUnsafeBytes { bytes in
        UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: texts[start...]))
          .copyMemory(from: bytes)
        next += bytes.count
      }
      texts[next] = 0
      next += 1
      return texts.baseAddress.map { UnsafePointer($0 + start) }
    }
    withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: recipients.count + 1) {
      recipientPointers in
      for (index, recipient) in recipients.enumerated() {
        recipientPointers.initializeElement(at: index, to: copyCString(recipient.description))
      }
      recipientPointers.initializeElement(at: recipients.count, to: nil)
      mail.bytes.withUnsafeBufferPointer { bytes in
        var needs: UInt32 = 0
        if mail.needsSMTPUTF8 { needs |= UInt32(PABAL_NEEDS_SMTPUTF8) }
        if mail.needs8BitMIME { needs |= UInt32(PABAL_NEEDS_8BITMIME) }
        var cMail = pabal_mail(
          size: UInt32(MemoryLayout<pabal_mail>.size), needs: needs, id: copyCString(mail.id),
          message_id: copyCString(mail.messageID), sender: copyCString(sender),
          recipients: UnsafePointer(recipientPointers.baseAddress),
          recipient_count: recipients.count, octets: bytes.baseAddress, octet_count: bytes.count)
        body(&cMail)
      }
    }
  }
}
