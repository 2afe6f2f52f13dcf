import Foundation
import PabalTesting
import Testing

/// What is promised to whoever got an answer holds whatever dies, and whenever.
@Suite struct CrashTests {
  /// How many processes are killed; a nightly run may take more.
  static let kills = ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init) ?? 200

  @Test func `kill -9 at any moment loses no acknowledged mail and sends no expired code`() async throws {
    let results = await onThreads([Self.kills]) { kills in
      Result { try CrashRun().run(kills: kills) }
    }
    let count = try #require(try results.first?.get())
    print("crash: \(count)")
    #expect(count.acknowledged > count.kills, "there was no load")
    #expect(count.lost == [])
    #expect(count.late == [])
    #expect(count.unexplained == [])
    #expect(count.complaints == [])
    // What the promises are about did happen.
    #expect(count.sent > 0 && count.expired > 0)
  }
}

/// What a run came to.
struct CrashCount: CustomStringConvertible, Sendable {
  var kills = 0
  var acknowledged = 0
  var sent = 0
  var expired = 0
  var waiting = 0
  var givenUp = 0
  var underWay = 0
  var unknown = 0
  var twice = 0
  var latest = 0
  /// Acknowledged and neither arrived, waiting nor ended with a reason.
  var lost: [String] = []
  /// Begun to be handed over after the code's expiry.
  var late: [String] = []
  /// Arrived again though no attempt was under way at a kill, or ended `unknown`.
  var unexplained: [String] = []
  /// What no program should have said.
  var complaints: [String] = []

  var description: String {
    """
    \(kills) kills; \(acknowledged) mails acknowledged: \(sent) sent, \(expired) expired, \(waiting) waiting, \
    \(givenUp) given up as unknown, \
    \(lost.count) lost; attempts cut off \(underWay), ended unknown \(unknown); \
    \(twice) arrived again, \(unexplained.count) of them without such an attempt; \
    \(late.count) codes late (begun at most \(latest) ms after expiry)
    """
  }
}
