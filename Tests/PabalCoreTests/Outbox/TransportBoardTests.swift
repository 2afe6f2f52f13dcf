import PabalTesting
import Testing

@testable import PabalCore

/// What a process knows of the transports while the outbox's answers overtake each other.
@Suite struct TransportBoardTests {
  private func answer(_ turn: Int, failures: Int) -> TransportBoard.Answer {
    var state = TransportState()
    state.failures = failures
    return TransportBoard.Answer(turn: turn, states: ["smtp": state])
  }

  private func fail(_ states: inout [String: TransportState]) {
    states["smtp", default: TransportState()].failures += 1
  }

  // MARK: The board

  @Test func `the later of two answers holds, whichever comes first`() {
    for answers in [
      [answer(1, failures: 1), answer(2, failures: 2)], [answer(2, failures: 2), answer(1, failures: 1)],
    ] {
      var board = TransportBoard()
      for answer in answers { board.adopt(answer) }
      #expect(board["smtp"].failures == 2)
    }
  }

  @Test func `an answer to a change that later ones overtook brings nothing older back`() {
    var board = TransportBoard()
    let number = board.begin(fail)
    board.adopt(answer(2, failures: 7))
    #expect(board["smtp"].failures == 8)
    board.end(number, answer(1, failures: 1))
    #expect(board["smtp"].failures == 7)
  }

  @Test func `changes on their way stand over every answer, and end with their own`() {
    var board = TransportBoard()
    let (first, second) = (board.begin(fail), board.begin(fail))
    #expect(board["smtp"].failures == 2)
    board.adopt(answer(1, failures: 10))
    #expect(board["smtp"].failures == 12)
    // The outbox made the second one first.
    board.end(second, answer(2, failures: 11))
    #expect(board["smtp"].failures == 12)
    board.end(first, answer(3, failures: 12))
    #expect(board["smtp"].failures == 12)
  }

  @Test func `a change that the outbox refused leaves what it said last`() {
    var board = TransportBoard()
    board.adopt(answer(1, failures: 3))
    let (refused, other) = (board.begin(fail), board.begin(fail))
    board.end(refused, nil)
    #expect(board["smtp"].failures == 4)
    board.end(other, answer(2, failures: 4))
    #expect(board["smtp"].failures == 4)
  }

  // MARK: The dispatcher

  /// A dispatcher whose one transport makes one send at once, and then one every twelve seconds.
  private func bench(_ outbox: OvertakenOutbox) -> DispatcherBench {
    var rules = DispatcherRules()
    rules.paces = ["gmail": Pace(sends: 6, per: .seconds(60))]
    return DispatcherBench([ScriptedTransport("gmail")], rules: rules, outbox: outbox)
  }

  @Test func `a send that was spent stays so when an older answer comes after`() async throws {
    let outbox = OvertakenOutbox()
    let bench = bench(outbox)
    await bench.pass()
    outbox.keepNext(.made)
    let late = Task { await bench.dispatcher.refreshBoard() }
    await outbox.kept()
    try await bench.add("A")
    await bench.pass()
    #expect(try await bench.entry("A")?.state == .sent)
    let free = try #require(await bench.dispatcher.pacedUntil())
    outbox.release()
    await late.value
    #expect(await bench.dispatcher.pacedUntil() == free)
  }

  @Test func `a change that the outbox had to make twice counts as late as the second time`() async throws {
    let outbox = OvertakenOutbox()
    let bench = bench(outbox)
    await bench.pass()
    outbox.keepNext(.tried)
    let late = Task { await bench.dispatcher.refreshBoard() }
    await outbox.kept()
    try await bench.add("A")
    await bench.pass()
    // Another process meets a hold.
    let until = bench.clock.now + .seconds(60)
    _ = try await outbox.transports { $0["gmail"]?.closedUntil = until }
    outbox.release()
    await late.value
    #expect(await bench.dispatcher.conditions().map(\.until) == [until])
  }
}
