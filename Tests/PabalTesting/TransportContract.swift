import Foundation
public import PabalCore
public import PabalFormats
import Synchronization

/// The rules that every transport plugin must follow, checked through the C interface of the built plugin.
public struct TransportContract: Sendable {
  /// A rule of the contract and whether the plugin follows it.
  public struct RuleResult: Sendable, CustomStringConvertible {
    /// The rule, as a sentence.
    public let rule: String
    /// What went wrong; `nil` if the plugin follows the rule.
    public let problem: String?

    /// The rule and the problem.
    public var description: String { problem.map { "✗ \(rule): \($0)" } ?? "✓ \(rule)" }
  }

  /// The path of the plugin.
  public let path: String
  /// The settings as in `config.json`, with values as text.
  public let settings: [String: String]
  /// The accounts that settings can name.
  public let accounts: [String: any AccessTokenSource]
  /// At least three addresses that the server accepts.
  public let recipients: [String]
  /// A sender that the server accepts.
  public let sender: String
  /// The number of mails that each thread sends.
  public let mailsPerThread: Int

  /// Creates the contract test of the plugin at `path`.
  public init(
    _ path: String, settings: [String: String] = [:], accounts: [String: any AccessTokenSource] = [:],
    recipients: [String] = ["a@example.org", "b@example.org", "c@example.org"],
    sender: String = "alice@example.test", mailsPerThread: Int = 3
  ) {
    self.path = path
    self.settings = settings
    self.accounts = accounts
    self.recipients = recipients
    self.sender = sender
    self.mailsPerThread = mailsPerThread
  }

  /// Checks every rule in order; blocks. Uses as many threads as the transport allows.
  public func findings() -> [RuleResult] {
    var findings: [RuleResult] = []
    let plugin: Plugin
    do throws(Diagnostic) {
      plugin = try Plugin(at: path)
      findings.append(RuleResult(rule: "the plugin loads, and its table is valid", problem: nil))
    } catch {
      return [RuleResult(rule: "the plugin loads, and its table is valid", problem: error.description)]
    }
    func check(_ rule: String, _ body: () throws -> String?) {
      do {
        findings.append(RuleResult(rule: rule, problem: try body()))
      } catch {
        findings.append(RuleResult(rule: rule, problem: "\(error)"))
      }
    }
    check("each setting has a help sentence") {
      let without = plugin.settings.filter { !$0.help.hasSuffix(".") }.map(\.key)
      return without.isEmpty ? nil : "these have none: \(without.joined(separator: ", "))"
    }
    check("version and summary are not empty") {
      plugin.version.isEmpty || plugin.summary.isEmpty ? "version or summary is empty" : nil
    }
    check("the entry function returns the same table each time") {
      let again = try Plugin(at: path)
      return again.name == plugin.name && again.settings == plugin.settings ? nil : "the second one differs"
    }
    let before = ProcessState()
    check("it opens, reports its number of threads, and closes") {
      try open(plugin).close()
      return nil
    }
    check("it can be opened twice at the same time") {
      let first = try open(plugin)
      let second = try open(plugin)
      first.close()
      let receipt = second.attempt(try mail())
      second.close()
      return receipt.outcome == .sent ? nil : "the second one doesn't send: \(describe(receipt))"
    }
    check("a mail is sent, and every recipient has an outcome") {
      try send(plugin, try mail()) { $0.recipients.count == 1 ? nil : "\($0.recipients.count) recipients" }
    }
    check("a mail to several recipients is sent to all of them") {
      try send(plugin, try mail(to: recipients)) {
        $0.recipients.allSatisfy { $0.outcome == .sent } ? nil : describe($0)
      }
    }
    check("a mail without a body is sent") {
      try send(plugin, try mail(bytes: Array("Subject: empty\r\n\r\n".utf8)))
    }
    check("dots, long lines and a megabyte are sent, and the plugin doesn't change the bytes") {
      let line = String(repeating: "x", count: 996)
      let body = "Subject: long\r\n\r\n.\r\n..\r\n.x\r\n" + String(repeating: "\(line)\r\n", count: 1_060)
      return try send(plugin, try mail(bytes: Array(body.utf8)))
    }
    check("a null sender has an outcome") {
      let transport = try open(plugin)
      defer { transport.close() }
      _ = transport.attempt(try mail(from: .some(nil)))
      return nil
    }
    check("8-bit and SMTPUTF8 mail is sent or unsuited") {
      let bytes = Array("Subject: 안녕\r\n\r\n반갑습니다\r\n".utf8)
      let transport = try open(plugin)
      defer { transport.close() }
      let receipt = transport.attempt(try mail(bytes: bytes, eightBit: true))
      return [.sent, .unsuited].contains(receipt.outcome) ? nil : describe(receipt)
    }
    check("as many threads as it allows can send at the same time") {
      try sendConcurrently(plugin)
    }
    check("check reports a result, if it exists") {
      let transport = try open(plugin)
      defer { transport.close() }
      return transport.check().problem.map { "\($0.name)" }
    }
    check("it doesn't change current directory, locale, environment or signal handlers") {
      before.difference(to: ProcessState())
    }
    return findings
  }

