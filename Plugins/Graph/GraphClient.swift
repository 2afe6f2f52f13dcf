internal import Glibc
internal import PabalPlugin
internal import PabalREST

/// Sends mails by Microsoft Graph.
final class GraphClient: Sendable {
  private let client: RESTClient
  private let api: GraphAPI
  private let user: String
  private let now: @Sendable () -> Int

  /// `user` is the account's own address; `now` returns seconds since 1970.
  init(
    _ server: RESTServer, _ api: GraphAPI, user: String, now: @escaping @Sendable () -> Int = { time(nil) }
  ) {
    client = RESTClient(server)
    self.api = api
    self.user = user
    self.now = now
  }

  /// Makes one attempt and blocks until it has ended; returns `nil` without an access token.
  func send(_ mail: RESTMail, tokens: RESTClient.TokenSource) -> SendResult? {
    let reconciled: ReconciledMail
    do throws(UnsuitedMailError) {
      reconciled = try mail.reconciled(for: GraphAPI.limits)
    } catch {
      return SendResult(.unsuited, error.message).redacted()
    }
    let body = GraphAPI.body(reconciled)
    return client.withToken(tokens) { token in
      let exchange = request(body, token: token, sendsMail: true)
      return (
        GraphResponseClassifier.sendResult(of: exchange, mail, reconciled, client.server, now: now()),
        exchange.status == 401
      )
    }
  }

  /// Tests whether the account may send as the mailbox; returns `nil` without an access token.
  ///
  /// The permission to send (Mail.Send) allows no request but this one. So its body isn't base64, which Graph refuses
  /// with `ErrorMimeContentInvalidBase64String` once it has accepted token, permission and mailbox; nothing can be
  /// sent by it.
  func check(tokens: RESTClient.TokenSource) -> SendResult? {
    client.withToken(tokens) { token in
      let exchange = request(Array("*".utf8), token: token, sendsMail: false)
      return (
        GraphResponseClassifier.checkResult(of: exchange, client.server, api, user: user, now: now()),
        exchange.status == 401
      )
    }
  }

  private func request(_ body: [UInt8], token: String, sendsMail: Bool) -> HTTPExchange {
    var head: [UInt8] = []
    api.appendHead(client.server, token: token, count: body.count, to: &head)
    return body.withUnsafeBytes { client.exchange(head, $0, sendsMail: sendsMail) }
  }

  /// Closes the kept connections.
  func close() { client.close() }
}
