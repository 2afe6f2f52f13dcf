/// One way to hand a mail over.
public protocol Transport: Sendable {
  /// Makes one attempt to hand `mail` over, to every recipient of its envelope.
  func send(_ mail: Mail) async -> Receipt

  /// The same, unless `isExpired` says so at the moment the attempt would begin, however long it had to wait
  /// for its turn before; `nil`: nothing was begun.
  func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt?
}

extension Transport {
  /// For a transport where no attempt waits for its turn.
  public func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
    isExpired() ? nil : await send(mail)
  }
}
