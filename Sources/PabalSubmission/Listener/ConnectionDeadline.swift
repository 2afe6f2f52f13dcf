package import NIOCore

/// How long a connection may take for each thing it waits for.
package struct ConnectionTimes: Sendable {
  /// For a client that hasn't proved who it is, between commands.
  package var stranger = TimeAmount.seconds(60)
  /// For such a client, until it has.
  package var strangerTotal = TimeAmount.seconds(300)
  /// For the next arrival of content, however fast the content before it came (RFC 5321, 4.5.3.2.5).
  package var content = TimeAmount.seconds(180)
  /// For the first content; each KiB then gives a second more.
  package var contentBase = TimeAmount.seconds(120)
  /// For a client that doesn't read its replies.
  package var writing = TimeAmount.seconds(60)
  /// For the client to close a connection whose last reply was sent.
  package var lingering = TimeAmount.seconds(2)

  /// The times of the service.
  package init() {}
}

extension TimeAmount {
  /// A duration of the configuration.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
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
