internal import Glibc
internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin
internal import Synchronization

/// Sends mails by Gmail's API over kept connections, and repeats a request once with a renewed access token.
final class GmailClient: Sendable {
  /// Returns an access token for one attempt, or `nil` if there is none; `rejected` is the token just refused.
  typealias TokenSource = (_ rejected: String?) -> String?

  let api: GmailAPI
  /// The connection used last is taken first, so that idle ones expire.
  private let idleConnections = Mutex<[HTTPConnection]>([])
  private let now: @Sendable () -> Int

  /// `now` returns seconds since 1970.
  init(_ api: GmailAPI, now: @escaping @Sendable () -> Int = { time(nil) }) {
    self.api = api
    self.now = now
  }

  /// Makes one attempt and blocks until it has ended; returns `nil` without an access token.
  func send(_ mail: GmailMessage, tokens: TokenSource) -> SendResult? {
    let upload: UploadBody
    do throws(UnsuitedMailError) {
      upload = try mail.upload()
    } catch {
      return SendResult(.unsuited, error.message).redacted()
    }
    return withToken(tokens) { token in
      var head: [UInt8] = []
      api.appendSendHead(token: token, count: upload.count, to: &head)
      head.append(contentsOf: upload.head)
      let exchange = exchange(head, upload.tail)
      return (
        ResponseClassifier.sendResult(of: exchange, mail, upload, api, now: now()), exchange.status == 401
      )
    }
  }

  /// Requests the mailbox's profile and compares it with `user`; returns `nil` without an access token.
  func check(user: String? = nil, tokens: TokenSource) -> SendResult? {
    withToken(tokens) { token in
      var head: [UInt8] = []
      api.appendProfileHead(token: token, to: &head)
      let exchange = exchange(head, UnsafeRawBufferPointer(start: nil, count: 0))
      return (ProfileClassifier.sendResult(of: exchange, api, user: user, now: now()), exchange.status == 401)
    }
  }

  /// Closes the kept connections.
  func close() { idleConnections.withLock { $0 = [] } }

  /// Performs a request over a kept connection or a new one.
  private func exchange(_ head: [UInt8], _ tail: UnsafeRawBufferPointer) -> HTTPExchange {
    if let connection = pooledConnection() {
      let exchange = perform(head, tail, over: connection)
      if !exchange.isSafeToRepeat { return exchange }
    }
    do throws(CurlError) {
      return perform(head, tail, over: try HTTPConnection(api))
    } catch {
      var exchange = HTTPExchange()
      exchange.failure = .notConnected(error)
      return exchange
    }
  }

  private func perform(
    _ head: [UInt8], _ tail: UnsafeRawBufferPointer, over connection: HTTPConnection
  ) -> HTTPExchange {
    let exchange = connection.perform(head, tail, now: MonotonicClock.milliseconds())
    if exchange.isReusable { idleConnections.withLock { $0.append(connection) } }
    return exchange
  }

  private func pooledConnection() -> HTTPConnection? {
    let now = MonotonicClock.milliseconds()
    while let connection = idleConnections.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
    }
    return nil
  }

  /// Runs `request` with a token, and again with a renewed one if the API refused the first.
  private func withToken(
    _ tokens: TokenSource, _ request: (String) -> (sendResult: SendResult, isRefused: Bool)
  ) -> SendResult? {
    guard let token = tokens(nil) else { return nil }
    guard Self.isValidToken(token) else { return Self.invalidToken }
    let first = request(token)
    guard first.isRefused else { return first.sendResult.redacted(removing: token) }
    guard let renewed = tokens(token) else { return nil }
    // The API would refuse the same token again.
    guard renewed != token else { return first.sendResult.redacted(removing: token) }
    guard Self.isValidToken(renewed) else { return Self.invalidToken }
    return request(renewed).sendResult.redacted(removing: token, renewed)
  }

  private static let invalidToken = SendResult(
    .held(.transport), "the account's access token contains invalid characters; log the account in again")

  /// Whether a token is valid in a header: printable ASCII without spaces.
  private static func isValidToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
