internal import Glibc
internal import PabalCore
internal import PabalStorage

/// `bench-outbox DIRECTORY [SECONDS]` measures the outbox on the disk of that directory and prints JSON.
///
/// The floor, single commits of the disk, is measured in alternation with the outbox because disks vary over time.
@main struct OutboxBenchmark {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard let directory = arguments.first else {
      print("usage: bench-outbox DIRECTORY [SECONDS]")
      exit(64)
    }
    if directory == "postgresql" {
      guard let benchmark = PostgreSQLBenchmark(Array(arguments.dropFirst())) else {
        print("usage: bench-outbox postgresql adds|starts|sent|latency PARAMETERS CALLERS SECONDS [RATE]")
        exit(64)
      }
      do throws(StorageError) {
        return try await benchmark.run()
      } catch {
        print(error)
        exit(75)
      }
    }
    let seconds = arguments.dropFirst().first.flatMap { Double($0) } ?? 2
    do throws(StorageError) {
      let commits = try await CommitBenchmark(directory).run(rounds: 3, seconds: seconds / 3)
      let commitBenchmark = CommitBenchmark(directory)
      let verifications = try await VerificationBenchmark(directory).run(rounds: 3, seconds: seconds / 3) {
        commitBenchmark.baseline(sealedMail(), seconds / 6)
      }
      let latency = try await LatencyBenchmark(directory).run(count: 500)
      let claims = try await ClaimBenchmark(directory).run()
      print(
        """
        {"floor_a_second":\(Int(commits.baseline)),"adds_a_second":\(Int(commits.adds)),\
        "times_floor":\(rounded(commits.ratio)),"starts_a_second":\(Int(verifications.starts)),\
        "starts_times_floor":\(rounded(verifications.startsRatio)),"checks_a_second":\(Int(verifications.checks)),\
        "checks_times_floor":\(rounded(verifications.checksRatio)),"commit_ms":\(rounded(latency.commit)),\
        "send_begins_ms":\(rounded(latency.begin)),"over_the_commit_ms":\(rounded(latency.over)),\
        "claim_us_of_100":\(rounded(claims.few)),"claim_us_of_100000":\(rounded(claims.many)),\
        "times_claim":\(rounded(claims.many / claims.few)),"mib_with_100000":\(rounded(claims.memory))}
        """)
    } catch {
      print(error)
      exit(75)
    }
  }

  private static func rounded(_ number: Double) -> Double { (number * 1_000).rounded() / 1_000 }
}

/// Returns the median, or 0 without numbers.
func median(_ numbers: [Double]) -> Double {
  let sorted = numbers.sorted()
  return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

/// Returns the seconds of the monotonic clock.
func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Returns content of the size of the shipped verification mail, about 7 KB.
func sealedMail() -> [UInt8] { (0..<7_168).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

/// Returns a waiting mail with an id of `number`.
func waitingMail(_ number: Int, _ content: [UInt8], lane: Lane = .code) -> OutboxEntry {
  // Like real ids, these are 26 characters long and in the order in which mail is added.
  let digits = String(number)
  let id = "01JD" + String(repeating: "0", count: 22 - digits.count) + digits
  return OutboxEntry(
    id: id, lane: lane, created: .now(), notAfter: .now() + .seconds(600), group: "V\(number)",
    content: content)
}

/// Runs work in concurrent callers, each of which repeats it as soon as it has finished.
enum ConcurrentCallers {
  /// Returns how many times a second `work` finished. It receives its caller's number and iteration.
  static func rate(
    _ seconds: Double, callers: Int = 64,
    _ work: @escaping @Sendable (_ caller: Int, _ iteration: Int) async throws -> Void
  ) async -> Double {
    let began = now()
    let done = await withTaskGroup(of: Int.self) { group in
      for caller in 0..<callers {
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
