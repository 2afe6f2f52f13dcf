internal import GraphTransport
internal import PabalPlugin

private let table = TransportTable(GraphTransport.self) { openTransport(GraphTransport.self, $0, $1, $2, $3) }

/// The plugin's exported symbol; see `pabal_transport.h`.
@c(pabal_transport_entry)
public func entry(_ hostABI: UInt32) -> UnsafeRawPointer? { table.pointer(forHost: hostABI) }
