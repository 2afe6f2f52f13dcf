internal import Glibc
internal import PabalPlugin
internal import PabalREST

/// Sends mails by Gmail's API.
final class GmailClient: Sendable {
  private let client: RESTClient
  private let now: @Sendable () -> Int

  /// `now` returns seconds since 1970.
  init(_ server: RESTServer, now: @escaping @Sendable () -> Int = { time(nil) }) {
    client = RESTClient(server)
    self.now = now
  }

  /// Makes one attempt and blocks until it has ended; returns `nil` without an access token.
  func send(_ mail: RESTMail, tokens: RESTClient.TokenSource) -> SendResult? {
    let upload: ReconciledMail
    do throws(UnsuitedMailError) {
      upload = try mail.reconciled(for: GmailAPI.limits)
    } catch {
      return SendResult(.unsuited, error.message).redacted()
    }
    return client.withToken(tokens) { token in
      var head: [UInt8] = []
      GmailAPI.appendSendHead(client.server, token: token, count: upload.count, to: &head)
      head.append(contentsOf: upload.head)
      let exchange = client.exchange(head, upload.tail)
      return (
        ResponseClassifier.sendResult(of: exchange, mail, upload, client.server, now: now()),
        exchange.status == 401
      )
    }
  }

  /// Requests the mailbox's profile and compares it with `user`; returns `nil` without an access token.
  func check(user: String? = nil, tokens: RESTClient.TokenSource) -> SendResult? {
    client.withToken(tokens) { token in
      var head: [UInt8] = []
      GmailAPI.appendProfileHead(client.server, token: token, to: &head)
      let exchange = client.exchange(
        head, UnsafeRawBufferPointer(start: nil, count: 0), sendsMail: false)
      return (
        ProfileClassifier.sendResult(of: exchange, client.server, user: user, now: now()),
        exchange.status == 401
      )
    }
  }

  /// Closes the kept connections.
  func close() { client.close() }
}
