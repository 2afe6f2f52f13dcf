import CPabalTransport
import Foundation
import PabalPlugin

@testable import SMTPTransport

/// A host for the plugin's C table: takes settings from a dictionary and records everything that the plugin reports.
final class PluginHost {
  fileprivate let values: [String: String]
  fileprivate let user: String
  fileprivate let tokens: [String]
  fileprivate var tokenCount = 0
  fileprivate(set) var failure = ""
  /// All replies, reasons and log lines from the plugin.
  fileprivate(set) var output: [String] = []
  fileprivate(set) var reply = ""
  fileprivate(set) var remoteID = ""
  fileprivate(set) var recipients: [Int: (outcome: Int32, reply: String)] = [:]
  private let table: UnsafeMutablePointer<pabal_host>
  private var transport: UnsafeMutableRawPointer?
  private let plugin = TransportTable(SMTPTransport.self) {
    openTransport(SMTPTransport.self, $0, $1, $2, $3)
  }

  init(
    _ values: [String: String], user: String = "alice@example.test",
    tokens: [String] = [SMTPTestMail.accessToken.text]
  ) {
    self.values = values
    self.user = user
    self.tokens = tokens
    table = .allocate(capacity: 1)
    table.initialize(
      to: pabal_host(
        abi: PABAL_TRANSPORT_ABI, size: UInt32(MemoryLayout<pabal_host>.size),
        log: { _, _, text, count in current?.output.append(string(text, count)) },
        setting: { _, key in current?.setting(key) },
        fail: { _, text, count in
          current?.failure = string(text, count)
          current?.output.append(string(text, count))
        },
        access_token: { _, _, rejected, token in current?.accessToken(rejected, token) ?? 1 },
        reply: { _, text, count in
          current?.reply = string(text, count)
          current?.output.append(string(text, count))
        },
        remote_id: { _, text, count in
          current?.remoteID = string(text, count)
          current?.output.append(string(text, count))
        },
        recipient: { _, index, verdict, text, count in
          current?.recipients[index] = (verdict?.pointee.outcome ?? 0, string(text, count))
          current?.output.append(string(text, count))
        }))
  }

  deinit { table.deallocate() }

  /// Opens and closes the transport; returns why it couldn't be opened, or an empty text.
  static func open(_ values: [String: String], user: String = "alice@example.test") -> String {
    let host = PluginHost(values, user: user)
    host.with { host in if host.open() { host.close() } }
    return host.failure
  }

  /// Makes this the thread's current host, because `log` has no context argument.
  func with(_ work: (PluginHost) -> Void) {
    Thread.current.threadDictionary["host"] = self
    work(self)
    Thread.current.threadDictionary["host"] = nil
  }

  func open() -> Bool {
    var parallel: UInt32 = 0
    return functions.open(table, OpaquePointer(table), &transport, &parallel) == 0
  }

  func send(_ mail: SMTPTestMail) -> Int32 {
    let addresses = mail.recipients.map { strdup($0) }
    let sender = strdup(mail.sender)
    defer {
      addresses.forEach { free($0) }
      free(sender)
    }
    var verdict = pabal_verdict()
    var list = addresses.map { UnsafePointer($0) } + [nil]
    mail.bytes.withUnsafeBufferPointer { bytes in
      list.withUnsafeMutableBufferPointer { list in
        var message = pabal_mail()
        message.size = UInt32(MemoryLayout<pabal_mail>.size)
        message.sender = UnsafePointer(sender)
        message.recipients = UnsafePointer(list.baseAddress)
        message.recipient_count = addresses.count
        message.octets = bytes.baseAddress
        message.octet_count = bytes.count
        functions.send(transport, &message, OpaquePointer(table), &verdict)
      }
    }
    return verdict.outcome
  }

  func check() -> Int32 {
    var verdict = pabal_verdict()
    functions.check?(transport, OpaquePointer(table), &verdict)
    return verdict.outcome
  }

  func close() { functions.close(transport) }

  private var functions: pabal_transport {
    plugin.pointer(forHost: PABAL_TRANSPORT_ABI)?.load(as: pabal_transport.self) ?? pabal_transport()
  }

  fileprivate func setting(_ key: UnsafePointer<CChar>?) -> UnsafePointer<pabal_value>? {
    guard let key,
      let declared = SMTPServer.settings.map(\.text).first(where: { $0.key == String(cString: key) })
    else { return nil }
    // Never freed, like a real host's values for a transport that is never closed.
    let value = UnsafeMutablePointer<pabal_value>.allocate(capacity: 1)
    value.initialize(to: pabal_value())
    let text = values[declared.key] ?? declared.defaultText
    value.pointee.given = text == nil ? 0 : 1
    value.pointee.text = UnsafePointer(strdup(text ?? ""))
    value.pointee.number = Int64(text ?? "") ?? (["60s": 60_000, "10m": 600_000][text ?? ""] ?? 0)
    value.pointee.user = UnsafePointer(strdup(user))
    return UnsafePointer(value)
  }

  fileprivate func accessToken(
    _ rejected: UnsafePointer<CChar>?, _ token: UnsafeMutablePointer<pabal_token>?
  ) -> Int32 {
    guard tokenCount < tokens.count else { return 1 }
    token?.pointee.text = UnsafePointer(strdup(tokens[tokenCount]))
    tokenCount += 1
    return 0
  }
}

private var current: PluginHost? { Thread.current.threadDictionary["host"] as? PluginHost }

private func string(_ text: UnsafePointer<CChar>?, _ count: Int) -> String {
  String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
}

extension Setting {
  /// The key and default, which are internal to PabalPlugin.
  fileprivate var text: (key: String, defaultText: String?) {
    let children = Mirror(reflecting: self).children
    let key = children.first { $0.label == "key" }?.value as? String
    let defaultText = children.first { $0.label == "defaultText" }?.value as? String
    return (key ?? "", defaultText)
  }
}
