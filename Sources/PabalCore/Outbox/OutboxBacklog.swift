/// How much mail has not left yet.
public struct OutboxBacklog: Sendable, Hashable {
  /// The waiting mail of a lane.
  public struct Waiting: Sendable, Hashable {
    /// How many mails, whether they are due or not.
    public var count: Int
    /// When the oldest of them was added.
    public var oldest: Timestamp

    /// So many mails.
    public init(count: Int, oldest: Timestamp) {
      self.count = count
      self.oldest = oldest
    }
  }

  /// What waits; a lane without mail is missing.
  public var waiting: [Lane: Waiting]
  /// How many mails are being handed over.
  public var sending: Int

  /// How much mail has not left yet.
  public init(waiting: [Lane: Waiting] = [:], sending: Int = 0) {
    self.waiting = waiting
    self.sending = sending
  }
}
