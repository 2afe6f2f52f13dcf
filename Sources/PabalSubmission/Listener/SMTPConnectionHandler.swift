internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import PabalCore

/// Drives the session of one connection.
///
/// It reads only while the session wants input and the client has taken its replies, so that a connection holds no more
/// than one read beyond what the session has accepted.
final class SMTPConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    /// Before the greeting: TLS from the beginning, or the peer isn't known yet.
    case opening
    /// The session works, or waits for input.
    case dialogue
    /// After 220 of STARTTLS.
    case startingTLS
    /// A password is being checked or a mail stored.
    case pending
    /// The last reply is on its way.
    case closing
    case closed
  }

  private let shared: ListenerState
  private let endpoint: SubmissionEndpoint
  private var settings: ListenerSettings?
  private var session: SMTPSession?
  private var connection: SubmissionConnections.Connection?
  /// Known once the connection is open; on the Unix socket a moment later.
  private var client: ConnectedClient?
  private var phase = Phase.opening
  private var isStopping = false
  private var isReading = false
  private var isAdvancing = false
  private var isInputClosed = false
  private var discarded = 0
  private var content: ArrivingContent
  private var clock: ConnectionClock
  private var deadline = ConnectionDeadline()

  init(_ shared: ListenerState, _ endpoint: SubmissionEndpoint) {
    self.shared = shared
    self.endpoint = endpoint
    content = ArrivingContent(shared.budget, shared.times)
    clock = ConnectionClock(shared.times)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { open(context) }
  }

  func channelActive(context: ChannelHandlerContext) { open(context) }

  // MARK: Beginning

  private func open(_ context: ChannelHandlerContext) {
    guard phase == .opening, settings == nil else { return }
    guard let settings = shared.settings(endpoint) else { return close(context) }
    self.settings = settings
    clock.start(at: .now())
    switch endpoint {
    case .address:
      let address = context.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
      guard register(context, settings, ConnectedClient(address, settings.configuration)) else { return }
      guard settings.configuration.security == .tls else { return greet(context, nil) }
      guard addTLS(context, settings) else { return close(context) }
      wait(context, until: .now() + shared.times.stranger)
      read(context)
    case .socket:
      guard let provider = context.channel as? any SocketOptionProvider else { return close(context) }
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      let credentials: EventLoopFuture<LocalPeer.Credentials> = provider.unsafeGetSocketOption(
        level: .socket, name: NIOBSDSocket.Option(rawValue: LocalPeer.credentialsOption))
      credentials.whenComplete { result in
        let (handler, context) = bound.value
        guard case .success(let credentials) = result else { return handler.close(context) }
        handler.open(context, settings, LocalPeer(uid: credentials.uid))
      }
    }
  }

  private func open(_ context: ChannelHandlerContext, _ settings: ListenerSettings, _ local: LocalPeer) {
    guard register(context, settings, ConnectedClient(local, settings.configuration)) else { return }
    greet(context, nil)
  }

  private func register(
    _ context: ChannelHandlerContext, _ settings: ListenerSettings, _ client: ConnectedClient
  ) -> Bool {
    self.client = client
    let total = SubmissionConnections.total(settings.configuration.limits.connections)
    connection = shared.connections.register(
      context.channel, peer: client.key, total: total, perPeer: client.connectionLimit)
    guard connection == nil else { return true }
    if shared.reports.isDue("crowded \(client.key)") {
      shared.report(.crowded(address: client.shownAddress))
    }
    // Without TLS, which hasn't begun, only those who expect it can't read a line.
    if settings.configuration.security != .tls || client.isLocal { write(context, crowdedLine) }
    close(context)
    return false
  }

  private func addTLS(_ context: ChannelHandlerContext, _ settings: ListenerSettings) -> Bool {
    guard let certificate = settings.certificate else { return false }
    let handler = certificate.makeHandler()
    return (try? context.pipeline.syncOperations.addHandler(handler, position: .first)) != nil
  }

  private func greet(_ context: ChannelHandlerContext, _ certificate: Submitter?) {
    guard let settings, var client else { return close(context) }
    client.peer.isEncrypted = !client.isLocal && settings.configuration.security == .tls
    if let certificate { client.peer.submitter = certificate }
    self.client = client
    session = SMTPSession(client.policy(settings), peer: client.peer)
    phase = .dialogue
    advance(context)
  }

  // MARK: Input

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    switch phase {
    case .dialogue, .pending:
      session?.append(buffer.readableBytesView)
      content.receive(buffer.readableBytes, at: .now())
    case .closing:
      discarded += buffer.readableBytes
      if discarded > 1 << 20 { close(context) }
    case .opening, .startingTLS, .closed: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    switch phase {
    case .dialogue: advance(context)
    case .closing, .startingTLS, .opening: read(context)
    case .pending, .closed: break
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable, phase == .dialogue { advance(context) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case TLSUserEvent.handshakeCompleted: secured(context)
    case ChannelEvent.inputClosed:
      isInputClosed = true
      switch phase {
      case .dialogue:
        session?.endInput()
        advance(context)
      case .pending: session?.endInput()
      case .opening, .startingTLS, .closing: close(context)
      case .closed: break
      }
    case ConnectionSignal.stop:
      isStopping = true
      if phase == .dialogue { stop(context) } else if phase != .pending { close(context) }
    case ConnectionSignal.giveWay:
      // At once, because no limit counts a connection that has lost its place.
      if phase == .dialogue { write(context, crowdedLine) }
      close(context)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if phase == .opening || phase == .startingTLS, !TLSFailure.isEndOfInput(error),
      let client, shared.reports.isDue("handshake \(client.key)")
    {
      shared.report(.handshakeFailed(address: client.shownAddress))
    }
    close(context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    phase = .closed
    release()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { release() }

  private func release() {
    deadline.cancel()
    content.release()
    if let connection { shared.connections.unregister(connection) }
    connection = nil
    session = nil
  }

  private func secured(_ context: ChannelHandlerContext) {
    let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)
    let submitter = client?.secured(with: handler?.peerCertificate, settings) ?? nil
    // What TLS read for its handshake doesn't count.
    isReading = false
    switch phase {
    case .opening: greet(context, submitter)
    case .startingTLS:
      phase = .dialogue
      session?.startedTLS(submitter: submitter)
      clock.answer(at: .now())
      advance(context)
    case .dialogue, .pending, .closing, .closed: break
    }
  }

  // MARK: The session

  /// Works on the session until it waits for something.
  private func advance(_ context: ChannelHandlerContext) {
    // Writing may call back, when the system takes everything at once.
    guard !isAdvancing else { return }
    isAdvancing = true
    defer { isAdvancing = false }
    while phase == .dialogue {
      guard context.channel.isWritable else {
        return wait(context, until: .now() + shared.times.writing)
      }
      let mailRefusal = shared.mailRefusal(session?.submitter, client?.proof ?? ClientProof(), at: endpoint)
      session?.mailRefusal = mailRefusal
      if let submitter = session?.submitter, let settings = shared.settings(endpoint) {
        session?.rules = settings.configuration.rules(for: submitter)
      }
      guard let step = session?.next() else { return }
      reportRefusals()
      if let output = session?.takeOutput(), !output.isEmpty {
        clock.answer(at: .now())
        write(context, output)
        // Writing may have failed and closed the channel.
        guard phase == .dialogue else { return }
      }
      connection?.isStranger = session?.submitter == nil
      switch step {
      case .read:
        if isStopping { return stop(context) }
        if isInputClosed { return finish(context) }
        if !acceptsContent() { continue }
        waitForInput(context)
        return
      case .authenticate(let credentials): authenticate(context, credentials)
      case .startTLS:
        phase = .startingTLS
        guard let settings, addTLS(context, settings) else { return close(context) }
        wait(context, until: .now() + shared.times.stranger)
        isReading = false
        read(context)
      case .submit(let submission): submit(context, submission)
      case .close: finish(context)
      }
    }
  }

  /// Reports mail that the session refused by itself.
  private func reportRefusals() {
    guard let submitter = session?.submitter else { return }
    for reply in session?.takeRefusals() ?? [] { shared.reportRefusal(submitter, at: endpoint, reply) }
  }

  /// Counts the content that has arrived. If there is too much of it, the session refuses it and `false` is returned.
  private func acceptsContent() -> Bool {
    session?.isReceivingContent == true ? content.begin(at: .now()) : content.end()
    guard !holds(session?.contentSize ?? 0) else { return true }
    session?.refuseContent(SMTPConnectionHandler.crowdedReply)
    content.release()
    return false
  }

  private static let crowdedReply = SMTPReply(
    452, "4.3.1", "too much mail is arriving at once, try again later")

  private func holds(_ bytes: Int) -> Bool {
    content.hold(bytes, for: session?.submitter, settings?.configuration.limits ?? SubmissionLimits())
  }

  private func waitForInput(_ context: ChannelHandlerContext) {
    guard let settings, let connection else { return }
    let end = clock.inputDeadline(
      isStranger: connection.isStranger, content: content.deadline, settings.configuration.limits)
    wait(context, until: end)
    read(context)
  }

  private func read(_ context: ChannelHandlerContext) {
    guard !isReading, !isInputClosed else { return }
    isReading = true
    context.read()
  }

  private func authenticate(_ context: ChannelHandlerContext, _ credentials: SMTPCredentials) {
    // Those in use now: a user who was removed since the connection began must not log in.
    guard let settings = shared.settings(endpoint), let client else { return close(context) }
    phase = .pending
    deadline.set(nil, on: context.eventLoop) {}
    let (shared, peer, key) = (shared, client.peer, client.key)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let eventLoop = context.eventLoop
    let password = settings.configuration.users.first { $0.name == credentials.user }?.password
    Task {
      let answer = await shared.logIn(credentials, peer, key: key, settings.configuration)
      eventLoop.execute {
        let (handler, context) = bound.value
        if case .accepted = answer { handler.client?.proof.password = password }
        handler.resume(context) { $0?.authenticated(answer) }
      }
    }
  }

  private func submit(_ context: ChannelHandlerContext, _ submission: SMTPSubmission) {
    // Those in use now: the rules of senders may have changed since the connection began.
    guard let settings = shared.settings(endpoint) else { return close(context) }
    content.end()
    // A mail that arrived within one read hasn't been counted yet. Since MAIL, the settings may have changed.
    let refusal =
      shared.mailRefusal(session?.submitter, client?.proof ?? ClientProof(), at: endpoint)
      ?? (holds(submission.bytes.count) ? nil : SMTPConnectionHandler.crowdedReply)
    if let refusal {
      content.release()
      shared.reportRefusal(submission.submitter, at: endpoint, refusal)
      session?.submitted(.refused(refusal))
      return
    }
    phase = .pending
    deadline.set(nil, on: context.eventLoop) {}
    let (shared, endpoint) = (shared, endpoint)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let eventLoop = context.eventLoop
    // The mail is counted until it is stored, even if the connection ends before.
    let hold = content.detach()
    Task {
      let result = await shared.store(submission, hold, at: endpoint, settings)
      eventLoop.execute {
        let (handler, context) = bound.value
        handler.resume(context) { $0?.submitted(result) }
      }
    }
  }

  private func resume(_ context: ChannelHandlerContext, _ body: (inout SMTPSession?) -> Void) {
    guard phase == .pending else { return }
    body(&session)
    phase = .dialogue
    advance(context)
  }

  // MARK: Ending

  /// Ends a connection whose session waits for input, because the service stops.
  private func stop(_ context: ChannelHandlerContext) {
    end(context, "421 4.3.2 \(settings?.hostName ?? "") service shutting down", lingers: false)
  }

  /// The last line for a connection that has no place.
  private var crowdedLine: [UInt8] {
    Array("421 4.7.0 \(settings?.hostName ?? "") too many connections, try again later\r\n".utf8)
  }

  /// Writes a last line that the session doesn't know about, and closes.
  private func end(_ context: ChannelHandlerContext, _ line: String, lingers: Bool = true) {
    write(context, Array("\(line)\r\n".utf8))
    finish(context, lingers: lingers)
  }

  private func write(_ context: ChannelHandlerContext, _ bytes: [UInt8]) {
    var buffer = context.channel.allocator.buffer(capacity: bytes.count)
    buffer.writeBytes(bytes)
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  /// Closes the connection once the client has had time to read the last reply.
  private func finish(_ context: ChannelHandlerContext, lingers: Bool = true) {
    guard phase != .closing, phase != .closed else { return }
    phase = .closing
    session = nil
    content.end()
    content.release()
    wait(context, until: .now() + shared.times.writing)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let written = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(capacity: 0)), promise: written)
    written.futureResult.whenComplete { _ in
      let (handler, context) = bound.value
      lingers ? handler.linger(context) : handler.close(context)
    }
  }

  /// Closing with unread input would make the system reset the connection, and the client might not see the reply.
  private func linger(_ context: ChannelHandlerContext) {
    guard phase == .closing else { return }
    let isEncrypted = (try? context.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)) != nil
    guard !isEncrypted, !isInputClosed else { return close(context) }
    wait(context, until: .now() + shared.times.lingering)
    context.close(mode: .output, promise: nil)
    read(context)
  }

  private func close(_ context: ChannelHandlerContext) {
    guard phase != .closed else { return }
    content.release()
    phase = .closed
    deadline.cancel()
    context.close(promise: nil)
  }

  // MARK: Time

  private func wait(_ context: ChannelHandlerContext, until end: NIODeadline) {
    deadline.set(end, on: context.eventLoop, expiry(context))
  }

  private func expiry(_ context: ChannelHandlerContext) -> @Sendable () -> Void {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    return {
      let (handler, context) = bound.value
      let expiry = handler.expiry(context)
      guard handler.deadline.fired(at: .now(), on: context.eventLoop, expiry) else { return }
      handler.expired(context)
    }
  }

  private func expired(_ context: ChannelHandlerContext) {
    guard phase == .dialogue, context.channel.isWritable else { return close(context) }
    end(context, "421 4.4.2 \(settings?.hostName ?? "") timed out, closing the connection")
  }
}
