internal import GmailTransport
internal import PabalPlugin

private let table = TransportTable(GmailTransport.self) { openTransport(GmailTransport.self, $0, $1, $2, $3) }

/// The plugin's one exported symbol, as `pabal_transport.h` wants it.
@c(pabal_transport_entry)
public func entry(_ hostABI: UInt32) -> UnsafeRawPointer? { table.pointer(forHost: hostABI) }
