internal import Glibc
internal import Synchronization

/// What makes one mail different from every other: its time and its random names.
public struct MailIdentity: Sendable, Hashable {
  /// Pabal's own id of the mail: 26 characters of Crockford's base32, in the order of their times.
  public let id: String
  /// The Date header's value.
  let date: String
  /// What stands before the `@` of the Message-ID; says nothing about `id`.
  let token: String
  /// What separates the parts of a multipart mail.
  let boundary: String

  /// A stamp of a time, in milliseconds since 1970 and with the zone's minutes east of UTC (-1439 to 1439),
  /// and of 40 random bytes, which must be unpredictable where others see the mail.
  public init(milliseconds: Int64, utcOffset minutes: Int, random: some Sequence<UInt8>) {
    var bytes: InlineArray<46, UInt8> = .init(repeating: 0)
    for i in 0..<6 { bytes[i] = UInt8(truncatingIfNeeded: milliseconds >> Int64(40 - 8 * i)) }
    var index = 6
    for byte in random.prefix(40) {
      bytes[index] = byte
      index += 1
    }
    let source = bytes.span
    // 48 bits of time are ten characters, 80 random ones sixteen: a ULID.
    id = String(unsafeUninitializedCapacity: 26) { text in
      MailIdentity.base32(source.extracting(0..<6), to: text[..<10])
      MailIdentity.base32(source.extracting(6..<16), to: text[10..<26])
      return 26
    }
    token = String(unsafeUninitializedCapacity: 24) { text in
      MailIdentity.base32(source.extracting(16..<31), to: text[..<24])
      return 24
    }
    // Neither quoted-printable nor base64 can hold =_ (RFC 2045, 6.7).
    boundary = String(unsafeUninitializedCapacity: 26) { text in
      text[0] = UInt8(ascii: "=")
      text[1] = UInt8(ascii: "_")
      MailIdentity.base32(source.extracting(31..<46), to: text[2..<26])
      return 26
    }
    date = MailIdentity.date(milliseconds: milliseconds, utcOffset: minutes)
  }

  /// A stamp of the present moment in the local zone, with randomness from the kernel.
  public static func now() -> MailIdentity {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var seconds = time.tv_sec
    var parts = tm()
    localtime_r(&seconds, &parts)
    return MailIdentity(
      milliseconds: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000,
      utcOffset: parts.tm_gmtoff / 60, random: SecureRandom.bytes(40))
  }

  /// `prefix` and the lowest 50 bits of `number` as ten characters.
  static func id(_ prefix: String, _ number: UInt64) -> String {
    let (digits, source) = (digits, prefix.utf8Span.span)
    return String(unsafeUninitializedCapacity: source.count + 10) { text in
      for i in source.indices { text[i] = source[i] }
      for index in 0..<10 { text[source.count + 9 - index] = digits[Int(number >> UInt64(5 * index)) & 31] }
      return source.count + 10
    }
  }

  /// What a character of an id stands for, 0 to 31.
  static func value(ofDigit character: UInt8) -> UInt64 {
    UInt64((0..<32).first { digits[$0] == character } ?? 0)
  }

  // A static string lies in the program itself: nothing to initialise, and no bounds to check for an index
  // that five bits hold.
  private static var digits: UnsafePointer<UInt8> {
    ("0123456789ABCDEFGHJKMNPQRSTVWXYZ" as StaticString).utf8Start
  }

  /// Writes the bytes as one big number, with leading zeros, over all of `text`.
  private static func base32(_ bytes: Span<UInt8>, to text: Slice<UnsafeMutableBufferPointer<UInt8>>) {
    let digits = digits
    let text = UnsafeMutableBufferPointer(rebasing: text)
    var bits = 0
    var pending = 0
    var source = bytes.count
    var i = text.count
    while i > 0 {
      i -= 1
      if bits < 5, source > 0 {
        source -= 1
        pending |= Int(bytes[source]) << bits
        bits += 8
      }
      text[i] = digits[pending & 31]
      pending >>= 5
      bits -= 5
    }
  }

  /// RFC 5322, 3.3, in the given zone.
  private static func date(milliseconds: Int64, utcOffset minutes: Int) -> String {
    let seconds = Int(milliseconds.floorDivided(by: 1_000)) + minutes * 60
    let days = seconds.floorDivided(by: 86_400)
    let time = seconds - days * 86_400
    // Howard Hinnant, “chrono-Compatible Low-Level Date Algorithms”: years begin in March, eras have 400.
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 2 : marchMonth - 10
    let year = yearOfEra + era * 400 + (month < 2 ? 1 : 0)
    let weekday = (days + 4) - (days + 4).floorDivided(by: 7) * 7

    return String(unsafeUninitializedCapacity: pattern.utf8CodeUnitCount) { text in
      for i in 0..<pattern.utf8CodeUnitCount { text[i] = pattern.utf8Start[i] }
      func write(_ number: Int, digits: Int, at index: Int) {
        var rest = number
        for i in stride(from: index + digits - 1, through: index, by: -1) {
          text[i] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
          rest /= 10
        }
      }
      for i in 0..<3 {
        text[i] = weekdays.utf8Start[3 * weekday + i]
        text[8 + i] = months.utf8Start[3 * month + i]
      }
      write(day, digits: 2, at: 5)
      write(year, digits: 4, at: 12)
      write(time / 3_600, digits: 2, at: 17)
      write(time / 60 % 60, digits: 2, at: 20)
      write(time % 60, digits: 2, at: 23)
      text[26] = UInt8(ascii: minutes < 0 ? "-" : "+")
      write(abs(minutes) / 60, digits: 2, at: 27)
      write(abs(minutes) % 60, digits: 2, at: 29)
      return pattern.utf8CodeUnitCount
    }
  }

  // Static strings again: every mail has a date.
  private static var pattern: StaticString { "www, dd mmm yyyy hh:mm:ss +zzzz" }
  private static var weekdays: StaticString { "SunMonTueWedThuFriSat" }
  private static var months: StaticString { "JanFebMarAprMayJunJulAugSepOctNovDec" }
}

extension BinaryInteger {
  fileprivate func floorDivided(by divisor: Self) -> Self {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

/// Ids for the copies of one mail: its stamp's own, counted on, so that none costs a call to the kernel.
package final class MailIDSequence: Sendable {
  private let first: UInt64
  private let prefix: String
  private let issuedCount = Atomic<UInt64>(0)

  /// Ids that begin as the stamp's does and differ in their last ten characters.
  package init(_ identity: MailIdentity) {
    prefix = String(identity.id.prefix(16))
    first = identity.id.suffix(10).utf8.reduce(0) { $0 << 5 | MailIdentity.value(ofDigit: $1) }
  }

  /// The next id; 2^50 of them come before the first one again.
  package func next() -> String {
    let number = first &+ issuedCount.wrappingAdd(1, ordering: .relaxed).oldValue
    return MailIdentity.id(prefix, number)
  }
}
