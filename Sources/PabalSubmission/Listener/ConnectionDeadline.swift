package import NIOCore

/// How long a connection may take for each thing it waits for.
package struct ConnectionTimes: Sendable {
  /// For a client that hasn't proved who it is, between commands.
  package var stranger = TimeAmount.seconds(60)
  /// For such a client, until it has.
  package var strangerTotal = TimeAmount.seconds(300)
  /// Between two arrivals of content (RFC 5321, 4.5.3.2.5).
  package var content = TimeAmount.seconds(180)
  /// For content of any size; a KiB more takes a second more.
  package var contentBase = TimeAmount.seconds(120)
  /// For a client that doesn't read its replies.
  package var writing = TimeAmount.seconds(60)
  /// For the client to close a connection whose last reply was sent.
  package var lingering = TimeAmount.seconds(2)

  /// The times of the service.
  package init() {}

  /// For content of which so many bytes have arrived.
  func total(_ bytes: Int) -> TimeAmount { contentBase + .seconds(Int64(bytes / 1_024)) }
}

/// A timer of a connection whose deadline moves often and is reached rarely.
struct ConnectionDeadline {
  private var deadline: NIODeadline?
  private var scheduled: Scheduled<Void>?
  private var due: NIODeadline?

  /// Sets the deadline; `nil` for none. `expired` is called on the event loop, which asks `isExpired` again.
  mutating func set(_ new: NIODeadline?, on loop: any EventLoop, _ expired: @escaping @Sendable () -> Void) {
    deadline = new
    guard let new else { return }
    // A timer that fires too early is set again, which is cheaper than replacing it at each read.
    if let due, due <= new { return }
    scheduled?.cancel()
    due = new
    scheduled = loop.scheduleTask(deadline: new, expired)
  }

  /// Records that the timer has fired; returns whether the deadline has passed, and else sets the timer again.
  mutating func fired(at now: NIODeadline, on loop: any EventLoop, _ expired: @escaping @Sendable () -> Void)
    -> Bool
  {
    scheduled = nil
    due = nil
    guard let deadline else { return false }
    if deadline <= now { return true }
    set(deadline, on: loop, expired)
    return false
  }

  /// Stops the timer.
  mutating func cancel() {
    scheduled?.cancel()
    scheduled = nil
    due = nil
    deadline = nil
  }
}
