package import PabalCore
internal import PabalCurl
package import PabalFormats

/// Reads the mailbox of a Google account by Gmail's API.
///
/// Every call blocks, and opens a connection of its own: bounces are read once in minutes.
package struct GmailMailbox: Sendable {
  private let source: any AccessTokenSource
  private let endpoint: HTTPEndpoint
  private let authorities: String?

  private static let standardEndpoint = "https://gmail.googleapis.com"
  // A list of 100 ids has 10 KiB.
  private static let listLimit = 1 << 20
  private static let pageSize = 100

  /// The mailbox of `source`. `authorities` is a PEM file that is trusted instead of the system's.
  package init(
    _ source: any AccessTokenSource, endpoint: HTTPEndpoint?, authorities: String?
  ) throws(MailboxError) {
    self.source = source
    self.authorities = authorities
    if let endpoint {
      self.endpoint = endpoint
      return
    }
    do throws(HTTPEndpointError) {
      self.endpoint = try HTTPEndpoint(Self.standardEndpoint, query: .refused)
    } catch {
      throw MailboxError("\"endpoint\" \(error)")
    }
  }

  /// Returns the ids of the newest `limit` mails that match a search of Gmail, spam included, the newest first.
  package func ids(matching query: String, limit: Int) throws(MailboxError) -> [String] {
    var ids: [String] = []
    var page: String?
    repeat {
      var fields = [
        ("q", query), ("maxResults", "\(min(limit, Self.pageSize))"), ("includeSpamTrash", "true"),
        ("fields", "messages/id,nextPageToken"),
      ]
      if let page { fields.append(("pageToken", page)) }
      let body = try get("messages", fields, limit: Self.listLimit)
      guard let root = try? JSONParser().parse(body.span), case .object = root.content else {
        throw MailboxError("\(endpoint.authority) answered without a list of mails")
      }
      ids += (root["messages"]?.elements ?? []).compactMap { $0["id"]?.string }.filter { !$0.isEmpty }
      page = root["nextPageToken"]?.string
    } while page != nil && ids.count < limit
    return Array(ids.prefix(limit))
  }

  /// Returns the first `limit` bytes of a mail; `nil` if it has been deleted.
  package func mail(_ id: String, limit: Int) throws(MailboxError) -> [UInt8]? {
    let path = "messages/\(PercentEncoding.encode(id, allowing: .unreserved))"
    let size = Base64.encodedCount(of: limit) + 1_024
    let body: [UInt8]
    do throws(MailboxError) {
      body = try get(path, [("format", "raw"), ("fields", "raw")], limit: size, cutsOff: true)
    } catch {
      guard error.status == 404 else { throw error }
      return nil
    }
    return Self.decodedRaw(body)
  }

  /// Returns the mail in an answer, which may be cut off.
  static func decodedRaw(_ body: [UInt8]) -> [UInt8] {
    guard let key = body.firstRange(of: Array("\"raw\"".utf8)),
      let start = body[key.upperBound...].firstIndex(of: UInt8(ascii: "\""))
    else { return [] }
    var digits = body[(start + 1)...].prefix { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    if start + 1 + digits.count == body.count { digits = digits.prefix(digits.count / 4 * 4) }
    return (try? Base64.decode(digits.span, .init(digits: .either, padding: .anyLength))) ?? []
  }

  private func get(
    _ path: String, _ fields: [(name: String, value: String)], limit: Int, cutsOff: Bool = false
  ) throws(MailboxError) -> [UInt8] {
    var rejected: String?
    while true {
      let token = try source.mailboxToken(rejected: rejected)
      let (status, body, retryAfter): (Int, [UInt8], Duration?)
      do throws(CurlError) {
        (status, body, retryAfter) = try send(
          path, fields, token: token.text, limit: limit, cutsOff: cutsOff)
      } catch {
        throw MailboxError("\(endpoint.authority): \(error)")
      }
      if status == 401, rejected == nil {
        rejected = token.text
        continue
      }
      guard status == 200 else {
        throw MailboxError(status: status, body, endpoint: endpoint.authority, retryAfter: retryAfter)
      }
      return body
    }
  }

  private func send(
    _ path: String, _ fields: [(name: String, value: String)], token: String, limit: Int, cutsOff: Bool
  ) throws(CurlError) -> (Int, [UInt8], Duration?) {
    let handle = try CurlHandle(protocols: "https,http")
    var base = endpoint.description
    while base.hasSuffix("/") { base.removeLast() }
    try handle.set(.url, "\(base)/gmail/v1/users/me/\(path)?\(URLEncodedForm(fields).encoded)")
    if let authorities { try handle.setTrustRoots(.only(file: authorities, directory: nil)) }
    if let account = source as? OAuthAccount,
      let proxy = try? account.dependencies.proxy?.proxy(for: endpoint)
    {
      try handle.setProxy(proxy)
    }
    try handle.set(.userAgent, "pabal")
    try handle.set(.connectTimeout, .seconds(10))
    try handle.set(.totalTimeout, .seconds(60))
    try handle.setHeaders(["Accept: application/json", "Authorization: Bearer \(token)"])
    let collected = Collected()
    handle.onBody = { bytes in
      let room = limit - collected.body.count
      collected.body.append(contentsOf: bytes.prefix(room))
      collected.isCutOff = bytes.count > room
      return !collected.isCutOff
    }
    do throws(CurlError) {
      try handle.perform()
    } catch {
      guard error.code == .abortedByCallback, cutsOff, collected.isCutOff else { throw error }
    }
    let seconds = handle.retryAfterSeconds
    return (handle.responseCode, collected.body, seconds > 0 ? .seconds(min(seconds, 3_600)) : nil)
  }

  private final class Collected {
    var body: [UInt8] = []
    var isCutOff = false
  }
}
