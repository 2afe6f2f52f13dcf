internal import Synchronization

/// Metrics in the Prometheus text format 0.0.4.
public struct MetricsText: Sendable {
  /// The labels of a value, in order.
  public typealias Labels = [(name: String, value: String)]

  /// The content type of the text.
  static let type = "text/plain; version=0.0.4; charset=utf-8"

  /// The text so far.
  public private(set) var text = ""

  /// Creates an empty text.
  public init() {}

  /// Adds a counter; `name` ends with `_total`.
  public mutating func counter(_ name: String, _ help: String, _ values: [(Labels, Double)]) {
    writeHeader(name, "counter", help)
    for (labels, value) in values { add(name, labels, value) }
  }

  /// Adds a gauge.
  public mutating func gauge(_ name: String, _ help: String, _ values: [(Labels, Double)]) {
    writeHeader(name, "gauge", help)
    for (labels, value) in values { add(name, labels, value) }
  }

  /// Adds a counter; the keys in `zero` are present even if they have not been counted.
  public mutating func counter<Key>(
    _ name: String, _ help: String, _ counter: LabelledCounter<Key>, zero: [Key] = [],
    labels: (Key) -> Labels
  ) {
    // Prometheus can only compute the increase from 0 to 1 if it has scraped the 0.
    let counts = counter.counts.merging(zero.map { ($0, 0) }) { counted, _ in counted }
    self.counter(name, help, sorted(counts.map { (labels($0), Double($1)) }))
  }

  /// Adds a histogram, in seconds.
  public mutating func histogram<Key>(
    _ name: String, _ help: String, _ histogram: LabelledHistogram<Key>, labels: (Key) -> Labels
  ) {
    writeHeader(name, "histogram", help)
    for (labels, observations) in sorted(histogram.observations.map { (labels($0), $1) }) {
      var count = 0
      for (index, bound) in histogram.bounds.enumerated() {
        count += observations.counts[index]
        add("\(name)_bucket", labels + [("le", number(bound))], Double(count))
      }
      count += observations.counts.last ?? 0
      add("\(name)_bucket", labels + [("le", "+Inf")], Double(count))
      add("\(name)_sum", labels, observations.sum)
      add("\(name)_count", labels, Double(count))
    }
  }

  private mutating func writeHeader(_ name: String, _ kind: String, _ help: String) {
    text += "# HELP \(name) \(escaped(help))\n# TYPE \(name) \(kind)\n"
  }

  private mutating func add(_ name: String, _ labels: Labels, _ value: Double) {
    let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
    text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(number(value))\n"
  }

  private func sorted<Value>(_ values: [(Labels, Value)]) -> [(Labels, Value)] {
    values.sorted { a, b in a.0.map(\.value).lexicographicallyPrecedes(b.0.map(\.value)) }
  }

  private func number(_ value: Double) -> String {
    Int64(exactly: value).map { "\($0)" } ?? "\(value)"
  }

  private func escaped(_ text: String, quotes: Bool = false) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// A counter for each combination of a metric's label values. An increment takes some tens of nanoseconds.
public final class LabelledCounter<Labels: Hashable & Sendable>: Sendable {
  private let storage = Mutex<[Labels: Int]>([:])

  /// Creates an empty counter.
  public init() {}

  /// Adds one to the counter of these labels.
  public func add(_ labels: Labels) { storage.withLock { $0[labels, default: 0] += 1 } }

  /// The counts by labels.
  public var counts: [Labels: Int] { storage.withLock { $0 } }
}

/// A histogram of durations for each combination of a metric's label values.
public final class LabelledHistogram<Labels: Hashable & Sendable>: Sendable {
  /// The observations for one combination of labels.
  public struct Observations: Sendable {
    /// The number of observations in each bucket: above the previous bound, up to and including its own. The last one
    /// counts those above all bounds.
    public fileprivate(set) var counts: [Int]
    /// The sum of all observations, in seconds.
    public fileprivate(set) var sum: Double
  }

  /// The upper bounds of the buckets in seconds, in ascending order.
  public let bounds: [Double]
  private let storage = Mutex<[Labels: Observations]>([:])

  /// Creates an empty histogram; `bounds` are in ascending order.
  public init(bounds: [Double]) { self.bounds = bounds }

  /// Records a duration.
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

  /// The observations by labels.
  public var observations: [Labels: Observations] { storage.withLock { $0 } }
}

extension LabelledHistogram.Observations {
  fileprivate mutating func add(_ seconds: Double, _ bucket: Int) {
    counts[bucket] += 1
    sum += seconds
  }
}

/// Limits the number of values of a label that callers choose, because each value is a time series of its own.
public final class LabelLimiter: Sendable {
  /// The value that replaces those beyond the limit.
  public static let other = "other"

  private let limit: Int
  private let known = Mutex<Set<String>>([])

  /// Creates a limiter that keeps the first `limit` distinct values.
  public init(_ limit: Int = 32) { self.limit = limit }

  /// Returns the value, or `other` if it is beyond the limit.
  public func value(_ text: String) -> String {
    known.withLock { known in
      if known.contains(text) { return text }
      guard known.count < limit else { return LabelLimiter.other }
      known.insert(text)
      return text
    }
  }
}
