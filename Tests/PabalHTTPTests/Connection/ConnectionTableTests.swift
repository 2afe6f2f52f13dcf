import NIOCore
import NIOEmbedded
import Testing

@testable import PabalHTTP

/// Which connection gives way if there are too many.
@Suite struct ConnectionTableTests {
  /// A table with connections by name.
  private final class Fixture {
    let table: ConnectionTable
    var channels: [String: EmbeddedChannel] = [:]
    private var time: UInt64 = 1_000

    init(total: Int = 4, perAddress: Int = 3, exempt: Set<String> = ["127.0.0.1"]) {
      table = ConnectionTable(ConnectionLimits(total: total, perAddress: perAddress)) { exempt.contains($0) }
    }

    /// Opens a connection, each a second after the one before it.
    @discardableResult
    func open(_ name: String, from address: String, _ phase: ConnectionTable.Phase? = nil) throws
      -> ConnectionTable.Connection?
    {
      time += 1_000_000_000
      let channel = EmbeddedChannel()
      try channel.connect(to: SocketAddress(ipAddress: address, port: 1)).wait()
      channels[name] = channel
      let connection = table.register(channel, at: .uptimeNanoseconds(time))
      if let phase { connection?.set(phase, since: .uptimeNanoseconds(time)) }
      for channel in channels.values { (channel.eventLoop as? EmbeddedEventLoop)?.run() }
      return connection
    }

    var left: Set<String> { Set(channels.filter { $0.value.isActive }.keys) }
  }

  @Test func `the connection that has been idle longest gives way, before those that wait for their clients`()
    throws
  {
    let fixture = Fixture()
    try fixture.open("stuck", from: "127.0.0.1", .receiving)
    try fixture.open("idle", from: "127.0.0.1", .idle)
    try fixture.open("later", from: "127.0.0.1", .idle)
    try fixture.open("unread", from: "127.0.0.1", .sending)
    try fixture.open("a", from: "127.0.0.1", .handling)
    #expect(fixture.left == ["stuck", "later", "unread", "a"])
    try fixture.open("b", from: "127.0.0.1", .handling)
    #expect(fixture.left == ["stuck", "unread", "a", "b"])
    try fixture.open("c", from: "127.0.0.1", .handling)
    try fixture.open("d", from: "127.0.0.1", .handling)
    #expect(fixture.left == ["a", "b", "c", "d"])
    // None waits for its client, so the new one is refused.
    #expect(try fixture.open("e", from: "127.0.0.1") == nil)
    #expect(fixture.left == ["a", "b", "c", "d"] && fixture.table.count == 4)
  }

  @Test func `a connection whose first request is on its way isn't idle`() throws {
    let fixture = Fixture(total: 2)
    try fixture.open("stuck", from: "127.0.0.1", .receiving)
    try fixture.open("new", from: "127.0.0.1")
    try fixture.open("attacker", from: "127.0.0.1")
    #expect(fixture.left == ["new", "attacker"])
  }

  @Test func `the address with most connections gives way first`() throws {
    let fixture = Fixture()
    try fixture.open("legitimate", from: "192.0.2.9", .idle)
    for name in ["1", "2", "3"] { try fixture.open(name, from: "203.0.113.1", .receiving) }
    try fixture.open("new", from: "192.0.2.10")
    #expect(fixture.left == ["legitimate", "2", "3", "new"])
  }

  @Test func `an address has a limit of its own, which counts 64 bits of IPv6`() throws {
    let fixture = Fixture(total: 100)
    for number in 1...10 { try fixture.open("\(number)", from: "2001:db8::\(number)", .receiving) }
    #expect(fixture.left == ["8", "9", "10"])
    for number in 11...20 { try fixture.open("\(number)", from: "127.0.0.1", .receiving) }
    #expect(fixture.left.count == 13)
    for number in 21...30 { try fixture.open("\(number)", from: "::ffff:192.0.2.1", .handling) }
    #expect(fixture.left.count == 16)
  }

  @Test func `an ended connection makes room`() throws {
    let fixture = Fixture(total: 1)
    for number in 1...5 {
      let connection = try #require(try fixture.open("\(number)", from: "192.0.2.\(number)", .handling))
      fixture.table.unregister(connection)
      fixture.table.unregister(connection)
    }
    #expect(fixture.table.count == 0)
  }

  @Test func `sizes over the limit of all close those that have waited longest for their clients`() throws {
    let table = ConnectionTable(ConnectionLimits(total: 10, perAddress: 10, memory: 100))
    var channels: [EmbeddedChannel] = []
    var connections: [ConnectionTable.Connection] = []
    for (index, phase) in [ConnectionTable.Phase.handling, .sending, .receiving, .sending].enumerated() {
      let channel = EmbeddedChannel()
      try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
      channels.append(channel)
      let connection = try #require(table.register(channel, at: .uptimeNanoseconds(UInt64(index))))
      connection.set(phase, since: .uptimeNanoseconds(UInt64(index)))
      connections.append(connection)
    }
    table.setSize(30, of: connections[0])
    table.setSize(30, of: connections[1])
    table.setSize(30, of: connections[2])
    #expect(channels.map(\.isActive) == [true, true, true, true])
    table.setSize(60, of: connections[3])
    for channel in channels { (channel.eventLoop as? EmbeddedEventLoop)?.run() }
    #expect(channels.map(\.isActive) == [true, false, false, true])
    table.setSize(0, of: connections[3])
    table.setSize(70, of: connections[3])
    #expect(channels[3].isActive)
  }
}
