internal import Glibc

/// What makes one mail different from every other: its time and its random names.
public struct MailStamp: Sendable, Hashable {
  /// Pabal's own id of the mail: 26 characters of Crockford's base32, in the order of their times.
  public let id: String
  /// The Date header's value.
  let date: String
  /// What stands before the `@` of the Message-ID; says nothing about `id`.
  let token: String
  /// What separates the parts of a multipart mail.
  let boundary: String

  /// A stamp of a time, in milliseconds since 1970 and with the zone's minutes east of UTC (-1439 to 1439),
  /// and of 40 random octets, which must be unpredictable where others see the mail.
  public init(milliseconds: Int64, zone minutes: Int, random: some Sequence<UInt8>) {
    var random = random.makeIterator()
    var time = [UInt8]()
    for shift in stride(from: 40, through: 0, by: -8) {
      time.append(UInt8(truncatingIfNeeded: milliseconds >> Int64(shift)))
    }
    func take(_ count: Int) -> [UInt8] { (0..<count).map { _ in random.next() ?? 0 } }
    // 48 bits of time are ten characters, 80 random ones sixteen: a ULID.
    id = MailStamp.base32(time, characters: 10) + MailStamp.base32(take(10), characters: 16)
    token = MailStamp.base32(take(15), characters: 24)
    // Neither quoted-printable nor base64 can hold =_ (RFC 2045, 6.7).
    boundary = "=_" + MailStamp.base32(take(15), characters: 24)
    date = MailStamp.date(milliseconds: milliseconds, zone: minutes)
  }

  /// A stamp of the present moment in the local zone, with randomness from the kernel.
  public static func now() -> MailStamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var seconds = time.tv_sec
    var parts = tm()
    localtime_r(&seconds, &parts)
    // One call for all of it, where SystemRandomNumberGenerator makes one for each eight octets; up to 256
    // octets it gives all or nothing.
    var random = [UInt8](repeating: 0, count: 40)
    let status = getentropy(&random, random.count)
    precondition(status == 0, "the kernel gives no random numbers")
    return MailStamp(
      milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000,
      zone: parts.tm_gmtoff / 60, random: random)
  }

  private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  /// The octets as one big number, with leading zeros.
  private static func base32(_ octets: [UInt8], characters: Int) -> String {
    var text = [UInt8](repeating: 0, count: characters)
    var bits = 0
    var pending = 0
    var source = octets.endIndex
    for i in text.indices.reversed() {
      if bits < 5, source > octets.startIndex {
        source -= 1
        pending |= Int(octets[source]) << bits
        bits += 8
      }
      text[i] = digits[pending & 31]
      pending >>= 5
      bits -= 5
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// RFC 5322, 3.3, in the given zone.
  private static func date(milliseconds: Int64, zone minutes: Int) -> String {
    let seconds = Int(milliseconds.floorDivided(by: 1_000)) + minutes * 60
    let days = seconds.floorDivided(by: 86_400)
    let time = seconds - days * 86_400
    // Howard Hinnant, “chrono-Compatible Low-Level Date Algorithms”: years begin in March, eras have 400.
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let march = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * march + 2) / 5 + 1
    let month = march < 10 ? march + 2 : march - 10
    let year = yearOfEra + era * 400 + (month < 2 ? 1 : 0)
    let weekday = (days + 4) - (days + 4).floorDivided(by: 7) * 7

    var text = [UInt8]()
    text.reserveCapacity(32)
    func append(_ number: Int, digits: Int) {
      var power = 1
      for _ in 1..<digits { power *= 10 }
      while power > 0 {
        text.append(UInt8(0x30 + number / power % 10))
        power /= 10
      }
    }
    text.append(contentsOf: weekdays[weekday].utf8)
    text.append(contentsOf: ", ".utf8)
    append(day, digits: 2)
    text.append(contentsOf: months[month].utf8)
    append(year, digits: 4)
    text.append(UInt8(ascii: " "))
    append(time / 3_600, digits: 2)
    text.append(UInt8(ascii: ":"))
    append(time / 60 % 60, digits: 2)
    text.append(UInt8(ascii: ":"))
    append(time % 60, digits: 2)
    text.append(UInt8(ascii: " "))
    text.append(UInt8(ascii: minutes < 0 ? "-" : "+"))
    append(abs(minutes) / 60, digits: 2)
    append(abs(minutes) % 60, digits: 2)
    return String(decoding: text, as: UTF8.self)
  }

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    " Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ",
    " Dec ",
  ]
}

extension BinaryInteger {
  fileprivate func floorDivided(by divisor: Self) -> Self {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
