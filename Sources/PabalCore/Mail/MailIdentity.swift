internal import Glibc
internal import PabalFormats
internal import Synchronization

/// The values that identify one mail: its date, and ids generated from its time and random bytes.
public struct MailIdentity: Sendable, Hashable {
  /// Pabal's id of the mail: 26 characters of Crockford's base32 (a ULID), sortable by time.
  public let id: String
  /// The value of the Date header.
  let date: String
  /// The left part of the Message-ID, before the `@`; `id` can't be derived from it.
  let messageIDToken: String
  /// The boundary between the parts of a multipart mail.
  let boundary: String

  /// Creates an identity from milliseconds since 1970, the time zone's minutes east of UTC (-1439 to 1439), and
  /// 40 random bytes, which must be unpredictable if the mail leaves the machine.
  public init(milliseconds: Int64, utcOffset minutes: Int, random: some Sequence<UInt8>) {
    var bytes: InlineArray<46, UInt8> = .init(repeating: 0)
    for i in 0..<6 { bytes[i] = UInt8(truncatingIfNeeded: milliseconds >> Int64(40 - 8 * i)) }
    var index = 6
    for byte in random.prefix(40) {
      bytes[index] = byte
      index += 1
    }
    let source = bytes.span
    // A ULID: ten characters for 48 bits of time, sixteen for 80 random bits.
    id = String(unsafeUninitializedCapacity: 26) { text in
      MailIdentity.base32(source.extracting(0..<6), to: text[..<10])
      MailIdentity.base32(source.extracting(6..<16), to: text[10..<26])
      return 26
    }
    messageIDToken = String(unsafeUninitializedCapacity: 24) { text in
      MailIdentity.base32(source.extracting(16..<31), to: text[..<24])
      return 24
    }
    // `=_` can occur neither in quoted-printable nor in base64 (RFC 2045, 6.7).
    boundary = String(unsafeUninitializedCapacity: 26) { text in
      text[0] = UInt8(ascii: "=")
      text[1] = UInt8(ascii: "_")
      MailIdentity.base32(source.extracting(31..<46), to: text[2..<26])
      return 26
    }
    date = MailDate.string(millisecondsSince1970: milliseconds, offset: minutes * 60)
  }

  /// Returns the same identity with another id, for a mail that was given one before it was finished.
  package func withID(_ id: String) -> MailIdentity {
    MailIdentity(id: id, date: date, messageIDToken: messageIDToken, boundary: boundary)
  }

  private init(id: String, date: String, messageIDToken: String, boundary: String) {
    self.id = id
    self.date = date
    self.messageIDToken = messageIDToken
    self.boundary = boundary
  }

  /// Returns an identity for the current time in the local time zone, with random bytes from the kernel.
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

  /// Returns `prefix` followed by the lowest 50 bits of `number` as ten characters.
  static func id(_ prefix: String, _ number: UInt64) -> String {
    let (digits, source) = (digits, prefix.utf8Span.span)
    return String(unsafeUninitializedCapacity: source.count + 10) { text in
      for i in source.indices { text[i] = source[i] }
      for index in 0..<10 { text[source.count + 9 - index] = digits[Int(number >> UInt64(5 * index)) & 31] }
      return source.count + 10
    }
  }

  /// Returns the id of the report about a mail that was refused, always the same one.
  package static func reportID(of id: String) -> String {
    MailIdentity.id(String(id.prefix(16)), id.suffix(10).utf8.reduce(0) { $0 << 5 | value(ofDigit: $1) } ^ 1)
  }

  /// Whether a text is an id: 26 digits of Crockford's base32.
  package static func isID(_ text: String) -> Bool {
    text.utf8.count == 26
      && text.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) && !"ILOU".utf8.contains($0)
      }
  }

  /// Returns the value of a base32 digit, 0 to 31.
  static func value(ofDigit character: UInt8) -> UInt64 {
    UInt64((0..<32).first { digits[$0] == character } ?? 0)
  }

  // A static string needs no initialization and no bounds check for a five-bit index.
  private static var digits: UnsafePointer<UInt8> {
    ("0123456789ABCDEFGHJKMNPQRSTVWXYZ" as StaticString).utf8Start
  }

  /// Writes the bytes as one base32 number with leading zeros, filling `text`.
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

/// Generates ids for the copies of one mail by counting up from its own id, without a system call per id.
package final class MailIDSequence: Sendable {
  private let first: UInt64
  private let prefix: String
  private let issuedCount = Atomic<UInt64>(0)

  /// Creates a sequence of ids that share the first 16 characters of the identity's id.
  package init(_ identity: MailIdentity) {
    prefix = String(identity.id.prefix(16))
    first = identity.id.suffix(10).utf8.reduce(0) { $0 << 5 | MailIdentity.value(ofDigit: $1) }
  }

  /// Returns the next id; ids repeat after 2^50 calls.
  package func next() -> String {
    let number = first &+ issuedCount.wrappingAdd(1, ordering: .relaxed).oldValue
    return MailIdentity.id(prefix, number)
  }
}
