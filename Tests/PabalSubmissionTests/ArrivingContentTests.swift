import NIOCore
import PabalTesting
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// The memory that arriving mail may use, and for how long.
@Suite struct ArrivingContentTests {
  private let budget = ContentBudget()
  private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
  // A mail has at most 3 MiB, all mails together 10.
  private let limits: SubmissionLimits
  private let mebibyte = 1 << 20

  init() throws {
    limits = try ServerFixture.configuration(
      #"{ "socket": "/tmp/s", "limits": { "size": 3145728, "memory": 10485760 } }"#
    ).limits
  }

  private func content() -> ArrivingContent { ArrivingContent(budget, ConnectionTimes()) }

  @Test func `one submitter gets at most half of the memory, over all connections`() {
    var (first, second, third) = (content(), content(), content())
    var fits = first.hold(3 * mebibyte, for: .user("a"), limits)
    #expect(fits)
    fits = second.hold(2 * mebibyte + 1, for: .user("a"), limits)
    #expect(!fits)
    fits = second.hold(2 * mebibyte, for: .user("a"), limits)
    #expect(fits)
    fits = third.hold(3 * mebibyte, for: .user("b"), limits)
    #expect(fits)
    #expect(budget.size == 8 * mebibyte)
    first.release()
    fits = second.hold(3 * mebibyte, for: .user("a"), limits)
    #expect(fits)
    second.release()
    third.release()
    #expect(budget.size == 0)
  }

  @Test func `all submitters together get the memory`() {
    var contents = (0..<4).map { _ in content() }
    for index in 0..<3 {
      let fits = contents[index].hold(3 * mebibyte, for: .user("\(index)"), limits)
      #expect(fits)
    }
    var fits = contents[3].hold(mebibyte + 1, for: .user("3"), limits)
    #expect(!fits)
    fits = contents[3].hold(mebibyte, for: .user("3"), limits)
    #expect(fits)
    #expect(budget.size == 10 * mebibyte)
  }

  @Test func `a mail of the maximum size fits, however little memory there is`() throws {
    let limits = try ServerFixture.configuration(
      #"{ "socket": "/tmp/s", "limits": { "size": 3145728, "memory": 3145728 } }"#
    ).limits
    var content = content()
    let fits = content.hold(3 * mebibyte, for: .local("me"), limits)
    #expect(fits)
  }

  @Test func `a mail that is being stored keeps its memory when its connection ends`() {
    var content = content()
    let fits = content.hold(3 * mebibyte, for: .user("a"), limits)
    #expect(fits)
    let hold = content.detach()
    content.release()
    #expect(budget.size == 3 * mebibyte)
    budget.release(hold)
    #expect(budget.size == 0)
  }

  @Test func `content has two minutes and a second for each KiB`() {
    var content = content()
    content.begin(at: start)
    #expect(content.deadline == start + .seconds(120))
    content.receive(30 * 1_024, at: start + .seconds(1))
    #expect(content.deadline == start + .seconds(150))
    // Another command of the same mail doesn't begin again.
    content.begin(at: start + .seconds(100))
    #expect(content.deadline == start + .seconds(150))
    content.end()
    #expect(content.deadline == nil)
  }

  @Test func `fast content saves up no time beyond the next three minutes`() {
    var content = content()
    content.begin(at: start)
    content.receive(30 << 20, at: start + .seconds(10))
    #expect(content.deadline == start + .seconds(190))
    content.receive(1_024, at: start + .seconds(180))
    #expect(content.deadline == start + .seconds(191))
  }
}
