/// How long many things took, in a few kilobytes however many they are; exact to a sixteenth.
struct LatencyHistogram: Sendable {
  private var counts = [Int](repeating: 0, count: 64 * 16)
  private(set) var total = 0

  /// Counts one duration.
  mutating func record(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = UInt64(clamping: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    counts[Self.bucket(nanoseconds)] += 1
    total += 1
  }

  /// Adds what another thread has counted.
  mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
  }

  /// The duration that `share` of all stay below, in milliseconds; `nil` of none.
  func milliseconds(at share: Double) -> Double? {
    guard total > 0 else { return nil }
    var left = max(1, Int((Double(total) * share).rounded(.up)))
    for (bucket, count) in counts.enumerated() {
      left -= count
      if left <= 0 { return Double(Self.middle(bucket)) / 1e6 }
    }
    return nil
  }

  private static func bucket(_ value: UInt64) -> Int {
    guard value >= 16 else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return (exponent - 3) * 16 + Int((value >> UInt64(exponent - 4)) & 15)
  }

  private static func middle(_ bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    let exponent = UInt64(bucket / 16 + 3)
    let low = (UInt64(16 + bucket % 16)) << (exponent - 4)
    return low + (1 << (exponent - 4)) / 2
  }
}
