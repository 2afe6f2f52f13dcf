package import PabalREST
package import PabalTesting

/// How a connection ends, and whether it uses TLS.
package struct CutVariant: CustomStringConvertible, Sendable {
  package let resets: Bool
  package let plain: Bool

  package static let all = [false, true].flatMap { resets in
    [false, true].map { CutVariant(resets: resets, plain: $0) }
  }

  package var description: String { "\(resets ? "RST" : "FIN") over \(plain ? "TCP" : "TLS")" }

  /// Returns `act` followed by this end of the connection.
  package func applied(to act: RESTServerAction) -> RESTServerAction {
    var act = act
    act.reset = resets
    act.close = resets ? nil : true
    return act
  }
}

/// The matrix of cuts: connections of a mail API that end after each byte of a request or a response.
package struct ConnectionCuts: Sendable {
  private let listen: @Sendable (_ plain: Bool, _ acts: [RESTServerAction]) throws -> RESTTestPort
  private let client: @Sendable (RESTTestPort) throws -> any RESTTestClient
  // The number of ports over which the cuts are distributed.
  private let shares = 6

  /// Cuts at an API whose ports and clients these open.
  package init(
    listen: @escaping @Sendable (_ plain: Bool, _ acts: [RESTServerAction]) throws -> RESTTestPort,
    client: @escaping @Sendable (RESTTestPort) throws -> any RESTTestClient
  ) {
    self.listen = listen
    self.client = client
  }

  /// What came of a mail for each act, and what the server saw of all of them.
  package struct Outcome: Sendable {
    package var results: [SendResult?]
    package var begun: Int
    package var whole: Int
    package var taken: Int
    package var strange: [String]
  }

  /// Sends one mail for each of `acts`, or for each group of `size`, several at once.
  package func outcome(
    _ acts: [RESTServerAction], _ variant: CutVariant, groupsOf size: Int = 1,
    tokens: @escaping @Sendable (_ rejected: String?) -> String? = { _ in RESTTestTokens.first }
  ) async throws -> Outcome {
    let groups = stride(from: 0, to: acts.count, by: size).map {
      Array(acts[$0..<min($0 + size, acts.count)])
    }
    let shared = try await mapOnThreads(Array(0..<shares)) { share in
      Result {
        let own = stride(from: share, to: groups.count, by: shares).map { groups[$0] }
        let port = try listen(variant.plain, own.flatMap(\.self))
        let client = try client(port)
        return (
          results: own.map { _ in RESTTestMail.small.sendResult(client, tokens: tokens) },
          report: try port.report()
        )
      }
    }.map { try $0.get() }
    return Outcome(
      results: groups.indices.map { shared[$0 % shares].results[$0 / shares] },
      begun: shared.map(\.report.begun).reduce(0, +), whole: shared.map(\.report.whole).reduce(0, +),
      taken: shared.map(\.report.taken.count).reduce(0, +), strange: shared.flatMap(\.report.strange))
  }

  /// Sends one mail for each number of bytes after which its response is cut.
  package func outcome(ofResponse text: String, after cuts: [Int], _ variant: CutVariant) async throws
    -> Outcome
  {
    let acts = cuts.map { cut in
      var act = RESTServerAction.raw(text)
      act.answer = cut
      return variant.applied(to: act)
    }
    return try await outcome(acts, variant)
  }

  /// Sends one mail for each number of bytes after which its request is cut; there is one cut for each byte but the last.
  package func outcomeOfRequests(_ variant: CutVariant) async throws -> Outcome {
    try await outcome(
      (1..<(try requestLength(variant))).map { variant.applied(to: RESTServerAction(request: $0)) }, variant)
  }

  /// Returns the size of a request with the small mail.
  package func requestLength(_ variant: CutVariant) throws -> Int {
    let port = try listen(variant.plain, [])
    guard RESTTestMail.small.sendResult(try client(port))?.verdict == .sent,
      let length = try port.report().lengths.first
    else { throw TestError("the fake API didn't accept the small mail") }
    return length
  }
}
