internal import Glibc
internal import PabalMessages

/// Measures how many messages are rendered per CPU second: `bench-render [renders [messages directory]]`.
@main struct RenderBenchmark {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    let renders = max(1, arguments.first.flatMap { Int($0) } ?? 1_000_000)
    let directory = arguments.dropFirst().first ?? "Sources/Messages"
    let store = MessageStore(directory: directory, language: "ko", variables: ["service": "파발"])
    do throws(MessageError) {
      _ = try render(20_000, from: store)
      let start = cpuSeconds()
      let bytes = try render(renders, from: store)
      let seconds = cpuSeconds() - start
      print(
        "{\"renders\":\(renders),\"cpu_seconds\":\(seconds),"
          + "\"per_cpu_second\":\(Int(Double(renders) / seconds)),\"octets_each\":\(bytes / renders)}")
    } catch {
      print(error)
      exit(65)
    }
  }

  /// Renders `count` different messages and returns their total size in bytes.
  private static func render(_ count: Int, from store: MessageStore) throws(MessageError) -> Int {
    var bytes = 0
    for number in 0..<count {
      let code = String(String(1_000_000 + number % 1_000_000).dropFirst())
      let message = try store.render(
        "verification", languages: ["ko"],
        values: ["code": .text(code), "valid_for": .duration(.seconds(600))])
      bytes += message.subject.utf8.count + message.text.utf8.count + message.html.utf8.count
    }
    return bytes
  }

  private static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
