import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

@testable import PabalHTTP

/// A connection with the handlers of the service up to the router.
struct EmbeddedConnection {
  let channel: EmbeddedChannel
  let table: ConnectionTable
  private let loop: EmbeddedEventLoop

  init(
    idle: TimeAmount = .seconds(75), memory: Int = 1 << 20, loop: EmbeddedEventLoop = EmbeddedEventLoop(),
    turns: PipelineTurns = PipelineTurns()
  ) throws {
    self.loop = loop
    table = ConnectionTable(
      ConnectionLimits(total: 10, perAddress: 10, memory: memory), timeouts: ConnectionTimeouts(idle: idle))
    channel = EmbeddedChannel(loop: loop)
    let requests = PipelinedRequestsHandler(PipelinedBytesHandler(), turns: turns)
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

  /// Closes the connection, as the client does.
  func close() {
    channel.close(promise: nil)
    loop.run()
  }
}

/// A request without a body.
func get(_ path: String, _ more: String = "") -> String {
  "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(more)\r\n"
}
