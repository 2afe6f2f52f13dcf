internal import Glibc
internal import Synchronization

/// Random bytes from the kernel, fetched 256 at a time, because a call costs as much as hashing the code of a mail.
///
/// Bytes are returned once and then erased from the buffer. A forked child must exec, or it would return the same.
enum SecureRandom {
  private static let buffer = Mutex(RandomBuffer())

  /// Returns `count` unpredictable bytes, at most 256.
  static func bytes(_ count: Int) -> [UInt8] { buffer.withLock { $0.draw(count) } }

  /// Returns 64 unpredictable bits.
  static func number() -> UInt64 { bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }

  private struct RandomBuffer {
    // The maximum of getentropy.
    private static let size = 256
    private var bytes = [UInt8](repeating: 0, count: size)
    private var available = 0

    mutating func draw(_ count: Int) -> [UInt8] {
      precondition(count <= RandomBuffer.size, "more random bytes than the buffer holds")
      if available < count {
        let status = getentropy(&bytes, RandomBuffer.size)
        precondition(status == 0, "getentropy failed")
        available = RandomBuffer.size
      }
      let result = Array(bytes[(available - count)..<available])
      for index in (available - count)..<available { bytes[index] = 0 }
      available -= count
      return result
    }
  }
}

/// Unguessable names in Crockford's base32.
enum RandomString {
  private static let digits = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

  /// Returns an id of 26 characters: four of the time, so that ids created together are neighbours in an index, and
  /// 110 random bits.
  static func id(at now: Timestamp, _ random: () -> UInt64) -> String {
    let seconds = now.milliseconds / 1_000
    let time = [15, 10, 5, 0].map { digits[Int(truncatingIfNeeded: seconds >> $0) & 31] }
    return String(decoding: time, as: UTF8.self) + make(22, random)
  }

  /// Returns `count` characters with five random bits each. `random` returns 64 random bits.
  static func make(_ count: Int, _ random: () -> UInt64) -> String {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var number = random()
      // 64 bits are twelve whole digits.
      for _ in 0..<12 where bytes.count < count {
        bytes.append(digits[Int(number & 31)])
        number >>= 5
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
