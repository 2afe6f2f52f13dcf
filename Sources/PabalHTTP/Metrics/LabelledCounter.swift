internal import Synchronization

/// Counts what happened, by the values of a metric's labels; an increment takes some tens of nanoseconds.
public final class LabelledCounter<Labels: Hashable & Sendable>: Sendable {
  private let storage = Mutex<[Labels: Int]>([:])

  /// Nothing happened yet.
  public init() {}

  /// It happened once more with these labels.
  public func add(_ labels: Labels) { storage.withLock { $0[labels, default: 0] += 1 } }

  /// How often it happened.
  public var counts: [Labels: Int] { storage.withLock { $0 } }
}

/// Takes down how long something took, by the values of a metric's labels.
public final class LabelledHistogram<Labels: Hashable & Sendable>: Sendable {
  /// What was taken down for one set of labels.
  public struct Observations: Sendable {
    /// How many fell below or on each bound and above the one before; the last number is of those above all.
    public fileprivate(set) var counts: [Int]
    /// The sum of all, in seconds.
    public fileprivate(set) var sum: Double
  }

  /// The upper bounds of the buckets in seconds, rising.
  public let bounds: [Double]
  private let storage = Mutex<[Labels: Observations]>([:])

  /// Nothing was taken down yet; `bounds` rise.
  public init(bounds: [Double]) { self.bounds = bounds }

  /// It took so long.
  public func add(_ labels: Labels, _ took: Duration) {
    let (whole, attoseconds) = took.components
    let seconds = Double(whole) + Double(attoseconds) / 1e18
    var bucket = 0
    while bucket < bounds.count, seconds > bounds[bucket] { bucket += 1 }
    storage.withLock { storage in
      storage[labels, default: Observations(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0)]
        .add(seconds, bucket)
    }
  }

  /// What was taken down.
  public var observations: [Labels: Observations] { storage.withLock { $0 } }
}

extension LabelledHistogram.Observations {
  fileprivate mutating func add(_ seconds: Double, _ bucket: Int) {
    counts[bucket] += 1
    sum += seconds
  }
}

/// Keeps a label that comes from outside to so many values; all others are one.
public final class LabelLimiter: Sendable {
  /// What the others are called.
  public static let other = "other"

  private let limit: Int
  private let known = Mutex<Set<String>>([])

  /// The first `limit` values keep their names.
  public init(_ limit: Int = 32) { self.limit = limit }

  /// The value, or `other`.
  public func value(_ text: String) -> String {
    known.withLock { known in
      if known.contains(text) { return text }
      guard known.count < limit else { return LabelLimiter.other }
      known.insert(text)
      return text
    }
  }
}
