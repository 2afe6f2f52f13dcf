import Testing

@testable import PabalCore

@Suite struct RecentRefusalsTests {
  private let now = Timestamp(milliseconds: 1_000_000)

  @Test func `a digest is included until the end of its refusal`() {
    let refusals = RecentRefusals()
    refusals.add([[1], [2]], until: now + .seconds(60))
    #expect(refusals.includes([[3], [2]], at: now))
    #expect(refusals.includes([[1]], at: now + .milliseconds(59_999)))
    #expect(!refusals.includes([[1], [2]], at: now + .seconds(60)))
    #expect(!refusals.includes([[3]], at: now) && !refusals.includes([], at: now))
  }

  @Test func `a later refusal replaces an earlier one`() {
    let refusals = RecentRefusals(capacity: 4)
    refusals.add([[1], [2]], until: now + .seconds(1))
    refusals.add([[3], [1]], until: now + .seconds(60))
    #expect(
      refusals.includes([[1]], at: now + .seconds(2)) && !refusals.includes([[2]], at: now + .seconds(2)))
  }

  @Test func `any number of digests takes no more memory than the capacity, and the newest are kept`() {
    let refusals = RecentRefusals(capacity: 100)
    for number in 0..<10_000 {
      refusals.add([UInt64(number).bigEndianBytes], until: now + .seconds(60))
      #expect(refusals.count <= 100)
    }
    for number in 9_950..<10_000 { #expect(refusals.includes([UInt64(number).bigEndianBytes], at: now)) }
    #expect(!refusals.includes([UInt64(9_800).bigEndianBytes], at: now))
  }
}
