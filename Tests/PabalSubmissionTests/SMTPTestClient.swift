import NIOCore
import NIOPosix
import PabalTesting
import Synchronization

/// A client of a listener, which doesn't block a thread.
actor SMTPTestClient {
  private let channel: any Channel
  private let input: AsyncStream<[UInt8]>.Iterator
  private var buffered: [UInt8] = []

  private init(_ channel: any Channel, _ input: AsyncStream<[UInt8]>) {
    self.channel = channel
    self.input = input.makeAsyncIterator()
  }

  /// Connects to a port of this machine.
  static func connect(port: Int) async throws -> SMTPTestClient {
    try await connect { try await $0.connect(host: "127.0.0.1", port: port).get() }
  }

  /// Connects to a Unix socket.
  static func connect(path: String) async throws -> SMTPTestClient {
    try await connect { try await $0.connect(unixDomainSocketPath: path).get() }
  }

  private static func connect(
    _ body: (ClientBootstrap) async throws -> any Channel
  ) async throws -> SMTPTestClient {
    let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Collector(continuation))
        }
      }
    return SMTPTestClient(try await body(bootstrap), stream)
  }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let continuation: AsyncStream<[UInt8]>.Continuation

    init(_ continuation: AsyncStream<[UInt8]>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      continuation.yield(Array(unwrapInboundIn(data).readableBytesView))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if case ChannelEvent.inputClosed = event { continuation.finish() }
    }

    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      continuation.finish()
      context.close(promise: nil)
    }
  }

  /// Sends text as it is. Returns `false` if the connection is closed.
  @discardableResult
  func send(_ text: String) async -> Bool {
    do {
      try await channel.writeAndFlush(ByteBuffer(string: text)).get()
      return true
    } catch {
      return false
    }
  }

  /// Sends a line and returns the reply to it.
  func command(_ line: String) async throws -> String {
    await send(line + "\r\n")
    return try await reply()
  }

  /// Returns the next reply: its lines without line ends, joined by spaces.
  func reply() async throws -> String {
    var lines: [String] = []
    while true {
      guard let line = await line() else { throw TestError("closed after \(lines)") }
      lines.append(line)
      if line.utf8.count < 4 || Array(line.utf8)[3] != UInt8(ascii: "-") {
        return lines.joined(separator: " ")
      }
    }
  }

  /// Returns the next line; `nil` once the server has closed its side.
  func line() async -> String? {
    while true {
      if let end = buffered.firstIndex(of: 10) {
        let line = String(decoding: buffered[..<end], as: UTF8.self)
        buffered.removeSubrange(...end)
        return line.hasSuffix("\r\n") ? String(line.dropLast()) : line.replacing("\r", with: "")
      }
      // A copy takes from the same stream.
      var input = input
      guard let more = await input.next(isolation: #isolation) else { return nil }
      buffered += more
    }
  }

  /// Closes the sending side.
  func endSending() async { try? await channel.close(mode: .output).get() }

  /// Closes the connection.
  func close() async { try? await channel.close().get() }
}
