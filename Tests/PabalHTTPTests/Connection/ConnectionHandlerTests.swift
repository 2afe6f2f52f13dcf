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
  /// A connection with the handlers of the service up to the router.
  private struct Connection {
    let channel: EmbeddedChannel
    let table: ConnectionTable
    private let loop = EmbeddedEventLoop()

    init(idle: TimeAmount = .seconds(75), memory: Int = 1 << 20) throws {
      table = ConnectionTable(
        ConnectionLimits(total: 10, perAddress: 10, memory: memory), timeouts: ConnectionTimeouts(idle: idle))
      channel = EmbeddedChannel(loop: loop)
      let requests = PipelinedRequestsHandler(PipelinedBytesHandler())
      try channel.pipeline.syncOperations.configureHTTPServerPipeline(
        withPipeliningAssistance: false, withErrorHandling: false)
      try channel.pipeline.syncOperations.addHandlers([
        HTTP1ComplianceHandler(), HTTP1ToHTTPServerCodec(secure: false), MalformedRequestHandler(), requests,
        ConnectionTimeoutHandler(table),
      ])
      try channel.pipeline.syncOperations.addHandler(try #require(requests.bytes), position: .first)
      try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
    }

    func receive(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    /// The paths of the requests that the router has got since the last call; `…` for a body.
    func requests() throws -> [String] {
      var paths: [String] = []
      while let part = try channel.readInbound(as: HTTPRequestPart.self) {
        switch part {
        case .head(let head): paths.append(head.path ?? "")
        case .body: if paths.last != "…" { paths.append("…") }
        case .end: break
        }
      }
      return paths
    }

    /// Answers a request; the client reads the response unless `isRead` is false.
    func answer(_ fields: HTTPFields = [:], size: Int = 2, isRead: Bool = true) {
      let channel = channel
      var fields = fields
      fields[.contentLength] = "\(size)"
      channel.write(HTTPResponsePart.head(HTTPResponse(status: .ok, headerFields: fields)), promise: nil)
      channel.write(HTTPResponsePart.body(ByteBuffer(repeating: 0x78, count: size)), promise: nil)
      channel.write(HTTPResponsePart.end(nil), promise: nil)
      if isRead { channel.flush() }
    }

    /// What the client has got since the last call.
    func sent() throws -> String {
      var text = ""
      while let data = try channel.readOutbound(as: IOData.self) {
        if case .byteBuffer(let bytes) = data { text += String(buffer: bytes) }
      }
      return text
    }

    func advance(_ seconds: Int64) { loop.advanceTime(by: .seconds(seconds)) }
  }

  private func get(_ path: String, _ more: String = "") -> String {
    "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(more)\r\n"
  }

  @Test func `a pipelined request is passed on once the response before it has been read`() throws {
    let connection = try Connection()
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
      let connection = try Connection()
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
    let connection = try Connection()
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
    let connection = try Connection(idle: .seconds(20))
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
      let connection = try Connection()
      try connection.receive(get("/", request))
      connection.answer(answer)
      let sent = try connection.sent()
      #expect(sent.contains("Connection: close\r\n") && !sent.lowercased().contains("keep-alive"))
      #expect(!connection.channel.isActive)
    }
    let old = try Connection()
    try old.receive("GET / HTTP/1.0\r\n\r\n")
    old.answer()
    #expect(try old.sent().contains("Connection: close\r\n") && !old.channel.isActive)
  }

  @Test(arguments: ["", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"])
  func `a request that doesn't arrive in 15 seconds ends the connection, even if bytes trickle in`(
    text: String
  ) throws {
    let connection = try Connection()
    try connection.receive(text)
    for _ in 1...14 { connection.advance(1) }
    #expect(connection.channel.isActive)
    connection.advance(2)
    #expect(!connection.channel.isActive)
  }

  @Test func `a response that isn't read for 30 seconds ends the connection`() throws {
    let connection = try Connection()
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
    let busy = try Connection()
    try busy.receive(get("/1"))
    busy.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    busy.advance(10)
    #expect(busy.channel.isActive)
    busy.answer()
    #expect(try busy.sent().contains("Connection: close\r\n") && !busy.channel.isActive)

    let used = try Connection()
    try used.receive(get("/1"))
    used.answer()
    used.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    #expect(used.channel.isActive)
    try used.receive(get("/2"))
    used.answer()
    #expect(try used.sent().contains("Connection: close\r\n") && !used.channel.isActive)

    let idle = try Connection()
    idle.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    idle.advance(1)
    #expect(!idle.channel.isActive)
  }

  @Test func `unread responses over the limit of all connections close the one that waited longest`() throws {
    let connection = try Connection(memory: 100_000)
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
