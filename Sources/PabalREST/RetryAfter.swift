internal import PabalFormats

/// The value of a Retry-After field (RFC 9110, 10.2.3).
package enum RetryAfter: Sendable, Hashable {
  /// A number of seconds, at most `RetryTime.maxWait`.
  case seconds(Int)
  /// A point in time, in seconds since 1970.
  case date(Int)

  /// Parses a number or an HTTP date; 0 seconds for anything else.
  init(_ value: ArraySlice<UInt8>) {
    if !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) {
      let number = value.count > 15 ? nil : Int(String(decoding: value, as: UTF8.self))
      self = .seconds(min(number ?? RetryTime.maxWait, RetryTime.maxWait))
    } else {
      self = RetryAfter.date(String(decoding: value, as: UTF8.self)).map { .date($0) } ?? .seconds(0)
    }
  }

  /// The seconds from `now` (seconds since 1970), at most `RetryTime.maxWait`; 0 for a past time.
  package func wait(from now: Int) -> Int {
    switch self {
    case .seconds(let seconds): seconds
    case .date(let date): min(max(0, date - now), RetryTime.maxWait)
    }
  }

  /// Returns the seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that servers send.
  private static func date(_ text: String) -> Int? {
    let words = text.split(separator: " ")
    guard words.count == 6, words[0].hasSuffix(","), words[5] == "GMT",
      let day = number(words[1], 1...31), let month = months.firstIndex(of: String(words[2])),
      let year = number(words[3], 1970...9999)
    else { return nil }
    let time = words[4].split(separator: ":", omittingEmptySubsequences: false)
    guard time.count == 3, let hour = number(time[0], 0...23), let minute = number(time[1], 0...59),
      let second = number(time[2], 0...60)
    else { return nil }
    return Int(
      CivilDateTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
        .secondsSince1970)
  }

  private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), range.contains(number)
    else { return nil }
    return number
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]
}
