internal import HTTPTypes
internal import PabalCore

/// Whoever sent a request.
struct Caller: Sendable {
  /// The client whose key came with it; `nil` on a service that takes callers without one.
  let name: String?
  /// Where a caller without a key calls from.
  let address: String?

  /// The caller of a request that came from `peer`, or a refusal.
  init(_ headers: HTTPFields, peer: String?, _ access: ServeConfiguration) throws(HTTPProblem) {
    if let authorization = headers[.authorization] {
      guard let name = Caller.key(authorization).flatMap(access.clients.name) else {
        throw Caller.refusal("the key is not known here")
      }
      self.name = name
      address = nil
    } else if access.isKeyless {
      name = nil
      address = Caller.address(peer, headers, access)
    } else {
      throw Caller.refusal("send the key as Authorization: Bearer pabal_…")
    }
  }

  /// Where a request came from that `peer` handed over.
  static func address(_ peer: String?, _ headers: HTTPFields, _ access: ServeConfiguration) -> String? {
    peer.map { access.proxies.client($0, forwarded: headers[values: .forwardedFor]) }
  }

  /// What limits by client count: what a caller with a key says, and else where the request came from.
  func client(_ said: String?) -> String? { name == nil ? address : said }

  private static func key(_ authorization: String) -> String? {
    let words = authorization.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
    return String(words[1]).trimmed
  }

  private static func refusal(_ detail: String) -> HTTPProblem {
    var problem = HTTPProblem("unauthorized", .unauthorized, "The request has no valid key", detail: detail)
    problem.fields[.wwwAuthenticate] = "Bearer realm=\"pabal\""
    return problem
  }
}
