/// What a dispatcher reports about its work.
public enum DispatcherEvent: Sendable {
  /// An attempt ended. `status` is the status codes of the reply; `cause` is why it was unsuited, deferred, held or
  /// unknown (`FailureCause`).
  case attempted(
    id: String, transport: String, outcome: Outcome, status: String?, cause: String?, took: Duration)
  /// The pace of a transport has no send before `until`. The attempt waits for it, or, if `isReturned`, the mail
  /// returns to the queue.
  case paced(id: String, transport: String, until: Timestamp, isReturned: Bool)
  /// A mail was settled: it is in a final state, or waits again.
  case settled(OutboxEntry)
  /// `recipients` of a mail are on the suppression list. They got the mail unless `isWithheld`.
  case suppressed(id: String, lane: Lane, recipients: Int, isWithheld: Bool)
  /// A report to the sender of the mail `id` is in the outbox: that `recipients` of its recipients `failed`, are
  /// `delayed`, or were `relayed` (RFC 3464).
  case reported(id: String, report: String, action: String, recipients: Int)
  /// A transport gets no mail until its account or configuration is fixed; `cause` is why (`FailureCause`).
  case held(transport: String, cause: String?)
  /// A transport gets no mail before `until`, because attempts failed or its server asked for a delay; `cause` is why
  /// (`FailureCause`).
  case paused(transport: String, until: Timestamp, cause: String?)
  /// A transport that was held or paused has made an attempt that shows that it works.
  case restored(transport: String)
  /// `count` mails that waited because of a transport's answer became due, because the route has changed or a paused
  /// transport is tried again.
  case expedited(count: Int)
  /// The route with which a mail was stored isn't configured any more, so the mail takes the standard route. Reported for
  /// the first mail of each such route.
  case routeMissing(id: String, route: String)
  /// Codes have been waiting longer than `DispatcherOptions.codeAlertDelay`, the oldest since `since`.
  case codesDelayed(since: Timestamp)
  /// Another process claimed a mail while it was in flight here, so it may arrive twice.
  case lost(id: String)
  /// A mail can't be unsealed with the keys of this process. It waits for the right key.
  case unreadable(id: String)
  /// Attempts on a mail were made, but their outcome could not be stored, so it may arrive twice.
  case unsettled(id: String, StorageError)
  /// The store refused a call, which will be repeated.
  case storage(StorageError)
}
