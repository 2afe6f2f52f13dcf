import Foundation
import PabalTesting
import Testing

/// What is promised to whoever got an answer holds whatever dies, and whenever.
@Suite struct CrashTests {
  /// How many processes are killed; a nightly run may take more.
  static let kills = ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init) ?? 200

  @Test func `kill -9 at any moment loses no acknowledged mail and sends no expired code`() async throws {
    let results = await mapOnThreads([Self.kills]) { kills in
      Result { try CrashScenario().run(kills: kills) }
    }
    let count = try #require(try results.first?.get())
    print("crash: \(count)")
    #expect(count.acknowledged > count.kills, "there was no load")
    #expect(count.lost == [])
    #expect(count.lateCodes == [])
    #expect(count.unexplainedDuplicates == [])
    #expect(count.unexpectedOutput == [])
    // What the promises are about did happen.
    #expect(count.sent > 0 && count.expired > 0)
  }
}

/// What a run came to.
struct CrashResult: CustomStringConvertible, Sendable {
  var kills = 0
  var acknowledged = 0
  var sent = 0
  var expired = 0
  var waiting = 0
  var givenUp = 0
  var interrupted = 0
  var unknown = 0
  var duplicates = 0
  var maxLateness = 0
  /// Acknowledged and neither arrived, waiting nor ended with a reason.
  var lost: [String] = []
  /// Begun to be handed over after the code's expiry.
  var lateCodes: [String] = []
  /// Arrived again though no attempt was under way at a kill, or ended `unknown`.
  var unexplainedDuplicates: [String] = []
  /// What no program should have said.
  var unexpectedOutput: [String] = []

  var description: String {
    """
    \(kills) kills; \(acknowledged) mails acknowledged: \(sent) sent, \(expired) expired, \(waiting) waiting, \
    \(givenUp) given up as unknown, \
    \(lost.count) lost; attempts cut off \(interrupted), ended unknown \(unknown); \
    \(duplicates) arrived again, \(unexplainedDuplicates.count) of them without such an attempt; \
    \(lateCodes.count) codes late (begun at most \(maxLateness) ms after expiry)
    """
  }
}
