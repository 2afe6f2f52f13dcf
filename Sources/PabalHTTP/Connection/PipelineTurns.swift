internal import NIOCore
internal import Synchronization

/// The turns of pipelined requests, for each event loop.
final class PipelineTurns: Sendable {
  private let queues = Mutex<[ObjectIdentifier: NIOLoopBound<PipelineQueue>]>([:])

  /// Returns the queue of the event loop that this is called on.
  func queue(on loop: any EventLoop) -> PipelineQueue {
    queues.withLock { queues in
      let key = ObjectIdentifier(loop)
      let queue = queues[key] ?? NIOLoopBound(PipelineQueue(loop), eventLoop: loop)
      queues[key] = queue
      return queue
    }.value
  }
}

/// The pipelined requests of one event loop that wait for their turn.
///
/// Clients that don't wait for their responses share one turn, which pauses after each request for as long as the request
/// took. So they take at most half of the event loop, and new connections and clients that do wait come first. Otherwise
/// each step of another client's request would wait for a step of each of a thousand pipelined ones.
final class PipelineQueue {
  private enum State {
    case idle
    case working(PipelinedRequestsHandler, since: NIODeadline)
    case pausing
  }

  /// How long one of them keeps others waiting. One that takes longer is itself waiting, for a commit or the rest of its
  /// body.
  static let patience = TimeAmount.milliseconds(5)

  private let loop: any EventLoop
  private var state = State.idle
  private var waiting = CircularBuffer<PipelinedRequestsHandler>()
  private var timer: Scheduled<Void>?

  init(_ loop: any EventLoop) { self.loop = loop }

  /// Begins the turn of the handler and returns true, as it does if the handler has it; or calls its `turnBegan` later.
  func take(_ handler: PipelinedRequestsHandler) -> Bool {
    switch state {
    case .idle:
      state = .working(handler, since: loop.now)
      return true
    case .working(let current, let since):
      guard current !== handler else { return true }
      if timer == nil { schedule(since + PipelineQueue.patience) }
    case .pausing: break
    }
    waiting.append(handler)
    return false
  }

  /// Ends the turn of the handler, if it has it, or stops its waiting.
  func end(_ handler: PipelinedRequestsHandler) {
    if case .working(let current, let since) = state, current === handler {
      pause(for: loop.now - since)
    } else if handler.isWaitingForTurn {
      waiting.removeAll { $0 === handler }
    }
  }

  private func pause(for time: TimeAmount) {
    timer?.cancel()
    timer = nil
    guard !waiting.isEmpty else { return state = .idle }
    state = .pausing
    schedule(loop.now + min(time, PipelineQueue.patience))
  }

  private func schedule(_ deadline: NIODeadline) {
    let bound = NIOLoopBound(self, eventLoop: loop)
    timer = loop.scheduleTask(deadline: deadline) {
      let queue = bound.value
      queue.timer = nil
      switch queue.state {
      case .idle: break
      case .working: queue.pause(for: PipelineQueue.patience)
      case .pausing: queue.begin()
      }
    }
  }

  private func begin() {
    guard let next = waiting.popFirst() else { return state = .idle }
    let now = loop.now
    state = .working(next, since: now)
    if !waiting.isEmpty { schedule(now + PipelineQueue.patience) }
    next.turnBegan()
  }
}
