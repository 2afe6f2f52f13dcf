import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct GuideTests {
  @Test(arguments: GuideStep.allCases)
  func `each step that an error links to exists in its guide`(step: GuideStep) throws {
    let parts = step.rawValue.split(separator: "#")
    let path = "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/Guides/\(parts[0])"
    let headings = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").filter {
      $0.hasPrefix("## ")
    }
    let anchors = headings.map {
      $0.dropFirst(3).lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " }.replacing(
        " ", with: "-")
    }
    #expect(anchors.contains(String(parts[1])))
  }

  @Test(arguments: ["Google.md", "Workspace.md", "Microsoft365.md"])
  func `each step is written in both languages and describes the result`(guide: String) throws {
    let path = "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/Guides/\(guide)"
    let steps = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n## ").filter {
      $0.first?.isNumber == true
    }
    #expect(steps.count >= 4)
    for (number, step) in steps.enumerated() {
      #expect(step.hasPrefix("\(number + 1). "))
      #expect(step.contains("**You see**") || step.contains("**says**"), "\(step.prefix(20))")
      // The Korean text is in bold as well.
      let bold = step.matches(of: /\*\*+([^*]*[가-힣][^*]*)/)
      #expect(
        bold.contains {
          $0.1.contains("보입니다") || $0.1.contains("알립니다") || $0.1.contains("있습니다") || $0.1.contains("내려받아집니다")
        }
          || step.contains("보입니다.**"), "\(step.prefix(20))")
    }
  }

  @Test func `each step that a transport links to exists in its guide`() throws {
    let found = try ChildProcess.run(
      "grep", ["-rohE", "Guides/[A-Za-z0-9]+[.]md#[a-z0-9-]+", "\(BuiltProducts.root)/Plugins"])
    let links = Set(found.output.split(separator: "\n"))
    #expect(links.count >= 2)
    for link in links {
      let parts = link.split(separator: "#")
      let page = try String(
        contentsOfFile: "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/\(parts[0])", encoding: .utf8)
      let anchors = page.split(separator: "\n").filter { $0.hasPrefix("## ") }.map {
        $0.dropFirst(3).lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " }.replacing(
          " ", with: "-")
      }
      #expect(anchors.contains(String(parts[1])), "\(link)")
    }
  }

  /// The keys of each provider, taken from its error about an unknown key.
  @Test(arguments: [
    ("google", "googleAccount"), ("google-service-account", "serviceAccount"),
    ("microsoft", "microsoftAccount"),
    ("oauth2", "oauth2Account"),
  ])
  func `the schema has the keys that the provider reads`(provider: String, name: String) throws {
    let unknownKey = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    let text = #"{"accounts": {"a": {"provider": "\#(provider)", "\#(unknownKey)": 1}}}"#
    let problem = try #require(throws: Diagnostics.self) {
      try Configuration.read(Array(text.utf8), file: "a", directory: "/", providers: oauthProviders())
    }
    let unknown = try #require(problem.all.first { $0.path == "accounts.a.\(unknownKey)" })
    let known = try #require(unknown.remedy).split(separator: "'", omittingEmptySubsequences: false)
    let keys = Set(known.enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) })

    let file = try Data(contentsOf: URL(filePath: "\(BuiltProducts.root)/config.schema.json"))
    let schema = try #require(try JSONSerialization.jsonObject(with: file) as? [String: Any])
    let entry = try #require((schema["$defs"] as? [String: Any])?[name] as? [String: Any])
    #expect(Set((entry["properties"] as? [String: Any] ?? [:]).keys) == keys)
    let required = try #require(entry["required"] as? [String])
    let missed = problem.all.filter { $0.message.hasPrefix("missing key '") && $0.path == "accounts.a" }
      .compactMap { $0.message.split(separator: "'").last.map(String.init) }
    // One of "client" and "token" is enough, which the schema expresses with anyOf.
    #expect(Set(required).union(["provider"]) == Set(missed).subtracting(["client"]).union(["provider"]))
  }
}
