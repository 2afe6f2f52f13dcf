internal import PabalCore

/// Rows that transactions are going to read, and how they are fetched: all in one round trip.
struct PostgreSQLNeeds {
  /// A search that isn't part of a transaction.
  enum Search: Hashable {
    /// The newest verifications of mailboxes.
    case mailboxes([[UInt8]], limit: Int)
    /// The newest verifications whose id ends like this.
    case suffix(String, limit: Int)
  }

  /// The ids of verifications.
  var verifications: Set<String> = []
  /// The identities whose pending verifications are read.
  var identities: Set<[UInt8]> = []
  /// For each key, how many of the newest events are read.
  var events: [[UInt8]: Int] = [:]
  /// The keys of counts of wrong codes.
  var failures: Set<[UInt8]> = []
  /// The keys of requests.
  var requests: Set<[UInt8]> = []
  /// The ids of mails.
  var mails: Set<String> = []
  var searches: Set<Search> = []

  var isEmpty: Bool {
    verifications.isEmpty && identities.isEmpty && events.isEmpty && failures.isEmpty && requests.isEmpty
      && mails.isEmpty && searches.isEmpty
  }

  /// Adds what a transaction with this footprint is likely to read.
  mutating func add(_ footprint: VerificationFootprint, eventDepth: ([UInt8]) -> Int) {
    verifications.formUnion(footprint.verifications)
    identities.formUnion(footprint.identities)
    for key in footprint.events + footprint.sharedEvents { events[key] = eventDepth(key) }
    failures.formUnion(footprint.failures)
    requests.formUnion(footprint.outbox.requests)
  }

  private static let verificationColumns =
    "v.number, v.revision, v.id, v.purpose, v.identity, v.recipient, v.request, v.state, v.generation, v.code, "
    + "v.earlier, v.attempts, v.created, v.renewed, v.expires, v.ended, v.proof, v.mail, v.language, v.caller, "
    + "v.mailbox"

  /// Selects verifications; `rest` is what follows FROM.
  static func selectVerifications(_ rest: String, _ values: [PostgreSQLValue]) -> PostgreSQLStatement {
    PostgreSQLStatement("SELECT \(verificationColumns) FROM pabal.verification AS v \(rest)", values)
  }

  /// A statement, and what adds its result to a cache.
  typealias Fetch = (
    statement: PostgreSQLStatement,
    add: (PostgreSQLRows, inout PostgreSQLRowCache) throws(PostgreSQLError) -> Void
  )

  /// The statements that fetch the rows.
  var fetches: [Fetch] {
    var fetches: [Fetch] = []
    if !verifications.isEmpty {
      let ids = verifications
      fetches.append(
        (
          Self.selectVerifications("WHERE v.id = ANY ($1)", [.texts(ids.sorted())]),
          { rows, cache throws(PostgreSQLError) in try cache.fill(verifications: ids, rows) }
        ))
    }
    if !identities.isEmpty {
      let identities = identities
      fetches.append(
        (
          Self.selectVerifications(
            "WHERE v.state = 'pending' AND v.identity = ANY ($1) ORDER BY v.number DESC",
            [.bytes(Array(identities))]),
          { rows, cache throws(PostgreSQLError) in try cache.fill(identities: identities, rows) }
        ))
    }
    if !events.isEmpty {
      let depths = events
      fetches.append(
        (
          PostgreSQLStatement(
            """
            SELECT k.key, n.at FROM unnest($1::bytea[], $2::bigint[]) AS k (key, depth), LATERAL (
              SELECT at FROM pabal.limit_note AS n WHERE n.key = k.key ORDER BY n.at DESC LIMIT k.depth) AS n
            """, [.bytes(depths.keys.map { $0 }), .ints(depths.values.map { $0 })]),
          { rows, cache throws(PostgreSQLError) in cache.fill(events: depths, rows) }
        ))
    }
    if !failures.isEmpty {
      let keys = failures
      fetches.append(
        (
          PostgreSQLStatement(
            "SELECT key, count, last FROM pabal.failure WHERE key = ANY ($1)", [.bytes(Array(keys))]),
          { rows, cache throws(PostgreSQLError) in cache.fill(failures: keys, rows) }
        ))
    }
    if !requests.isEmpty {
      let keys = requests
      fetches.append(
        (
          PostgreSQLStatement(
            "SELECT key, payload, made, at FROM pabal.request WHERE key = ANY ($1)", [.bytes(Array(keys))]),
          { rows, cache throws(PostgreSQLError) in try cache.fill(requests: keys, rows) }
        ))
    }
    if !mails.isEmpty {
      let ids = mails
      fetches.append(
        (
          PostgreSQLMailTable.select("WHERE m.id = ANY ($1)", [.texts(ids.sorted())]),
          { rows, cache throws(PostgreSQLError) in try cache.fill(mails: ids, rows) }
        ))
    }
    for search in searches {
      let statement =
        switch search {
        case .mailboxes(let keys, let limit):
          Self.selectVerifications(
            "WHERE v.mailbox = ANY ($1) ORDER BY v.number DESC LIMIT $2", [.bytes(keys), .int(limit)])
        case .suffix(let suffix, let limit):
          // The first condition is the expression of an index.
          Self.selectVerifications(
            "WHERE right(v.id, 6) = right($1, 6) AND right(v.id, $2::integer) = $1 ORDER BY v.number DESC LIMIT $3",
            [.text(suffix), .int(suffix.count), .int(limit)])
        }
      fetches.append(
        (statement, { rows, cache throws(PostgreSQLError) in try cache.fill(search: search, rows) }))
    }
    return fetches
  }
}
