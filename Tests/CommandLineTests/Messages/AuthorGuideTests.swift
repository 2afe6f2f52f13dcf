import Foundation
import PabalTesting
import Testing

/// The guide for message authors (Sources/Messages/README.md), as the steps that it describes.
struct AuthorGuide {
  /// A fenced code block of the page.
  enum Step: Equatable {
    /// Replaces lines of a file.
    case edit(file: String, from: String, to: String)
    /// Writes a file.
    case write(file: String, text: String)
    /// Runs commands.
    case run([String])
    /// Lines that the previous commands must have printed.
    case expect([String])

    /// A description of the step that is the same in every language of the page.
    var kind: String {
      switch self {
      case .edit(let file, _, _): "edit \(file.replacing(#/(ko|en)\.md/#, with: "LANGUAGE.md"))"
      case .write(let file, _): "write \(file)"
      case .run(let commands): "run \(commands.count)"
      case .expect(let lines): "expect \(lines.count)"
      }
    }
  }

  /// A mistake in the page itself.
  struct PageError: Error {
    let message: String
  }

  /// Returns the steps of a chapter, in order.
  static func steps(of chapter: String) throws -> [Step] {
    let page = try String(contentsOfFile: "\(BuiltProducts.root)/Sources/Messages/README.md", encoding: .utf8)
    guard let start = page.firstRange(of: "\n## \(chapter)\n") else {
      throw PageError(message: "no chapter \(chapter)")
    }
    let rest = page[start.upperBound...]
    let text = rest[..<(rest.firstRange(of: "\n## ")?.lowerBound ?? rest.endIndex)]
    var steps: [Step] = []
    var fence: (info: String, lines: [String])?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("```"), let (info, lines) = fence {
        fence = nil
        // A block without a language is a listing of the folder.
        if !info.isEmpty { steps.append(try step(info, lines)) }
      } else if line.hasPrefix("```") {
        fence = (String(line.dropFirst(3)), [])
      } else {
        fence?.lines.append(line)
      }
    }
    return steps
  }

  /// Whether lines are the output of a command that finds an error.
  static func isRefusal(_ lines: [String]) -> Bool {
    lines.contains { $0.contains(": error: ") || $0.contains(": 오류: ") }
  }

  private static func step(_ info: String, _ lines: [String]) throws -> Step {
    let words = info.split(separator: " ").map(String.init)
    switch (words[0], words.count) {
    case ("diff", 2):
      func marked(_ mark: Character) -> String {
        lines.filter { $0.first == mark }.map { $0.dropFirst() + "\n" }.joined()
      }
      guard lines.allSatisfy({ $0.first == "-" || $0.first == "+" }) else {
        throw PageError(message: "a line of \(info) with neither - nor +")
      }
      return .edit(file: words[1], from: marked("-"), to: marked("+"))
    case ("markdown", 2), ("json", 2):
      return .write(file: words[1], text: lines.joined(separator: "\n") + "\n")
    case ("sh", 1): return .run(lines)
    case ("text", 1): return .expect(lines)
    default: throw PageError(message: "no step: \(info)")
    }
  }
}

@Suite struct AuthorGuideTests {
  @Test(arguments: [("한국어", "ko_KR.UTF-8"), ("English", "C.UTF-8")])
  func `every step of the authors' guide works as described`(chapter: String, locale: String) throws {
    let site = try TestSite(TestSite.configuration(transport: #""file""#, variables: #""service": "파발""#))
    let steps = try AuthorGuide.steps(of: chapter)
    #expect(steps.count >= 20)
    var printed = ""
    for (index, step) in steps.enumerated() {
      switch step {
      case .edit(let file, let old, let new):
        let text = try site.directory.read("messages/\(file)")
        #expect(text.ranges(of: old).count == 1, "\(file) has not exactly once: \(old)")
        try site.directory.write(text.replacing(old, with: new), to: "messages/\(file)")
      case .write(let file, let text):
        try site.directory.write(text, to: "messages/\(file)")
      case .run(let commands):
        printed = ""
        for command in commands {
          let run = try ChildProcess.run(
            "/bin/sh", ["-c", command],
            environment: [
              "PABAL_CONFIG": nil, "LC_ALL": locale, "PATH": "\(BuiltProducts.directory):/usr/bin:/bin",
            ],
            directory: site.directory.path)
          printed += (run.output + run.errors).replacing("\(site.directory.path)/messages/", with: "")
          let isRefused =
            if case .expect(let lines)? = steps.dropFirst(index + 1).first {
              AuthorGuide.isRefusal(lines)
            } else {
              false
            }
          #expect(run.status == (isRefused ? 65 : 0), "\(command): \(printed)")
        }
      case .expect(let lines):
        let all = printed.split(separator: "\n").map { line in
          line.trimmingCharacters(in: .whitespaces).replacing(#/^pabal: /#, with: "")
        }
        for line in lines { #expect(all.contains(line), "\(line) in \(printed)") }
        // An example of an error shows the complete output.
        if AuthorGuide.isRefusal(lines) { #expect(all == lines) }
      }
    }
    #expect(try site.pabal("messages", "preview", "--output", "-").status == 0)
  }

  @Test func `the guide has the same steps in both languages`() throws {
    #expect(
      try AuthorGuide.steps(of: "한국어").map(\.kind) == AuthorGuide.steps(of: "English").map(\.kind))
  }
}

extension TemporaryDirectory {
  fileprivate func read(_ name: String) throws -> String {
    try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
  }
}
