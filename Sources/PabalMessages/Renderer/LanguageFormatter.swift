internal import PabalFormats

/// Formats durations and times in a language. Languages that aren't listed get SI symbols and numeric dates.
enum LanguageFormatter: Sendable, Hashable {
  case korean
  case english
  case japanese
  case chinese(isTraditional: Bool)
  case international

  /// Selects the formatter for a BCP 47 language tag.
  init(_ tag: String) {
    let subtags = tag.lowercased().split(separator: "-")
    switch subtags.first {
    case "ko": self = .korean
    case "en": self = .english
    case "ja": self = .japanese
    case "zh":
      self = .chinese(isTraditional: subtags.contains { ["hant", "tw", "hk", "mo"].contains($0) })
    default: self = .international
    }
  }

  /// Formats a duration (`10분`, `1분 30초`, `1시간 30분`, `10 minutes`) with at most two units, rounded down.
  func duration(seconds: Int64) -> String {
    let (day, hour, minute): (Int64, Int64, Int64) = (86_400, 3600, 60)
    switch seconds {
    case ..<minute: return count(seconds, .second)
    case ..<hour: return joined(seconds / minute, .minute, seconds % minute, .second)
    // One day reads better in hours; from two days on, days are easier to read.
    case ..<(2 * day): return joined(seconds / hour, .hour, seconds % hour / minute, .minute)
    default: return joined(seconds / day, .day, seconds % day / hour, .hour)
    }
  }

  /// Formats a time (`오후 3:24 KST`, `3:24 PM KST`), preceded by the date if `showsDate`.
  func time(secondsSince1970: Int64, offset: Int, showsDate: Bool) -> String {
    let moment = CivilDateTime(secondsSince1970: secondsSince1970, offset: offset)
    let time = clock(moment) + " " + zone(offset)
    return showsDate ? date(moment) + (self == .english ? ", " : " ") + time : time
  }

  private enum Unit: Int {
    case second
    case minute
    case hour
    case day
  }

  private func joined(_ large: Int64, _ largeUnit: Unit, _ small: Int64, _ smallUnit: Unit) -> String {
    guard small > 0 else { return count(large, largeUnit) }
    switch self {
    case .japanese, .chinese: return count(large, largeUnit) + count(small, smallUnit)
    case .korean, .english, .international: return count(large, largeUnit) + " " + count(small, smallUnit)
    }
  }

  private func count(_ number: Int64, _ unit: Unit) -> String {
    switch self {
    case .korean: "\(number)" + ["초", "분", "시간", "일"][unit.rawValue]
    case .english:
      "\(number) " + ["second", "minute", "hour", "day"][unit.rawValue] + (number == 1 ? "" : "s")
    case .japanese: "\(number)" + ["秒", "分", "時間", "日"][unit.rawValue]
    case .chinese(isTraditional: true): "\(number)" + ["秒", "分鐘", "小時", "天"][unit.rawValue]
    case .chinese(isTraditional: false): "\(number)" + ["秒", "分钟", "小时", "天"][unit.rawValue]
    // SI symbols are the same in all languages.
    case .international: "\(number) " + ["s", "min", "h", "d"][unit.rawValue]
    }
  }

  private func clock(_ moment: CivilDateTime) -> String {
    let minute = (moment.minute < 10 ? "0" : "") + "\(moment.minute)"
    let twelve = moment.hour % 12 == 0 ? 12 : moment.hour % 12
    switch self {
    case .korean: return (moment.hour < 12 ? "오전 " : "오후 ") + "\(twelve):" + minute
    case .english: return "\(twelve):" + minute + (moment.hour < 12 ? " AM" : " PM")
    case .japanese, .chinese, .international:
      return (moment.hour < 10 ? "0" : "") + "\(moment.hour):" + minute
    }
  }

  private func date(_ moment: CivilDateTime) -> String {
    let (year, month, day) = (moment.year, moment.month, moment.day)
    switch self {
    case .korean: return "\(year)년 \(month)월 \(day)일"
    case .english: return LanguageFormatter.englishMonths[month - 1] + " \(day), \(year)"
    case .japanese, .chinese: return "\(year)年\(month)月\(day)日"
    case .international:
      let years = String(repeating: "0", count: max(0, 4 - "\(year)".utf8.count)) + "\(year)"
      return years + (month < 10 ? "-0" : "-") + "\(month)" + (day < 10 ? "-0" : "-") + "\(day)"
    }
  }

  private func zone(_ offset: Int) -> String {
    switch offset {
    case 0: return "UTC"
    case 32_400: return self == .japanese ? "JST" : "KST"
    default:
      let minutes = abs(offset) / 60
      let (hour, minute) = (minutes / 60, minutes % 60)
      return (offset < 0 ? "UTC-" : "UTC+") + "\(hour)"
        + (minute == 0 ? "" : (minute < 10 ? ":0" : ":") + "\(minute)")
    }
  }

  private static let englishMonths = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
  ]
}
