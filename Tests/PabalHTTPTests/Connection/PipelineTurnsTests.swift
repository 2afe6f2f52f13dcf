import NIOCore
import NIOEmbedded
import Testing

@testable import PabalHTTP

/// Pipelined requests of many connections on one event loop.
@Suite struct PipelineTurnsTests {
  private let loop = EmbeddedEventLoop()
  private let turns = PipelineTurns()

  /// Ten connections that sent three requests at once, of which the first has been answered.
  private func pipelining() throws -> [EmbeddedConnection] {
    let connections = try (0..<10).map { _ in try EmbeddedConnection(loop: loop, turns: turns) }
    for connection in connections {
      try connection.receive(get("/1") + get("/2") + get("/3"))
      #expect(try connection.requests() == ["/1"])
    }
    for connection in connections { connection.answer() }
    return connections
  }

  private func requests(_ connections: [EmbeddedConnection]) throws -> [[String]] {
    try connections.map { try $0.requests() }
  }

  @Test func `one is worked on at a time, and each connection gets its turn before one gets another`() throws
  {
    let connections = try pipelining()
    #expect(try requests(connections) == (0..<10).map { $0 == 0 ? ["/2"] : [] })
    for number in 0..<19 {
      // The one that has waited longest gets the turn of the one that is answered, once other work has been done.
      connections[number % 10].answer()
      #expect(try requests(connections).allSatisfy { $0.isEmpty })
      loop.run()
      let next = number + 1
      #expect(
        try requests(connections) == (0..<10).map { $0 == next % 10 ? [next < 10 ? "/2" : "/3"] : [] })
    }
  }

  @Test func `the next one waits as long as the one before it took`() throws {
    let connections = try pipelining()
    _ = try requests(connections)
    loop.advanceTime(by: .milliseconds(3))
    connections[0].answer()
    loop.advanceTime(by: .milliseconds(2))
    #expect(try requests(connections).allSatisfy { $0.isEmpty })
    loop.advanceTime(by: .milliseconds(1))
    #expect(try requests(connections) == (0..<10).map { $0 == 1 ? ["/2"] : [] })
  }

  @Test func `the first request waits for its turn, too, if more than it has arrived`() throws {
    let connections = try (0..<3).map { _ in try EmbeddedConnection(loop: loop, turns: turns) }
    for connection in connections { try connection.receive((1...100).map { get("/\($0)") }.joined()) }
    #expect(try requests(connections) == [["/1"], [], []])
    // These are single requests, as far as they have arrived.
    for text in [get("/one"), post(1_500), post(20_000), post(1_500, chunked: true)] {
      let other = try EmbeddedConnection(loop: loop, turns: turns)
      try other.receive(text)
      #expect(try !other.requests().isEmpty)
      other.answer()
    }
    for number in 0..<3 {
      connections[number].answer()
      loop.run()
    }
    #expect(try requests(connections) == [["/2"], ["/1"], ["/1"]])
  }

  private func post(_ size: Int, chunked: Bool = false) -> String {
    let body = String(repeating: "b", count: size)
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\n"
    return chunked
      ? head + "Transfer-Encoding: chunked\r\n\r\n\(String(size, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      : head + "Content-Length: \(size)\r\n\r\n\(body)"
  }

  @Test func `a single pipelining client never waits`() throws {
    let connection = try EmbeddedConnection(loop: loop, turns: turns)
    try connection.receive((1...100).map { get("/\($0)") }.joined())
    for number in 1...100 {
      #expect(try connection.requests() == ["/\(number)"])
      connection.answer()
    }
  }

  @Test func `a request that isn't pipelined is passed on at once while pipelined ones wait`() throws {
    let connections = try pipelining()
    let other = try EmbeddedConnection(loop: loop, turns: turns)
    for number in 0..<5 {
      try other.receive(get("/\(number)"))
      #expect(try other.requests() == ["/\(number)"])
      other.answer()
    }
    #expect(try requests(connections).map(\.count).reduce(0, +) == 1)
  }

  @Test func `a request that takes long keeps no others waiting for more than 10 ms`() throws {
    let connections = try pipelining()
    _ = try requests(connections)
    for number in 1..<10 {
      loop.advanceTime(by: .milliseconds(9))
      #expect(try requests(connections).allSatisfy { $0.isEmpty })
      loop.advanceTime(by: .milliseconds(1))
      #expect(try requests(connections) == (0..<10).map { $0 == number ? ["/2"] : [] })
    }
    // It is answered all the same, and its client's next request waits for its turn.
    connections[0].answer()
    #expect(try connections[0].sent().hasSuffix("xx") && connections[0].requests() == [])
    loop.advanceTime(by: .milliseconds(10))
    #expect(try connections[0].requests() == ["/3"])
  }

  @Test func `a client that doesn't read its response keeps no others waiting`() throws {
    let connections = try pipelining()
    _ = try requests(connections)
    for connection in connections.prefix(3) {
      connection.answer(isRead: false)
      loop.run()
    }
    #expect(try requests(connections).map(\.count) == [0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a connection that ends leaves its turn and its place to others`() throws {
    let connections = try pipelining()
    _ = try requests(connections)
    for number in [0, 2, 1] { connections[number].close() }
    #expect(try requests(connections).map(\.count) == [0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
  }

  @Test func `a part of a request takes no turn`() throws {
    let connections = try (0..<10).map { _ in try EmbeddedConnection(loop: loop, turns: turns) }
    for connection in connections {
      try connection.receive(get("/1") + "GET /2 HTTP/1.1\r\n")
      connection.answer()
    }
    loop.run()
    for connection in connections {
      try connection.receive("Host: localhost\r\n\r\n")
      #expect(try connection.requests() == ["/1", "/2"])
      connection.answer()
    }
  }

  @Test func `event loops have queues of their own`() throws {
    let connections = try pipelining()
    let other = try EmbeddedConnection(turns: turns)
    try other.receive(get("/1") + get("/2"))
    other.answer()
    #expect(try other.requests() == ["/1", "/2"] && requests(connections).map(\.count).reduce(0, +) == 1)
  }
}
