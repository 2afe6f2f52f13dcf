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
