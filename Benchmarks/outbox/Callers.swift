internal import Glibc

/// 64 callers at once, each of whom asks again as soon as it is answered.
enum ConcurrentCallers {
  private static let count = 64

  /// How often a second `work` was done, which is told its caller's number and how often that one asked before.
  static func rate(
    _ seconds: Double, _ work: @escaping @Sendable (_ caller: Int, _ iteration: Int) async throws -> Void
  ) async -> Double {
    let began = now()
    let done = await withTaskGroup(of: Int.self) { group in
      for caller in 0..<count {
        group.addTask {
          var iteration = 0
          while now() - began < seconds {
            do {
              try await work(caller, iteration)
            } catch {
              print(error)
              exit(75)
            }
            iteration += 1
          }
          return iteration
        }
      }
      return await group.reduce(0, +)
    }
    return Double(done) / (now() - began)
  }
}
