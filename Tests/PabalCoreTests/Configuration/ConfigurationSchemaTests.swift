import Foundation
import PabalFormats
import Testing

@testable import PabalCore

/// `config.schema.json` has exactly the keys that the decoder knows.
@Suite struct ConfigurationSchemaTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path()

  private static func schema() throws -> JSONValue {
    try JSONParser.read(readFile(root + "config.schema.json", atMost: 1_000_000), file: "config.schema.json")
  }

  /// Returns the keys in `properties` of the object at `path` of the schema.
  private static func keysInSchema(_ path: String...) throws -> Set<String> {
    var node = try schema()
    for key in path + ["properties"] { node = try #require(node[key]) }
    guard case .object(let members) = node.content else { return [] }
    return Set(members.map(\.key))
  }

  /// Returns the keys that the decoder lists when the object at `path` has an unknown key that resembles none.
  private static func keysKnownToDecoder(_ path: String, in text: String) throws -> Set<String> {
    let unknownKey = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    let bytes = Array(text.replacing("UNKNOWN", with: "\"\(unknownKey)\": 1").utf8)
    let problem = try #require(throws: Diagnostics.self) {
      try Configuration.read(bytes, file: "a", directory: "/")
    }
    let unknown = try #require(
      problem.all.first { $0.message == "unknown key" && $0.path == fieldPath(path, unknownKey) })
    let known = try #require(unknown.remedy).split(separator: "'", omittingEmptySubsequences: false)
    return Set(known.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) })
  }

  @Test func `the schema has the keys of the decoder`() throws {
    #expect(try Self.keysInSchema() == Self.keysKnownToDecoder("", in: "{UNKNOWN}"))
    #expect(
      try Self.keysInSchema("$defs", "messages")
        == Self.keysKnownToDecoder("messages", in: #"{"messages": {UNKNOWN}}"#))
    #expect(
      try Self.keysInSchema("$defs", "outbox")
        == Self.keysKnownToDecoder("outbox", in: #"{"outbox": {UNKNOWN}}"#))
    #expect(
      try Self.keysInSchema("$defs", "pace")
        == Self.keysKnownToDecoder("outbox.pacing.a", in: #"{"outbox": {"pacing": {"a": {UNKNOWN}}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "storage")
        == Self.keysKnownToDecoder("storage", in: #"{"storage": {UNKNOWN}}"#))
    #expect(
      try Self.keysInSchema("$defs", "plugins")
        == Self.keysKnownToDecoder("plugins", in: #"{"plugins": {UNKNOWN}}"#))
    for section in ["keys", "serve", "verification"] {
      #expect(
        try Self.keysInSchema("$defs", section)
          == Self.keysKnownToDecoder(section, in: "{\"\(section)\": {UNKNOWN}}"))
    }
    #expect(
      try Self.keysInSchema("$defs", "submission")
        == Self.keysKnownToDecoder("serve.submission", in: #"{"serve": {"submission": {UNKNOWN}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "submissionLimits")
        == Self.keysKnownToDecoder(
          "serve.submission.limits", in: #"{"serve": {"submission": {"limits": {UNKNOWN}}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "tokenAccount")
        == Self.keysKnownToDecoder("accounts.a", in: #"{"accounts": {"a": {"provider": "token", UNKNOWN}}}"#))
    #expect(
      try Self.keysInSchema("$defs", "secret") == Self.keysKnownToDecoder("from", in: #"{"from": {UNKNOWN}}"#)
    )
    #expect(try Self.keysInSchema("$defs", "transport") == ["plugin"])
  }

  @Test func `the schema requires the keys that the decoder reports as missing`() throws {
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
      return problem.all.filter { $0.message.hasPrefix("missing key '") }
        .compactMap { $0.message.split(separator: "'").last.map(String.init) }
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
