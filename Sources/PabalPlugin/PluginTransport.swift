internal import CPabalTransport

/// A transport written in Swift: one opened instance, as `pabal_transport.h` describes its life.
///
/// The `.so` is this type, linked into a dynamic library whose one exported function returns its table:
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
  /// The version, for people.
  static var version: String { get }
  /// What the transport does, in one sentence for people.
  static var summary: String { get }
  /// What `config.json` may say of it; the host checks every value before `init`.
  static var settings: [Setting] { get }
  /// Whether `check` can reach anything.
  static var canCheck: Bool { get }

  /// Opens the transport; runs once. Secrets among the settings are kept no longer than needed.
  init(_ settings: Settings, host: Host) throws(TransportOpenError)

  /// How many threads may call `send` at once, 1 to 256; asked once, after `init`.
  var parallel: Int { get }

  /// Makes one attempt and blocks until it has ended.
  func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict

  /// Reaches the far side and logs in, sends nothing: `.ready`, or what a mail would get now.
  func check(_ attempt: Attempt) -> Verdict

  /// Gives everything back; no call is under way any more.
  func close()
}

extension PluginTransport {
  /// There is nothing to reach.
  public static var canCheck: Bool { false }
  /// There is nothing to reach.
  public func check(_ attempt: Attempt) -> Verdict { .ready }
  /// There is nothing to give back.
  public func close() {}
}

/// Why a transport could not be opened: what, why, what to do, in one sentence for a person.
public struct TransportOpenError: Error, Sendable {
  let reason: String

  /// Why a transport could not be opened.
  public init(_ reason: String) { self.reason = reason }
}

/// An envelope and finished RFC 5322 bytes, lent for one call of `send`.
public struct PluginMail {
  let mail: UnsafePointer<pabal_mail>

  /// Pabal's own id of the mail, `[A-Za-z0-9-]+`, safe in a file name.
  public var id: String { String(cString: mail.pointee.id) }
  /// The Message-ID header with `<` and `>`, or empty.
  public var messageID: String { String(cString: mail.pointee.message_id) }
  /// The reverse path without `<>`; empty is the null one.
  public var sender: String { String(cString: mail.pointee.sender) }
  /// How many recipients there are; at least one.
  public var recipientCount: Int { mail.pointee.recipient_count }
  /// The recipients, without `<>`.
  public var recipients: [String] {
    (0..<recipientCount).map { index in mail.pointee.recipients[index].map { String(cString: $0) } ?? "" }
  }
  /// The finished bytes; every line ends with CRLF.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: mail.pointee.octets, count: mail.pointee.octet_count)
  }
  /// Whether an address or a header holds non-ASCII (RFC 6531).
  public var needsSMTPUTF8: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_SMTPUTF8) != 0 }
  /// Whether an byte is above 127 (RFC 6152).
  public var needs8BitMIME: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_8BITMIME) != 0 }
}
