internal import CPabalTransport

/// A transport written in Swift; an instance is one opened transport (see `pabal_transport.h`).
///
/// The plugin is a dynamic library with this type and one exported function, which returns its table:
///
/// ```swift
/// private let table = TransportTable(MyTransport.self) { openTransport(MyTransport.self, $0, $1, $2, $3) }
///
/// @c(pabal_transport_entry)
/// public func entry(_ hostABI: UInt32) -> UnsafeRawPointer? { table.pointer(forHost: hostABI) }
/// ```
public protocol PluginTransport: Sendable {
  /// The transport's name, `[a-z][a-z0-9-]*`, as in `libpabal-NAME.so`.
  static var name: String { get }
  /// The plugin's version; any text.
  static var version: String { get }
  /// One sentence about the transport, for the operator.
  static var summary: String { get }
  /// Its settings in `config.json`; the host checks all values before `init`.
  static var settings: [Setting] { get }
  /// Whether `check` is implemented.
  static var canCheck: Bool { get }
  /// How many mails the server accepts from one account in how many seconds; `nil`: no limit.
  static var pace: (sends: UInt32, seconds: UInt32)? { get }
  /// The keys of the settings that have the only address that mail is sent as; the first that is given counts. Empty: any
  /// sender.
  static var senderSettings: [String] { get }

  /// Opens the transport; called once. Don't keep secret settings longer than needed.
  init(_ settings: Settings, host: Host) throws(TransportOpenError)

  /// How many threads may call `send` at once, 1 to 256; read once, after `init`.
  var parallel: Int { get }

  /// Makes one attempt and blocks until it has ended.
  func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict

  /// Connects and logs in without sending; returns `.ready`, or the verdict that a mail would get now.
  func check(_ attempt: Attempt) -> Verdict

  /// Releases everything; no other call is running.
  func close()
}

extension PluginTransport {
  /// `false`: the transport has no server to check.
  public static var canCheck: Bool { false }
  /// `nil`: the server has no known limit.
  public static var pace: (sends: UInt32, seconds: UInt32)? { nil }
  /// Empty: the transport sends as any sender.
  public static var senderSettings: [String] { [] }
  /// Returns `.ready`.
  public func check(_ attempt: Attempt) -> Verdict { .ready }
  /// Does nothing.
  public func close() {}
}

/// Why a transport couldn't be opened, and what to do, in one sentence.
public struct TransportOpenError: Error, Sendable {
  let reason: String

  /// An error with a reason such as `"port": not a number; correct it`.
  public init(_ reason: String) { self.reason = reason }
}

/// An envelope and the finished RFC 5322 bytes, valid until `send` returns.
public struct PluginMail {
  let mail: UnsafePointer<pabal_mail>

  /// Pabal's id of the mail, `[A-Za-z0-9-]+`, safe in a file name.
  public var id: String { String(cString: mail.pointee.id) }
  /// The Message-ID header with `<` and `>`; empty if there is none.
  public var messageID: String { String(cString: mail.pointee.message_id) }
  /// The reverse path without `<>`; empty if it is null.
  public var sender: String { String(cString: mail.pointee.sender) }
  /// The number of recipients, at least one.
  public var recipientCount: Int { mail.pointee.recipient_count }
  /// The recipients, without `<>`.
  public var recipients: [String] {
    (0..<recipientCount).map { index in mail.pointee.recipients[index].map { String(cString: $0) } ?? "" }
  }
  /// The mail; every line ends with CRLF.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: mail.pointee.octets, count: mail.pointee.octet_count)
  }
  /// Whether an address or a header isn't ASCII (RFC 6531).
  public var needsSMTPUTF8: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_SMTPUTF8) != 0 }
  /// Whether a byte is above 127 (RFC 6152).
  public var needs8BitMIME: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_8BITMIME) != 0 }
}
