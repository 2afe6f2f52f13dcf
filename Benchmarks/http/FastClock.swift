internal import PabalCore

/// A clock that runs so many times as fast as the wall's.
struct AcceleratedClock: Sendable {
  private let speed: Int
  private let epoch = Timestamp.now()

  init(speed: Int) { self.speed = speed }

  func now() -> Timestamp { epoch + (Timestamp.now() - epoch) * speed }

  func sleep(_ duration: Duration) async { try? await Task.sleep(for: duration / speed) }
}
