internal import Glibc

/// A thread pool for blocking calls, which must not block Swift's cooperative threads.
///
/// Threads start on demand, up to a maximum, and end with `stop`.
package final class WorkerThreads: Sendable {
  private let queue: WorkQueue
  private let count: Int

  /// Creates a pool of at most `count` threads.
  package init(count: Int) {
    self.queue = WorkQueue()
    self.count = count
  }

  /// Runs `work` on one of the threads.
  package func run<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
      queue.enqueue(threads: count) { continuation.resume(returning: work()) }
    }
  }

  /// Ends the threads once the queue is empty.
  package func stop() { queue.stop() }

  deinit { stop() }
}

/// Unchecked because a condition variable can't be used with `Synchronization.Mutex`; all mutable properties are
/// accessed with `mutex` locked.
private final class WorkQueue: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var pending: [@Sendable () -> Void] = []
  private var next = 0
  private var threads = 0
  private var idle = 0
  private var isStopped = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func enqueue(threads limit: Int, _ work: @escaping @Sendable () -> Void) {
    pthread_mutex_lock(mutex)
    guard !isStopped else {
      pthread_mutex_unlock(mutex)
      // Run it here because no thread is left to do so and the caller waits for its result.
      work()
      return
    }
    pending.append(work)
    let needsThread = idle < pending.count - next && threads < limit
    if needsThread { threads += 1 }
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
    if needsThread { start() }
  }

  func stop() {
    pthread_mutex_lock(mutex)
    isStopped = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  private func start() {
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<WorkQueue>.fromOpaque(argument).takeRetainedValue().work()
        return nil
      }, this)
    if status == 0 {
      pthread_detach(thread)
    } else {
      Unmanaged<WorkQueue>.fromOpaque(this).release()
      pthread_mutex_lock(mutex)
      threads -= 1
      let isLastThread = threads == 0
      pthread_mutex_unlock(mutex)
      // Without any thread the queued work would never run, so the caller runs it.
      if isLastThread { while let work = dequeue(wait: false) { work() } }
    }
  }

  private func work() {
    while let work = dequeue(wait: true) { work() }
  }

  private func dequeue(wait: Bool) -> (@Sendable () -> Void)? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while next == pending.count {
      pending.removeAll(keepingCapacity: true)
      next = 0
      if isStopped || !wait { return nil }
      idle += 1
      pthread_cond_wait(condition, mutex)
      idle -= 1
    }
    defer { next += 1 }
    return pending[next]
  }
}