  private func open(_ plugin: Plugin) throws -> LoadedTransport {
    let values = settings.map { key, text -> (String, JSONValue.Content) in
      switch plugin.settings.first(where: { $0.key == key })?.kind {
      case .number: (key, .number(text))
      case .boolean: (key, .boolean(text == "true"))
      default: (key, .string(text))
      }
    }
    return try TestPlugin.open(path, Dictionary(uniqueKeysWithValues: values), accounts: accounts)
  }

  private func mail(
    to recipients: [String]? = nil, from sender: String?? = nil,
    bytes: [UInt8] = Array("Subject: contract\r\n\r\nhello\r\n".utf8), eightBit: Bool = false
  ) throws -> Mail {
    let sender: String? = if let sender { sender } else { self.sender }
    return try Mail.sample(
      to: recipients ?? [self.recipients[0]], from: sender, bytes: bytes,
      id: MailIdentity.now().id, needsSMTPUTF8: eightBit, needs8BitMIME: eightBit)
  }

  private func send(
    _ plugin: Plugin, _ mail: Mail, _ more: (Receipt) -> String? = { _ in nil }
  ) throws -> String? {
    let bytes = mail.bytes.map { $0 }
    let transport = try open(plugin)
    defer { transport.close() }
    let receipt = transport.attempt(mail)
    guard receipt.outcome == .sent else { return describe(receipt) }
    guard mail.bytes == bytes else { return "the plugin changed the bytes of the mail" }
    return more(receipt)
  }

  private func sendConcurrently(_ plugin: Plugin) throws -> String? {
    let transport = try open(plugin)
    defer { transport.close() }
    let failed = Mutex<String?>(nil)
    let mails = try (0..<transport.parallel).map { _ in try (0..<mailsPerThread).map { _ in try mail() } }
    DispatchQueue.concurrentPerform(iterations: mails.count) { index in
      for mail in mails[index] {
        let receipt = transport.attempt(mail)
        if receipt.outcome != .sent { failed.withLock { $0 = describe(receipt) } }
      }
    }
    return failed.withLock { $0 }
  }

  private func describe(_ receipt: Receipt) -> String {
    "\(receipt.outcome.name)\(receipt.reply.map { ": \($0)" } ?? "")"
  }
}

/// The process-wide state that a plugin must not change.
private struct ProcessState {
  let folder = FileManager.default.currentDirectoryPath
  let locale = setlocale(LC_ALL, nil).map { String(cString: $0) } ?? ""
  let environment = ProcessInfo.processInfo.environment
  let signals = [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2].map(ProcessState.handler)

  func difference(to other: ProcessState) -> String? {
    if folder != other.folder { return "the current directory is now \(other.folder)" }
    if locale != other.locale { return "the locale is now \(other.locale)" }
    if environment != other.environment { return "the environment changed" }
    return signals == other.signals ? nil : "a signal's handler changed"
  }

  private static func handler(_ signal: CInt) -> UInt {
    var action = sigaction()
    sigaction(signal, nil, &action)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self)
  }
}

/// Opens plugins without a `config.json`.
public enum TestPlugin {
  /// Opens the plugin at `path` with settings as in a configuration; its name is that of the plugin.
  public static func open(
    _ path: String, _ settings: [String: JSONValue.Content] = [:],
    accounts: [String: any AccessTokenSource] = [:],
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws -> LoadedTransport {
    let plugin = try Plugin(at: path)
    let start = SourcePosition(line: 1, column: 1)
    let members = settings.sorted { $0.key < $1.key }.map {
      JSONValue.Member(key: $0.key, keyPosition: start, value: JSONValue($0.value, at: start))
    }
    var problems: [Diagnostic] = []
    let checked = checkedSettings(
      JSONValue(.object(members), at: start), declared: plugin.settings, path: plugin.name,
      accounts: accounts.keys.sorted(), file: nil, directory: FileManager.default.currentDirectoryPath,
      secrets: .process, diagnostics: &problems)
    guard let checked else { throw Diagnostics(problems) }
    return try LoadedTransport(plugin, name: plugin.name, settings: checked, accounts: accounts, log: log)
  }
}

extension String {
  /// Whether a file exists at this path.
  public var exists: Bool { FileManager.default.fileExists(atPath: self) }
}
