internal import Glibc
internal import NIOCore
internal import NIOPosix
package import PabalCore
internal import Synchronization

/// The SMTP listeners of `pabal serve`.
package final class SubmissionServer: Sendable {
  private struct Listening: Sendable {
    let channel: any Channel
    let endpoint: SubmissionEndpoint
    /// The device and the inode of a socket's file, so that only this one is removed.
    let file: [UInt64]?
  }

  private let endpoints: [SubmissionEndpoint]
  private let state: ListenerState
  // `nil` once the server has been stopped.
  private let listening = Mutex<[Listening]?>([])

  /// Creates the server; `start` begins to listen.
  ///
  /// - Parameters:
  ///   - endpoints: Where to listen.
  ///   - space: Whether there is room for mail.
  ///   - passwords: Checks passwords.
  ///   - times: How long clients may take.
  ///   - report: Called with each event, from any thread.
  ///   - settings: Returns what holds for new connections at an endpoint; called for each of them.
  package init(
    _ endpoints: [SubmissionEndpoint], space: FreeSpaceGuard,
    passwords: PasswordVerifier = PasswordVerifier(),
    times: ConnectionTimes = ConnectionTimes(), report: @escaping @Sendable (SubmissionEvent) -> Void,
    settings: @escaping @Sendable (SubmissionEndpoint) -> ListenerSettings?
  ) {
    self.endpoints = endpoints
    state = ListenerState(
      space: space, passwords: passwords, times: times, report: report, settings: settings)
  }

  /// Accepts connections at all endpoints, or at none if one of them can't be used. `listening` is called with each
  /// endpoint, and its port if it has one.
  package func start(_ listening: (SubmissionEndpoint, Int?) -> Void) async throws(Diagnostic) {
    var started: [Listening] = []
    do throws(Diagnostic) {
      for endpoint in endpoints { started.append(try await start(endpoint)) }
    } catch {
      for listener in started { await SubmissionServer.stop(listener) }
      throw error
    }
    let isStopped = self.listening.withLock { listening in
      guard listening != nil else { return true }
      listening = started
      return false
    }
    guard !isStopped else {
      for listener in started { await SubmissionServer.stop(listener) }
      return
    }
    for listener in started { listening(listener.endpoint, listener.channel.localAddress?.port) }
  }

  private func start(_ endpoint: SubmissionEndpoint) async throws(Diagnostic) -> Listening {
    let state = state
    // Shared with the HTTP service.
    var bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1_024)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(
        .recvAllocator,
        value: AdaptiveRecvByteBufferAllocator(minimum: 1_024, initial: 2_048, maximum: 65_536)
      )
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(SMTPConnectionHandler(state, endpoint))
        }
      }
    var path: String?
    switch endpoint {
    case .address:
      bootstrap = bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelOption(.socketOption(.so_keepalive), value: 1)
    case .socket(let name): path = name
    }
    let channel = try await endpoint.bind(bootstrap)
    return Listening(channel: channel, endpoint: endpoint, file: path.flatMap(SubmissionServer.identity))
  }

  /// The bytes of the mails that are arriving or being stored.
  package var arrivingBytes: Int { state.budget.size }

  /// The number of open connections.
  package var connectionCount: Int { state.connections.count }

  /// Stops listening, ends idle connections with 421, and returns once the mails that are being stored are answered.
  ///
  /// Connections that haven't ended after `patience` are closed.
  package func finish(patience: Duration = .seconds(10)) async {
    for listener in listening.withLock({ exchange(&$0, with: nil) }) ?? [] {
      await SubmissionServer.stop(listener)
    }
    state.connections.stopAll()
    let limit = Task { [state] in
      try await Task.sleep(for: patience)
      state.connections.closeAll()
    }
    await state.connections.untilEmpty()
    limit.cancel()
  }

  private static func stop(_ listener: Listening) async {
    if case .socket(let path) = listener.endpoint, let file = listener.file, identity(path) == file {
      unlink(path)
    }
    try? await listener.channel.close().get()
  }

  private static func identity(_ path: String) -> [UInt64]? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return [UInt64(status.st_dev), UInt64(status.st_ino)]
  }
}
