/// What a dispatcher tells of its work.
public enum DispatcherEvent: Sendable {
  /// An attempt ended; `status` is the digits of the reply.
  case attempted(id: String, transport: String, outcome: Outcome, status: String?, took: Duration)
  /// The sends that a transport's pace leaves are spent until that moment; an attempt waits for it, or, where `isReturned`,
  /// is left to whoever empties the outbox then.
  case paced(id: String, transport: String, until: Timestamp, isReturned: Bool)
  /// A mail was settled: it is in a final state, or waits again.
  case settled(OutboxEntry)
  /// No mail leaves through a transport until somebody mends its account or set-up; the cause is the far
  /// side's text and may hold addresses.
  case held(transport: String, cause: String?)
  /// A transport that was held works again.
  case restored(transport: String)
  /// So many mails that waited because of what a transport said are due at once: the route is another one, or a
  /// transport that was left alone is tried again.
  case expedited(count: Int)
  /// Codes wait for longer than is usual, the oldest since that moment.
  case codesDelayed(since: Timestamp)
  /// Another process took a mail over while it was under way here: it may arrive twice.
  case lost(id: String)
  /// A mail can't be unsealed with the keys at hand; it waits for the right key.
  case unreadable(id: String)
  /// Attempts on a mail were made, and how they ended can't be taken down: it may arrive twice.
  case unsettled(id: String, StorageError)
  /// The store refuses; what was to be done is tried again.
  case storage(StorageError)
}
