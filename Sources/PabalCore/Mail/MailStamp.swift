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
    var octets = [UInt8]()
    octets.reserveCapacity(46)
    for shift in stride(from: 40, through: 0, by: -8) {
      octets.append(UInt8(truncatingIfNeeded: milliseconds >> Int64(shift)))
    }
    octets.append(contentsOf: random.prefix(40))
    while octets.count < 46 { octets.append(0) }
    let source = octets.span
    // 48 bits of time are ten characters, 80 random ones sixteen: a ULID.
    id = String(unsafeUninitializedCapacity: 26) { text in
      MailStamp.base32(source.extracting(0..<6), to: text[..<10])
      MailStamp.base32(source.extracting(6..<16), to: text[10..<26])
      return 26
    }
    token = String(unsafeUninitializedCapacity: 24) { text in
      MailStamp.base32(source.extracting(16..<31), to: text[..<24])
      return 24
    }
    // Neither quoted-printable nor base64 can hold =_ (RFC 2045, 6.7).
    boundary = String(unsafeUninitializedCapacity: 26) { text in
      text[0] = UInt8(ascii: "=")
      text[1] = UInt8(ascii: "_")
      MailStamp.base32(source.extracting(31..<46), to: text[2..<26])
      return 26
    }
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

  // A static string lies in the program itself: nothing to initialise, and no bounds to check for an index
  // that five bits hold.
  private static var digits: UnsafePointer<UInt8> {
    ("0123456789ABCDEFGHJKMNPQRSTVWXYZ" as StaticString).utf8Start
  }

  /// Writes the octets as one big number, with leading zeros, over all of `text`.
  private static func base32(_ octets: Span<UInt8>, to text: Slice<UnsafeMutableBufferPointer<UInt8>>) {
    let digits = digits
    let text = UnsafeMutableBufferPointer(rebasing: text)
    var bits = 0
    var pending = 0
    var source = octets.count
    var i = text.count
    while i > 0 {
      i -= 1
      if bits < 5, source > 0 {
        source -= 1
        pending |= Int(octets[source]) << bits
        bits += 8
      }
      text[i] = digits[pending & 31]
      pending >>= 5
      bits -= 5
    }
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
    text.append(text: weekdays[weekday])
    text.append(ascii: ", ")
    append(day, digits: 2)
    text.append(text: months[month])
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
