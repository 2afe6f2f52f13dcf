public import CPabalTransport

/// The C table of a transport written in Swift; see `pabal_transport.h`.
public struct TransportTable: Sendable {
  /// The table's `open`: a C function, because only a non-capturing function can name the transport's type.
  public typealias Open =
    @convention(c) (
      UnsafePointer<pabal_host>?, OpaquePointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
      UnsafeMutablePointer<UInt32>?
    ) -> Int32

  // Written once here and then only read, as long as the process lives.
  private nonisolated(unsafe) let table: UnsafePointer<pabal_transport>

  /// The table of `transport`; keep it in a global of the plugin.
  public init<Transport: PluginTransport>(_ transport: Transport.Type, open: @escaping Open) {
    let settings = UnsafeMutablePointer<pabal_setting>.allocate(capacity: max(1, Transport.settings.count))
    for (index, setting) in Transport.settings.enumerated() {
      (settings + index).initialize(to: setting.declaration)
    }
    let table = UnsafeMutablePointer<pabal_transport>.allocate(capacity: 1)
    table.initialize(
      to: pabal_transport(
        abi: PABAL_TRANSPORT_ABI, size: UInt32(MemoryLayout<pabal_transport>.size),
        name: UnsafePointer(permanentCString(Transport.name)),
        version: UnsafePointer(permanentCString(Transport.version)),
        summary: UnsafePointer(permanentCString(Transport.summary)), settings: UnsafePointer(settings),
        setting_count: Transport.settings.count, open: open, send: sendMail, close: closeTransport,
        check: Transport.canCheck ? checkTransport : nil, pace_sends: Transport.pace?.sends ?? 0,
        pace_seconds: Transport.pace?.seconds ?? 0,
        sender_settings: Transport.senderSettings.isEmpty
          ? nil : UnsafePointer(permanentCString(Transport.senderSettings.joined(separator: " ")))))
    self.table = UnsafePointer(table)
  }

  /// The result of `pabal_transport_entry`: the table, or `nil` if the host is older than the plugin's ABI.
  public func pointer(forHost abi: UInt32) -> UnsafeRawPointer? {
    abi >= PABAL_TRANSPORT_ABI ? UnsafeRawPointer(table) : nil
  }
}

private final class TransportInstance {
  let transport: any PluginTransport
  let host: UnsafePointer<pabal_host>

  init(_ transport: any PluginTransport, host: UnsafePointer<pabal_host>) {
    self.transport = transport
    self.host = host
  }
}

/// Implements the table's `open` for one type.
public func openTransport<Transport: PluginTransport>(
  _ type: Transport.Type, _ host: UnsafePointer<pabal_host>?, _ opening: OpaquePointer?,
  _ transport: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ parallel: UnsafeMutablePointer<UInt32>?
) -> Int32 {
  guard let host, let opening, let transport, let parallel else { return 1 }
  do throws(TransportOpenError) {
    let instance = try Transport(Settings(host: host, opening: opening), host: Host(host: host))
    parallel.pointee = UInt32(clamping: instance.parallel)
    transport.pointee = Unmanaged.passRetained(TransportInstance(instance, host: host)).toOpaque()
    return 0
  } catch {
    var reason = error.reason
    reason.withUTF8 {
      host.pointee.fail(
        opening, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return 1
  }
}

private func sendMail(
  _ transport: UnsafeMutableRawPointer?, _ mail: UnsafePointer<pabal_mail>?, _ attempt: OpaquePointer?,
  _ verdict: UnsafeMutablePointer<pabal_verdict>?
) {
  guard let transport, let mail, let attempt, let verdict else { return }
  let instance = Unmanaged<TransportInstance>.fromOpaque(transport).takeUnretainedValue()
  let result = instance.transport.send(PluginMail(mail: mail), Attempt(host: instance.host, attempt: attempt))
  if result != .alreadySet { verdict.pointee = result.cValue }
}

private func checkTransport(
  _ transport: UnsafeMutableRawPointer?, _ attempt: OpaquePointer?,
  _ verdict: UnsafeMutablePointer<pabal_verdict>?
) {
  guard let transport, let attempt, let verdict else { return }
  let instance = Unmanaged<TransportInstance>.fromOpaque(transport).takeUnretainedValue()
  let result = instance.transport.check(Attempt(host: instance.host, attempt: attempt))
  if result != .alreadySet { verdict.pointee = result.cValue }
}

private func closeTransport(_ transport: UnsafeMutableRawPointer?) {
  guard let transport else { return }
  Unmanaged<TransportInstance>.fromOpaque(transport).takeRetainedValue().transport.close()
}
