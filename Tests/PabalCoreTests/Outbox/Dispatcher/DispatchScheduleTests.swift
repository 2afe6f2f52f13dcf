import PabalTesting
import Testing

@testable import PabalCore

/// The dispatcher's own state, without an outbox: when it does something next, and what is in flight.
@Suite struct DispatchScheduleTests {
  private let clock = ManualClock()

  private func forecast(
    due: Timestamp? = nil, oldestCode: Timestamp? = nil, isUnfinished: Bool = false
  ) -> OutboxForecast {
    OutboxForecast(due: due, end: nil, oldestCode: oldestCode, isUnfinished: isUnfinished)
  }

  @Test func `maintenance runs at first, after each interval, and when the clock was set back`() {
    var schedule = DispatchSchedule()
    func isDue(at seconds: Double) -> Bool {
      schedule.isMaintenanceDue(at: clock.second(seconds), every: .seconds(1))
    }
    #expect(isDue(at: 10))
    #expect(!schedule.hasRunMaintenance)
    _ = schedule.finishMaintenance(at: clock.second(10), alertDelay: .seconds(30))
    #expect(schedule.hasRunMaintenance)
    #expect(!isDue(at: 10.9))
    #expect(isDue(at: 11))
    #expect(isDue(at: 9.9))
    schedule.adopt(forecast(isUnfinished: true))
    #expect(isDue(at: 10))
    schedule.adopt(nil)
    #expect(!isDue(at: 10))
  }

  @Test func `a code that waits is reported once, and again after it has left`() {
    var schedule = DispatchSchedule()
    let since = clock.second(0)
    func finish(_ seconds: Double) -> Timestamp? {
      schedule.finishMaintenance(at: clock.second(seconds), alertDelay: .seconds(30))
    }
    schedule.adopt(forecast(oldestCode: since))
    #expect([finish(29), finish(30), finish(31)] == [nil, since, nil])
    schedule.adopt(forecast())
    #expect(finish(32) == nil)
    schedule.adopt(forecast(oldestCode: since))
    #expect(finish(33) == since)
  }

  @Test func `a claim that found everything stops claiming unless work was signalled meanwhile`() {
    var schedule = DispatchSchedule()
    let before = schedule.signalCount
    func finish(mayHaveMore: Bool) -> Bool {
      schedule.finishClaim(.init(hasStarted: true, mayHaveMore: mayHaveMore, signalCount: before))
      return schedule.mayHaveWork
    }
    #expect(finish(mayHaveMore: true))
    #expect(!finish(mayHaveMore: false))
    schedule.signalWork()
    #expect(schedule.mayHaveWork)
    #expect(finish(mayHaveMore: false))
  }

  @Test func `mail is expected when the forecast says that it is due`() {
    var schedule = DispatchSchedule()
    schedule.adopt(forecast(due: clock.second(5)))
    schedule.finishClaim(.init(hasStarted: false, mayHaveMore: false, signalCount: schedule.signalCount))
    schedule.expectDueMail(at: clock.second(4.9))
    #expect(!schedule.mayHaveWork)
    schedule.expectDueMail(at: clock.second(5))
    #expect(schedule.mayHaveWork)
  }

  @Test func `the next round waits for due mail or a send, at most for the poll interval`() {
    var schedule = DispatchSchedule()
    func delay(nextSend: Timestamp? = nil) -> Duration {
      schedule.delay(at: clock.second(10), nextSend: nextSend, pollInterval: .seconds(1))
    }
    #expect(delay() == .seconds(1))
    #expect(delay(nextSend: clock.second(10.25)) == .milliseconds(250))
    schedule.adopt(forecast(due: clock.second(10.1)))
    #expect(delay(nextSend: clock.second(10.25)) == .milliseconds(100))
    // Mail that is already due does not count: it was claimed, or every slot is taken.
    schedule.adopt(forecast(due: clock.second(9)))
    #expect(delay() == .seconds(1))
    schedule.adopt(forecast(isUnfinished: true))
    #expect(delay() == .zero)
  }
}

@Suite struct InFlightTableTests {
  @Test func `one slot is reserved for codes unless there is only one`() {
    let table = InFlightTable()
    #expect(table.room(for: .code, limit: 3) == 3)
    #expect(table.room(for: .normal, limit: 3) == 2)
    #expect(table.room(for: .bulk, limit: 1) == 1)
  }

  @Test func `reserved slots and running deliveries take up room`() async {
    var table = InFlightTable()
    table.reserve(2)
    table.insert(Task { nil }, for: "A")
    #expect(table.reservedSlots == 2)
    #expect(table.count == 1)
    #expect(table.ids == ["A"])
    #expect(table.room(for: .code, limit: 4) == 1)
    #expect(table.room(for: .normal, limit: 4) == 0)
    #expect(table.room(for: .code, limit: 2) == 0)
    table.release(2)
    table.remove("A")
    #expect(table.room(for: .code, limit: 4) == 4)
    #expect(table.anyDelivery == nil)
  }

  @Test func `the lease renewal is cancelled after the last delivery`() {
    var table = InFlightTable()
    let renewal = Task { () -> Void in }
    for id in ["A", "B"] { table.insert(Task { nil }, for: id) }
    table.setLeaseRenewal(renewal)
    table.remove("A")
    #expect(table.hasLeaseRenewal)
    #expect(!renewal.isCancelled)
    table.remove("B")
    #expect(!table.hasLeaseRenewal)
    #expect(renewal.isCancelled)
  }
}
