internal import Synchronization

/// Metrics as Prometheus reads them: its text format 0.0.4.
public struct MetricsText: Sendable {
  /// The labels of a value, in their order.
  public typealias Labels = [(name: String, value: String)]

  /// The content type of the text.
  static let type = "text/plain; version=0.0.4; charset=utf-8"

  /// What was added so far.
  public private(set) var text = ""

  /// Nothing yet.
  public init() {}

  /// Adds what only ever grows; `name` ends with `_total`.
  public mutating func counter(_ name: String, _ help: String, _ values: [(Labels, Double)]) {
    writeHeader(name, "counter", help)
    for (labels, value) in values { add(name, labels, value) }
  }

  /// Adds what is as it is now.
  public mutating func gauge(_ name: String, _ help: String, _ values: [(Labels, Double)]) {
    writeHeader(name, "gauge", help)
    for (labels, value) in values { add(name, labels, value) }
  }

  /// Adds what a counter counted.
  public mutating func counter<Key>(
    _ name: String, _ help: String, _ counter: LabelledCounter<Key>, zero: [Key] = [],
    labels: (Key) -> Labels
  ) {
    // Whoever computes a rate needs to have seen the zero before the first one.
    let counts = counter.counts.merging(zero.map { ($0, 0) }) { counted, _ in counted }
    self.counter(name, help, sorted(counts.map { (labels($0), Double($1)) }))
  }

  /// Adds what a histogram took down, in seconds.
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
