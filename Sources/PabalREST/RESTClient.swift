internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin
internal import Synchronization

/// Makes requests over kept connections, and repeats one once with a renewed access token.
package final class RESTClient: Sendable {
  /// Returns an access token for one attempt, or `nil` if there is none; `rejected` is the token just refused.
  package typealias TokenSource = (_ rejected: String?) -> String?

  /// The server.
  package let server: RESTServer
  /// The connection used last is taken first, so that idle ones expire.
  private let idleConnections = Mutex<[HTTPConnection]>([])

  /// Connects when the first request is made.
  package init(_ server: RESTServer) { self.server = server }

  /// Closes the kept connections.
  package func close() { idleConnections.withLock { $0 = [] } }

  /// Performs a request over a kept connection or a new one. `sendsMail`: whether the response is worth waiting for
  /// `finalTimeout`.
  package func exchange(
    _ head: [UInt8], _ tail: UnsafeRawBufferPointer, sendsMail: Bool = true
  ) -> HTTPExchange {
    let patience = sendsMail ? server.finalTimeout : server.timeout
    if let connection = pooledConnection() {
      let exchange = perform(head, tail, patience, over: connection)
      if !exchange.isSafeToRepeat { return exchange }
    }
    do throws(CurlError) {
      return perform(head, tail, patience, over: try HTTPConnection(server))
    } catch {
      var exchange = HTTPExchange()
      exchange.failure = .notConnected(error)
      return exchange
    }
  }

  private func perform(
    _ head: [UInt8], _ tail: UnsafeRawBufferPointer, _ patience: Int, over connection: HTTPConnection
  ) -> HTTPExchange {
    let exchange = connection.perform(
      head, tail, responseTimeout: patience, now: MonotonicClock.milliseconds())
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

  /// Runs `request` with a token, and again with a renewed one if the API refused the first; returns `nil` without a
  /// token.
  package func withToken(
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
