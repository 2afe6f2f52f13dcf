internal import Glibc
internal import PabalCurl
internal import PabalPlugin
internal import Synchronization

/// Carries mails to the API: makes header and envelope agree, asks once more where a token was refused.
final class Courier: Sendable {
  /// Where access tokens come from, for one attempt: `nil` when there is none to be had.
  typealias Tokens = (_ rejected: String?) -> String?

  let service: Service
  /// The one used last goes out first, so that few stay warm.
  private let waiting = Mutex<[Connection]>([])
  private let now: @Sendable () -> Int

  /// `now` in seconds since 1970.
  init(_ service: Service, now: @escaping @Sendable () -> Int = { time(nil) }) {
    self.service = service
    self.now = now
  }

  /// Makes one attempt and blocks until it has ended; `nil`: no token was to be had.
  func send(_ submission: Submission, tokens: Tokens) -> Ending? {
    let upload: Upload
    do throws(Obstacle) {
      upload = try submission.upload()
    } catch {
      return Ending(.unsuited, error.words).shown()
    }
    return authorized(tokens) { token in
      var head: [UInt8] = []
      service.appendSendHead(token: token, count: upload.count, to: &head)
      head.append(contentsOf: upload.head)
      let exchange = exchange(head, upload.tail)
      return (Judgement.ending(of: exchange, submission, upload, service, now: now()), exchange.status == 401)
    }
  }

  /// Asks for the profile, which should be `user`'s; `nil`: no token was to be had.
  func check(user: String? = nil, tokens: Tokens) -> Ending? {
    authorized(tokens) { token in
      var head: [UInt8] = []
      service.appendProfileHead(token: token, to: &head)
      let exchange = exchange(head, UnsafeRawBufferPointer(start: nil, count: 0))
      return (Profile.ending(of: exchange, service, user: user, now: now()), exchange.status == 401)
    }
  }

  /// Parts from the API.
  func close() { waiting.withLock { $0 = [] } }

  /// Makes a request over a kept connection or a new one.
  private func exchange(_ head: [UInt8], _ tail: UnsafeRawBufferPointer) -> Exchange {
    if let connection = kept() {
      let exchange = connection.perform(head, tail, now: milliseconds())
      if exchange.isReusable { waiting.withLock { $0.append(connection) } }
      // It had died, and none of the request left: nobody can have read it.
      guard exchange.failure != nil, exchange.status == nil, exchange.octetsTaken == 0 else {
        return exchange
      }
    }
    do throws(CurlFailure) {
      let connection = try Connection(service)
      let exchange = connection.perform(head, tail, now: milliseconds())
      if exchange.isReusable { waiting.withLock { $0.append(connection) } }
      return exchange
    } catch {
      var exchange = Exchange()
      exchange.failure = .unconnected(error)
      return exchange
    }
  }

  private func kept() -> Connection? {
    let now = milliseconds()
    while let connection = waiting.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
    }
    return nil
  }

  /// Runs `request` with a token, and once more with a new one where that was refused.
  private func authorized(
    _ tokens: Tokens, _ request: (String) -> (ending: Ending, isRefused: Bool)
  ) -> Ending? {
    guard let token = tokens(nil) else { return nil }
    guard Self.isToken(token) else { return Self.noToken }
    let first = request(token)
    guard first.isRefused else { return first.ending.shown(without: token) }
    guard let renewed = tokens(token) else { return nil }
    // The same token again would be refused again.
    guard renewed != token else { return first.ending.shown(without: token) }
    guard Self.isToken(renewed) else { return Self.noToken }
    return request(renewed).ending.shown(without: token, renewed)
  }

  private static let noToken = Ending(
    .held(.transport), "the account gave a token with characters no token has; log it in again")

  /// Whether a token can stand in a header: printable ASCII without a blank.
  private static func isToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }
}
