import Foundation
import Testing

@testable import PabalCore

@Suite struct OutboxStateTests {
  /// The arrows of the page about the outbox.
  private static func diagram() throws -> Set<String> {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appending(path: "Sources/PabalCore/PabalCore.docc/The-outbox.md"), encoding: .utf8)
    return Set(
      page.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ")
        return words.count > 2 && words[1] == "->" ? "\(words[0]) -> \(words[2])" : nil
      })
  }

  @Test func `the diagram shows the steps there are and no others`() throws {
    var steps: Set<String> = []
    for state in OutboxState.allCases {
      for next in OutboxState.allCases where state.canTransition(to: next) {
        steps.insert("\(state.rawValue) -> \(next.rawValue)")
      }
    }
    #expect(try Self.diagram() == steps)
    #expect(steps.count == 11)
  }

  @Test(arguments: OutboxState.allCases.filter(\.isFinal))
  func `a final mail takes no retry, no cancellation and no settlement`(_ state: OutboxState) {
    let zero = Timestamp(milliseconds: 0)
    let lease = OutboxEntry.Lease(owner: "a", until: zero)
    var entry = OutboxEntry(id: "A", lane: .code, created: zero, content: [1]).claimed(by: lease)
    entry.end(state, at: zero)
    let before = entry
    let hasChanged = [entry.withdraw(as: .cancelled, at: zero), entry.expedite(at: zero)]
    #expect(hasChanged == [false, false])
    #expect(!entry.isLeased(by: "a", attempt: 1))
    #expect(entry == before)
    #expect(entry.content == nil)
  }

  @Test(arguments: OutboxState.allCases.filter { !OutboxState.waiting.canTransition(to: $0) && $0.isFinal })
  func `a mail nobody has claimed has no outcome`(_ state: OutboxState) async {
    // The state goes by its name: an exit test takes along what can be encoded.
    await #expect(processExitsWith: .failure) { [name = state.rawValue as String] in
      let zero = Timestamp(milliseconds: 0)
      var entry = OutboxEntry(id: "A", lane: .code, created: zero, content: [1])
      if let state = OutboxState(rawValue: name) { entry.end(state, at: zero) }
    }
  }
}
