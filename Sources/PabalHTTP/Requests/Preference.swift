internal import HTTPTypes

/// What `Prefer` asks for (RFC 7240): how long to wait for the first attempt.
struct PreferHeader: Sendable, Hashable {
  /// The longest that a request waits.
  static let maxWait = 30
  /// Seconds, from 0 to `maxWait`; `nil`: not at all.
  let wait: Int?

  init(wait: Int) { self.wait = wait }

  init(_ headers: HTTPFields) {
    let preferences = headers[values: .prefer].flatMap { $0.split(separator: ",") }
    wait =
      preferences.lazy.compactMap { preference -> Int? in
        let parts = preference.split(separator: ";").first?.split(separator: "=") ?? []
        guard parts.count == 2, String(parts[0]).trimmed.lowercased() == "wait" else { return nil }
        var seconds = String(parts[1]).trimmed[...]
        // RFC 7240, 2: a word may stand between quotes.
        if seconds.count > 2, seconds.first == "\"", seconds.last == "\"" {
          seconds = seconds.dropFirst().dropLast()
        }
        return Int(seconds).flatMap { $0 >= 0 ? min($0, PreferHeader.maxWait) : nil }
      }.first
  }
}
