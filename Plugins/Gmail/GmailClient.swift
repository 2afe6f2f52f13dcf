internal import Glibc
internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin
internal import Synchronization

/// Carries mails to the API: makes header and envelope agree, asks once more where a token was refused.
final class GmailClient: Sendable {
  /// Where access tokens come from, for one attempt: `nil` when there is none to be had.
  typealias TokenSource = (_ rejected: String?) -> String?

  let api: GmailAPI
  /// The one used last goes out first, so that few stay warm.
  private let idleConnections = Mutex<[HTTPConnection]>([])
  private let now: @Sendable () -> Int

  /// `now` in seconds since 1970.
  init(_ api: GmailAPI, now: @escaping @Sendable () -> Int = { time(nil) }) {
    self.api = api
    self.now = now
  }

  /// Makes one attempt and blocks until it has ended; `nil`: no token was to be had.
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

  /// Asks for the profile, which should be `user`'s; `nil`: no token was to be had.
  func check(user: String? = nil, tokens: TokenSource) -> SendResult? {
    withToken(tokens) { token in
      var head: [UInt8] = []
      api.appendProfileHead(token: token, to: &head)
      let exchange = exchange(head, UnsafeRawBufferPointer(start: nil, count: 0))
      return (ProfileClassifier.sendResult(of: exchange, api, user: user, now: now()), exchange.status == 401)
    }
  }

  /// Parts from the API.
  func close() { idleConnections.withLock { $0 = [] } }

  /// Makes a request over a kept connection or a new one.
  private func exchange(_ head: [UInt8], _ tail: UnsafeRawBufferPointer) -> HTTPExchange {
    if let connection = pooledConnection() {
      let exchange = connection.perform(head, tail, now: MonotonicClock.milliseconds())
      if exchange.isReusable { idleConnections.withLock { $0.append(connection) } }
      // It had died, and none of the request left: nobody can have read it.
      guard exchange.failure != nil, exchange.status == nil, exchange.bytesSent == 0 else {
        return exchange
      }
    }
    do throws(CurlError) {
      let connection = try HTTPConnection(api)
      let exchange = connection.perform(head, tail, now: MonotonicClock.milliseconds())
      if exchange.isReusable { idleConnections.withLock { $0.append(connection) } }
      return exchange
    } catch {
      var exchange = HTTPExchange()
      exchange.failure = .notConnected(error)
      return exchange
    }
  }

  private func pooledConnection() -> HTTPConnection? {
    let now = MonotonicClock.milliseconds()
    while let connection = idleConnections.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
    }
    return nil
  }

  /// Runs `request` with a token, and once more with a new one where that was refused.
  private func withToken(
    _ tokens: TokenSource, _ request: (String) -> (sendResult: SendResult, isRefused: Bool)
  ) -> SendResult? {
    guard let token = tokens(nil) else { return nil }
    guard Self.isValidToken(token) else { return Self.invalidToken }
    let first = request(token)
    guard first.isRefused else { return first.sendResult.redacted(removing: token) }
    guard let renewed = tokens(token) else { return nil }
    // The same token again would be refused again.
    guard renewed != token else { return first.sendResult.redacted(removing: token) }
    guard Self.isValidToken(renewed) else { return Self.invalidToken }
    return request(renewed).sendResult.redacted(removing: token, renewed)
  }

  private static let invalidToken = SendResult(
    .held(.transport), "the account gave a token with characters no token has; log it in again")

  /// Whether a token can stand in a header: printable ASCII without a blank.
  private static func isValidToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
