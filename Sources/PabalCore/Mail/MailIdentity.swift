internal import Glibc
internal import PabalFormats
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
    date = MailDate.string(millisecondsSince1970: milliseconds, offset: minutes * 60)
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
