internal import FileTransport
internal import PabalPlugin

@c(pabal_transport_entry)
public func entry(_ hostABI: UInt32) -> UnsafeRawPointer? { nil }
