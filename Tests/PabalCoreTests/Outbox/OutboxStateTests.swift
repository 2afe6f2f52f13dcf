import Foundation
import Testing

@testable import PabalCore

@Suite struct OutboxStateTests {
  /// The arrows of the page about the outbox.
  private static func diagram() throws -> Set<String> {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appending(path: "Sources/PabalCore/PabalCore.docc/Outbox.md"), encoding: .utf8)
    return Set(
      page.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        return words.count > 2 && words[1] == "->" ? "\(words[0]) -> \(words[2])" : nil
      })
  }

  @Test func `the diagram shows the steps there are and no others`() throws {
    var steps: Set<String> = []
    for state in OutboxState.allCases {
      for next in OutboxState.allCases where state.canBecome(next) {
        steps.insert("\(state.rawValue) -> \(next.rawValue)")
      }
    }
    #expect(try Self.diagram() == steps)
    #expect(steps.count == 11)
  }

  @Test(arguments: OutboxState.allCases, OutboxState.allCases)
  func `a forbidden step can't be taken`(_ from: OutboxState, _ to: OutboxState) async {
    guard !from.canBecome(to) else { return }
    // A mail that is final takes no retry, no cancellation and no settlement.
    var entry = OutboxEntry(
      id: "A", lane: .code, created: Timestamp(milliseconds: 0), notAfter: nil, unknown: .resend, group: nil,
      state: from, due: Timestamp(milliseconds: 0), attempts: 1, lease: nil, wish: nil, hold: nil,
      transport: nil,
      outcome: nil, status: nil, ended: nil, content: nil)
    guard from.isFinal else { return }
    #expect(!entry.withdraw(as: .cancelled, at: Timestamp(milliseconds: 1)))
    #expect(!entry.hasten(at: Timestamp(milliseconds: 1)))
    #expect(!entry.isHeld(by: "a", attempt: 1))
    #expect(entry.state == from)
  }
}
