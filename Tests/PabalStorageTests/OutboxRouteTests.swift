import PabalCore
import Testing

/// The contract of every outbox: mail is claimed by its route.
@Suite struct OutboxRouteTests {
  @Test(arguments: OutboxBackend.allCases)
  func `a claim takes only mail of the routes that it names`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([
        mail(1, route: "user:shop"), mail(2, lane: .bulk), mail(3, lane: .normal, route: "domain:b.example"),
        mail(4), mail(5, lane: .bulk, route: "user:shop"), mail(6, due: 99, route: "user:shop"),
      ])
      let neither = claim("a", limit: 9, routes: .only([]))
      #expect(try await outbox.claim(neither).isEmpty)
      let shop = try await outbox.claim(claim("a", routes: .only(["user:shop", "user:removed"])))
      #expect(shop.map(\.id) == ["MAIL1", "MAIL5"])
      #expect(shop.map(\.route) == ["user:shop", "user:shop"])
      let standard = claim("a", limit: 1, routes: .except(["user:shop", "domain:b.example"]))
      #expect(try await outbox.claim(standard).map(\.id) == ["MAIL4"])
      // A key that no configuration has any more belongs to the standard route.
      let rest = try await outbox.claim(claim("a", routes: .except(["user:shop"])))
      #expect(rest.map(\.id) == ["MAIL3", "MAIL2"])
      #expect(try await outbox.claim(claim("a", at: 99, routes: .only([""]))).isEmpty)
      #expect(try await outbox.claim(claim("a", at: 99)).map(\.id) == ["MAIL6"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a claim of one mail takes it whatever its route`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1, route: "user:shop"), mail(2, route: "user:shop")])
      let byID = claim("a", id: "MAIL2", routes: .except(["user:shop"]))
      #expect(try await outbox.claim(byID).map(\.id) == ["MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `the sends reserved for codes are those of the claimed routes`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([
        mail(1, route: "user:shop"), mail(2, lane: .normal, route: "domain:b.example"),
        mail(3, lane: .normal, route: "domain:b.example"), mail(4, route: "domain:b.example"),
      ])
      let reserved = claim("a", limit: 3, reservedForCodes: 2, routes: .only(["domain:b.example"]))
      #expect(try await outbox.claim(reserved).map(\.id) == ["MAIL4"])
      var others = claim("a", routes: .only(["domain:b.example", "user:shop"]))
      others.excludesCodes = true
      #expect(try await outbox.claim(others).map(\.id) == ["MAIL2", "MAIL3"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `callers take turns within a route, however often other routes are claimed`(
    _ backend: OutboxBackend
  ) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add((0..<20).map { mail($0, caller: .client("flood"), route: "domain:b.example") })
      try await outbox.add((20..<30).map { mail($0, caller: .client("other")) })
      let routes = OutboxClaim.Routes.only(["domain:b.example"])
      var claimed = try await outbox.claim(claim("a", limit: 1, routes: routes)).map(\.id)
      try await outbox.add(
        (100..<103).map { mail($0, created: 1, caller: .client("shop"), route: "domain:b.example") })
      for _ in 0..<4 {
        _ = try await outbox.claim(claim("a", at: 2, limit: 1, routes: .except(["domain:b.example"])))
        claimed += try await outbox.claim(claim("a", at: 2, limit: 1, routes: routes)).map(\.id)
      }
      #expect(claimed == ["MAIL0", "MAIL100", "MAIL1", "MAIL101", "MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `the mail of a caller over several routes keeps its order`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([
        mail(1, due: 3, route: "domain:b.example"), mail(2, due: 1), mail(3, due: 2, route: "user:shop"),
        mail(4, due: 4),
      ])
      #expect(
        try await outbox.claim(claim("a", at: 5, limit: 3)).map(\.id) == ["MAIL2", "MAIL3", "MAIL1"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `a route that has changed makes the mail of all routes due`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1), mail(2, route: "user:shop")])
      for entry in try await outbox.claim(claim("a")) {
        _ = try await outbox.settle([
          OutboxSettlement(
            entry, .retry(due: second(99), content: nil), outcome: "deferred", now: second(1))
        ])
      }
      #expect(try await outbox.amend(.reroute(limit: 10), now: second(2)) == 2)
      let shop = try await outbox.claim(claim("a", at: 2, routes: .only(["user:shop"])))
      #expect(shop.map(\.id) == ["MAIL2"])
    }
  }
}
