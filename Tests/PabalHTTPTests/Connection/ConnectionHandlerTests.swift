import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

@testable import PabalHTTP

/// The handlers of a connection, with a clock of their own.
@Suite struct ConnectionHandlerTests {
  @Test func `a pipelined request is passed on once the response before it has been read`() throws {
    let connection = try EmbeddedConnection()
    try connection.receive((1...100).map { get("/\($0)") }.joined())
    for number in 1...100 {
      #expect(try connection.requests() == ["/\(number)"])
      connection.answer(isRead: false)
      #expect(try connection.requests() == [])
      connection.channel.flush()
    }
    #expect(try connection.requests() == [])
    try connection.receive(get("/last"))
    #expect(try connection.requests() == ["/last"])
  }

  @Test func `pipelined requests with bodies keep their order, however they are split`() throws {
    let body = String(repeating: "b", count: 1_200)
    let text = (1...20).map {
      $0 % 2 == 0 ? get("/\($0)") : get("/\($0)", "Content-Length: 1200\r\n") + body
    }.joined()
    for size in [7, 1_023, 1_024, 1_025, 16_384, text.utf8.count] {
      let connection = try EmbeddedConnection()
      var rest = text[...]
      var seen: [String] = []
      while !rest.isEmpty {
        try connection.receive(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      for _ in 1...20 {
        seen += try connection.requests()
        connection.answer()
      }
      seen += try connection.requests()
      #expect(seen == (1...20).flatMap { $0 % 2 == 0 ? ["/\($0)"] : ["/\($0)", "…"] }, "\(size)")
    }
  }

  @Test func `the end of the input follows the requests before it`() throws {
    final class Recorder: ChannelInboundHandler {
      typealias InboundIn = HTTPRequestPart
      var events: [String] = []
      func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) { events.append(head.path ?? "") }
        context.fireChannelRead(data)
      }
      func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { events.append("end") }
        context.fireUserInboundEventTriggered(event)
      }
    }
    let connection = try EmbeddedConnection()
    let recorder = Recorder()
    try connection.channel.pipeline.syncOperations.addHandler(recorder)
    try connection.receive((1...60).map { get("/\($0)") }.joined())
    connection.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    for number in 1..<60 {
      #expect(recorder.events == (1...number).map { "/\($0)" })
      connection.answer()
    }
    #expect(recorder.events == (1...60).map { "/\($0)" } + ["end"])
  }

  @Test func `a response says how long the connection may be idle, and that is when it is closed`() throws {
    let connection = try EmbeddedConnection(idle: .seconds(20))
    for _ in 1...3 {
      try connection.receive(get("/"))
      connection.answer()
      #expect(try connection.sent().contains("Connection: keep-alive\r\nKeep-Alive: timeout=20\r\n"))
      connection.advance(20)
      #expect(connection.channel.isActive)
    }
    connection.advance(2)
    #expect(!connection.channel.isActive && connection.table.count == 0)
  }

  @Test func `a response on a connection that ends says so`() throws {
    for (request, answer) in [("Connection: close\r\n", [:] as HTTPFields), ("", [.connection: "close"])] {
      let connection = try EmbeddedConnection()
      try connection.receive(get("/", request))
      connection.answer(answer)
      let sent = try connection.sent()
      #expect(sent.contains("Connection: close\r\n") && !sent.lowercased().contains("keep-alive"))
      #expect(!connection.channel.isActive)
    }
    let old = try EmbeddedConnection()
    try old.receive("GET / HTTP/1.0\r\n\r\n")
    old.answer()
    #expect(try old.sent().contains("Connection: close\r\n") && !old.channel.isActive)
  }

  @Test(arguments: ["", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"])
  func `a request that doesn't arrive in 15 seconds ends the connection, even if bytes trickle in`(
    text: String
  ) throws {
    let connection = try EmbeddedConnection()
    try connection.receive(text)
    for _ in 1...14 { connection.advance(1) }
    #expect(connection.channel.isActive)
    connection.advance(2)
    #expect(!connection.channel.isActive)
  }

  @Test func `a large body has as long as it keeps coming, and its memory isn't counted here`() throws {
    let connection = try EmbeddedConnection(memory: 200_000)
    try connection.receive(get("/", "Content-Length: 10000000\r\n").replacing("GET", with: "POST"))
    let piece = String(repeating: "b", count: 16_384)
    for _ in 1...100 {
      try connection.receive(piece)
      connection.advance(1)
    }
    #expect(connection.channel.isActive)
    connection.advance(9)
    #expect(connection.channel.isActive)
    connection.advance(6)
    #expect(!connection.channel.isActive)
    // However much came at once, the rest has to follow soon.
    let fast = try EmbeddedConnection()
    try fast.receive(get("/", "Content-Length: 10000000\r\n").replacing("GET", with: "POST"))
    for _ in 1...100 { try fast.receive(piece) }
    fast.advance(16)
    #expect(!fast.channel.isActive)
  }

  @Test func `a response that isn't read for 30 seconds ends the connection`() throws {
    let connection = try EmbeddedConnection()
    try connection.receive(get("/1") + get("/2"))
    connection.advance(40)  // The service may take its time.
    #expect(connection.channel.isActive)
    connection.answer(isRead: false)
    connection.advance(29)
    #expect(connection.channel.isActive)
    connection.advance(2)
    #expect(!connection.channel.isActive)
  }

  @Test func `a stopping service lets the next response end a connection`() throws {
    let busy = try EmbeddedConnection()
    try busy.receive(get("/1"))
    busy.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    busy.advance(10)
    #expect(busy.channel.isActive)
    busy.answer()
    #expect(try busy.sent().contains("Connection: close\r\n") && !busy.channel.isActive)

    let used = try EmbeddedConnection()
    try used.receive(get("/1"))
    used.answer()
    used.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    #expect(used.channel.isActive)
    try used.receive(get("/2"))
    used.answer()
    #expect(try used.sent().contains("Connection: close\r\n") && !used.channel.isActive)

    let idle = try EmbeddedConnection()
    idle.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    idle.advance(1)
    #expect(!idle.channel.isActive)
  }

  @Test func `unread responses over the limit of all connections close the one that waited longest`() throws {
    let connection = try EmbeddedConnection(memory: 100_000)
    let other = EmbeddedChannel(loop: EmbeddedEventLoop())
    try other.connect(to: SocketAddress(ipAddress: "192.0.2.2", port: 1)).wait()
    let stuck = try #require(connection.table.register(other, at: .uptimeNanoseconds(0)))
    stuck.set(.sending, since: .uptimeNanoseconds(0))
    connection.table.setSize(90_000, of: stuck)
    connection.advance(5)
    try connection.receive(get("/"))
    connection.answer(size: 20_000, isRead: false)
    connection.channel.pipeline.fireChannelReadComplete()
    #expect(connection.channel.isActive && other.isActive)
    // A flush that the system doesn't take: the embedded channel takes everything, so the size is set by hand.
    let bytes = ByteBuffer(repeating: 0x78, count: 20_000)
    connection.channel.flush()
    try connection.receive(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + String(buffer: bytes))
    (other.eventLoop as? EmbeddedEventLoop)?.run()
    #expect(connection.channel.isActive && !other.isActive)
  }
}
