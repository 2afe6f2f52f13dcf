import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The contract of every outbox: callers take turns within a lane.
@Suite struct OutboxFairnessTests {
  @Test(arguments: OutboxBackend.allCases)
  func `one caller's flood doesn't delay the codes of others`(_ backend: OutboxBackend) async throws {
    try await backend.withOutbox { outbox in
      try await outbox.add((0..<300).map { mail($0, caller: .client("flood")) })
      try await outbox.add((300..<303).map { mail($0, created: 1, caller: .client("shop")) })
      try await outbox.add([mail(400, created: 2, caller: .keyless), mail(401, created: 2)])
      let first = try await outbox.claim(claim("a", at: 3, limit: 4))
      #expect(Set(first.map(\.id)) == ["MAIL0", "MAIL300", "MAIL400", "MAIL401"])
      let second = try await outbox.claim(claim("a", at: 3, limit: 4))
      #expect(Set(second.map(\.id)) == ["MAIL1", "MAIL301", "MAIL2", "MAIL302"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `callers take turns from claim to claim, even one mail at a time`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add((0..<20).map { mail($0, caller: .client("flood")) })
      var claimed = try await outbox.claim(claim("a", limit: 1)).map(\.id)
      try await outbox.add((100..<102).map { mail($0, created: 1, caller: .client("shop")) })
      for _ in 0..<4 { claimed += try await outbox.claim(claim("a", at: 2, limit: 1)).map(\.id) }
      #expect(claimed == ["MAIL0", "MAIL100", "MAIL1", "MAIL101", "MAIL2"])
    }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `each caller's mail keeps its order, and lanes keep their priority`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([
        mail(1, lane: .bulk, caller: .client("a")), mail(2, lane: .code, created: 3, caller: .client("b")),
        mail(3, lane: .bulk, due: -5, caller: .client("a")),
        mail(4, lane: .bulk, due: 99, caller: .client("c")),
        mail(5, lane: .bulk, notAfter: 1, caller: .client("c")),
        mail(6, lane: .bulk, created: 1, caller: .client("b")),
      ])
      let all = try await outbox.claim(claim("x", at: 4)).map(\.id)
      #expect(all == ["MAIL2", "MAIL3", "MAIL6", "MAIL1"])
      #expect(try await outbox.claim(claim("x", at: 4, id: "MAIL4")).isEmpty)
    }
  }

  @Test func `a caller's stored name can't be that of another kind of caller`() {
    let names = ["", "*", "/", "@", "@a"].map { Caller.client($0).storedName }
    let others = [Caller.unrestricted, .keyless, .page].map(\.storedName)
    #expect(Set(names + others).count == names.count + others.count)
  }
}
