import Foundation
import PabalFormats
import Testing

@testable import PabalCore

/// `config.schema.json` knows the keys that the reader knows, no more and no fewer.
@Suite struct ConfigurationSchemaTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path()

  private static func schema() throws -> JSONValue {
    try JSONParser.read(readFile(root + "config.schema.json", atMost: 1_000_000), file: "config.schema.json")
  }

  /// The keys under `properties` of the object at `path` of the schema.
  private static func keysInSchema(_ path: String...) throws -> Set<String> {
    var node = try schema()
    for key in path + ["properties"] { node = try #require(node[key]) }
    guard case .object(let members) = node.content else { return [] }
    return Set(members.map(\.key))
  }

  /// The keys that the reader names as right when an object at `path` has one that is nowhere near.
  private static func keysKnownToReader(_ path: String, in text: String) throws -> Set<String> {
    let unknownKey = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    let bytes = Array(text.replacing("STRANGER", with: "\"\(unknownKey)\": 1").utf8)
    let problem = try #require(throws: Diagnostics.self) {
      try Configuration.read(bytes, file: "a", directory: "/")
    }
    let unknown = try #require(
      problem.all.first { $0.message == "unknown key" && $0.path == fieldPath(path, unknownKey) })
    let known = try #require(unknown.remedy).split(separator: "'", omittingEmptySubsequences: false)
    return Set(known.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) })
  }

  @Test func `the schema has the reader's keys`() throws {
    #expect(try Self.keysInSchema() == Self.keysKnownToReader("", in: "{STRANGER}"))
    #expect(
      try Self.keysInSchema("$defs", "messages")
        == Self.keysKnownToReader("messages", in: #"{"messages": {STRANGER}}"#))
    #expect(
      try Self.keysInSchema("$defs", "outbox")
        == Self.keysKnownToReader("outbox", in: #"{"outbox": {STRANGER}}"#))
    #expect(
      try Self.keysInSchema("$defs", "pace")
        == Self.keysKnownToReader("outbox.pacing.a", in: #"{"outbox": {"pacing": {"a": {STRANGER}}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "storage")
        == Self.keysKnownToReader("storage", in: #"{"storage": {STRANGER}}"#))
    #expect(
      try Self.keysInSchema("$defs", "plugins")
        == Self.keysKnownToReader("plugins", in: #"{"plugins": {STRANGER}}"#))
    for section in ["keys", "serve", "verification"] {
      #expect(
        try Self.keysInSchema("$defs", section)
          == Self.keysKnownToReader(section, in: "{\"\(section)\": {STRANGER}}"))
    }
    #expect(
      try Self.keysInSchema("$defs", "tokenAccount")
        == Self.keysKnownToReader("accounts.a", in: #"{"accounts": {"a": {"provider": "token", STRANGER}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "secret") == Self.keysKnownToReader("from", in: #"{"from": {STRANGER}}"#)
    )
    #expect(try Self.keysInSchema("$defs", "transport") == ["plugin"])
  }

  @Test func `the schema requires what the reader misses`() throws {
    func required(_ path: String...) throws -> [String] {
      var node = try Self.schema()
      for key in path + ["required"] { node = try #require(node[key]) }
      guard case .array(let elements) = node.content else { return [] }
      return elements.compactMap { if case .string(let text) = $0.content { text } else { nil } }
    }
    func reportedMissing(_ text: String) throws -> [String] {
      let problem = try #require(throws: Diagnostics.self) {
        try Configuration.read(Array(text.utf8), file: "a", directory: "/")
      }
      return problem.all.filter { $0.message.hasSuffix(" is missing") }
        .compactMap { $0.message.split(separator: "'").dropFirst().first.map(String.init) }
    }
    let rest = #""transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.c""#
    #expect(try required() == reportedMissing("{}"))
    #expect(try required("$defs", "messages") == reportedMissing("{\(rest), \"messages\": {}}"))
    #expect(
      try required("$defs", "tokenAccount").filter { $0 != "provider" }.sorted()
        == reportedMissing("{\(rest), \"accounts\": {\"a\": {\"provider\": \"token\"}}}").sorted())
    #expect(
      try required("$defs", "transport")
        == reportedMissing(#"{"transport": "a", "transports": {"a": {}}, "from": "a@b.c"}"#))
  }
}

extension JSONValue {
  fileprivate subscript(key: String) -> JSONValue? {
    guard case .object(let members) = content else { return nil }
    return members.first { $0.key == key }?.value
  }
}
