internal import Glibc
internal import NIOCore
internal import Synchronization

/// Empties the queue of a listening socket before it is closed, because the kernel resets the connections in it.
///
/// A filter first drops the first packet (SYN) of every new connection. The client's kernel sends that again a second
/// later, and then reaches the next process, or is refused; it has sent no request so far.
enum ListenerDrain {
  /// One instruction of a classic BPF program (linux/filter.h).
  private struct Instruction {
    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var value: UInt32
  }

  /// `struct sock_fprog`, with its pointer as a number.
  private struct Program: Sendable {
    var count: UInt16
    var instructions: UInt
  }

  /// The start of `struct tcp_info` (linux/tcp.h).
  private struct Information: Sendable {
    var flags: UInt64 = 0
    var times: UInt64 = 0
    var segments: UInt64 = 0
    /// For a listening socket, the number of connections in its queue.
    var unacknowledged: UInt32 = 0
  }

  /// Drops packets with SYN and without ACK, and passes all others. The socket filter sees the TCP header.
  private static let program: Program = {
    let instructions = [
      Instruction(code: 0x30, value: 13),  // the flags
      Instruction(code: 0x54, value: 0x12),  // SYN and ACK
      Instruction(code: 0x15, ifFalse: 1, value: 0x02),
      Instruction(code: 0x06, value: 0),
      Instruction(code: 0x06, value: .max),
    ]
    // Never deallocated: the kernel copies it at each call.
    let copy = UnsafeMutablePointer<Instruction>.allocate(capacity: instructions.count)
    copy.initialize(from: instructions, count: instructions.count)
    return Program(count: UInt16(instructions.count), instructions: UInt(bitPattern: copy))
  }()

  /// How long handshakes that have begun may take, and how long accepting the connections may take.
  private static let handshake = Duration.milliseconds(20)
  private static let limit = Duration.seconds(5)

  /// Returns once all connections of the listening socket have been accepted and handed to their handlers, or after five
  /// seconds. Where the system has no such filters, connections that arrive meanwhile may still be reset.
  static func run(_ channel: any Channel, _ accepted: AcceptedConnections) async {
    guard let options = channel as? any SocketOptionProvider else { return }
    try? await options.unsafeSetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: SO_ATTACH_FILTER), value: program
    ).get()
    let start = ContinuousClock.now
    try? await Task.sleep(for: handshake)
    while ContinuousClock.now - start < limit {
      let information =
        try? await options.unsafeGetSocketOption(
          level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO)
        ).get() as Information
      if information?.unacknowledged ?? 0 == 0, await accepted.areHandled() { return }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }
}

/// Counts the connections that have been set up, but not handed to their handlers yet.
///
/// A listening channel that is closed drops them, which NIO takes for a programming error and ends the process.
final class AcceptedConnections: Sendable {
  private let pending = Atomic<Int>(0)
  private let loops: any EventLoopGroup

  init(on loops: any EventLoopGroup) { self.loops = loops }

  func setUp() { pending.add(1, ordering: .relaxed) }
  func handle() { pending.subtract(1, ordering: .relaxed) }

  /// Returns whether all connections accepted before the call are handled.
  fileprivate func areHandled() async -> Bool {
    // An accepted connection is set up on another event loop, by tasks that are enqueued before these.
    for _ in 0..<2 {
      for loop in loops.makeIterator() { try? await loop.submit {}.get() }
    }
    return pending.load(ordering: .relaxed) == 0
  }
}
