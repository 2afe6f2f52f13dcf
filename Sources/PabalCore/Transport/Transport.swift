/// One way to deliver mail.
public protocol Transport: Sendable {
  /// Makes one attempt to deliver `mail` to all recipients of its envelope.
  func send(_ mail: Mail) async -> Receipt

  /// Makes one attempt unless `isExpired` returns true when the attempt is about to start, after any waiting for a
  /// free thread. Returns `nil` if no attempt was started.
  func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt?
}

extension Transport {
  /// Checks `isExpired` immediately, for transports whose attempts start without waiting.
  public func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
    isExpired() ? nil : await send(mail)
  }
}
