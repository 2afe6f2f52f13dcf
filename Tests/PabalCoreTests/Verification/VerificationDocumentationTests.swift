import PabalTesting
import Testing

@testable import PabalCore

/// The page Proving-an-address agrees with the code.
@Suite struct VerificationDocumentationTests {
  private func page() throws -> String {
    let path = "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/Proving-an-address.md"
    return String(decoding: try readFile(path, atMost: 100_000), as: UTF8.self)
  }

  @Test func `the diagram has exactly the transitions of the code`() throws {
    var steps: [VerificationState: Set<VerificationState>] = [:]
    for line in try page().split(separator: "\n") {
      let parts = line.split(separator: "→", omittingEmptySubsequences: false)
      guard parts.count == 2, let from = VerificationState(rawValue: parts[0].filter(\.isLetter)) else {
        continue
      }
      let to = try parts[1].split(separator: " ").map {
        try #require(VerificationState(rawValue: String($0)))
      }
      #expect(steps.updateValue(Set(to), forKey: from) == nil)
    }
    #expect(Set(steps.keys) == Set(VerificationState.allCases))
    for from in VerificationState.allCases {
      for to in VerificationState.allCases {
        #expect(from.canTransition(to: to) == (steps[from]?.contains(to) ?? false), "\(from) → \(to)")
      }
    }
  }

  @Test func `the table has each state`() throws {
    let rows = Set(try rows(of: "| state |").map { $0[0] })
    #expect(rows == Set(VerificationState.allCases.map(\.rawValue)))
  }

  @Test func `the table has each key with its default and range`() throws {
    var seen: Set<String> = []
    for row in try rows(of: "| key |") {
      seen.insert(row[0])
      #expect(!row[3].isEmpty)
      if !row[1].isEmpty {
        #expect(policy(row[0], row[1]) == VerificationPolicy(), "\(row[0])")
      } else {
        #expect(row[0] == "quota" && VerificationPolicy().quota == nil)
      }
      guard !row[2].isEmpty else { continue }
      let ends = row[2].split(separator: "–").map(String.init)
      try #require(ends.count == 2)
      for end in ends { #expect(policy(row[0], end) != nil, "\(row[0]) \(end)") }
      #expect(policy(row[0], try next(ends[0], -1)) == nil, "\(row[0]) below \(ends[0])")
      #expect(policy(row[0], try next(ends[1], 1)) == nil, "\(row[0]) above \(ends[1])")
    }
    let known = Mirror(reflecting: VerificationPolicy()).children.compactMap(\.label)
    #expect(seen == Set(known))
  }

  /// Returns the cells of the table whose header starts with `heading`, without backticks.
  private func rows(of heading: String) throws -> [[String]] {
    let lines = try page().split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0.hasPrefix(heading) })
    return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map { cell in
        cell.filter { $0 != "`" }.trimmingPrefix(while: \.isWhitespace).reversed()
          .trimmingPrefix(while: \.isWhitespace).reversed().map(String.init).joined()
      }
    }
  }

  /// Returns the policy with one setting, or `nil` if the value is invalid.
  private func policy(_ key: String, _ value: String) -> VerificationPolicy? {
    let json =
      value.contains("/")
      ? "[" + value.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", ") + "]"
      : Int(value) != nil ? value : "\"\(value)\""
    let text = #"""
      {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.co",
       "verification": {"\#(key)": \#(json)}}
      """#
    return try? Configuration.read(Array(text.utf8), file: "a", directory: "/").verification.policy
  }

  /// Returns the value one step away.
  private func next(_ value: String, _ step: Int) throws -> String {
    if let number = Int(value) { return String(number + step) }
    let duration = try #require(Duration(configured: value))
    return (duration + .milliseconds(step)).configurationText
  }
}
