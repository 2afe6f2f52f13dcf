internal import Glibc
internal import Synchronization

/// Random octets from the kernel, drawn 256 at a time: a call costs as much as the hashing of a mail's code.
///
/// Nothing is handed out twice, and what was handed out is erased here. A forked child must exec.
enum KernelRandom {
  private static let drawn = Mutex(Drawn())

  /// `count` octets that nobody can foretell, at most 256.
  static func octets(_ count: Int) -> [UInt8] { drawn.withLock { $0.take(count) } }

  /// 64 bits that nobody can foretell.
  static func number() -> UInt64 { octets(8).reduce(0) { $0 << 8 | UInt64($1) } }

  private struct Drawn {
    // The most that getentropy gives, all or nothing.
    private static let size = 256
    private var octets = [UInt8](repeating: 0, count: size)
    private var rest = 0

    mutating func take(_ count: Int) -> [UInt8] {
      precondition(count <= Drawn.size, "so many random octets are not there at once")
      if rest < count {
        let status = getentropy(&octets, Drawn.size)
        precondition(status == 0, "the kernel gives no random numbers")
        rest = Drawn.size
      }
      let taken = Array(octets[(rest - count)..<rest])
      for index in (rest - count)..<rest { octets[index] = 0 }
      rest -= count
      return taken
    }
  }
}
