/// One way to hand a mail over.
public protocol Transport: Sendable {
  /// Makes one attempt to hand `mail` over, to every recipient of its envelope.
  func send(_ mail: Mail) async -> Receipt
}
