internal import CPabalGNU
internal import Glibc

/// Gives memory back to the system after a peak, because the allocator keeps what was freed.
enum MemoryTrimmer {
  private static let interval = Duration.seconds(10)
  /// Growth that is worth a pass over the heap, which takes milliseconds, in bytes.
  private static let threshold = 8 << 20
  /// How many intervals may pass between two attempts while what has grown is still in use.
  private static let maxPause = 3

  /// Starts checking the resident memory, until the task is cancelled.
  static func run() -> Task<Void, Never> {
    Task.detached(priority: .background) {
      var smallest = residentSize() ?? 0
      var pause = 1
      while (try? await Task.sleep(for: interval * pause)) != nil {
        guard let size = residentSize(), size > smallest + threshold else {
          pause = 1
          continue
        }
        malloc_trim(0)
        let left = residentSize() ?? size
        smallest = min(smallest, left)
        pause = size - left > threshold / 8 ? 1 : min(pause + 1, maxPause)
      }
    }
  }

  /// The resident memory of this process in bytes (proc(5)).
  private static func residentSize() -> Int? {
    guard let file = fopen("/proc/self/statm", "re") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      .split(separator: " ")
    return fields.count > 1 ? Int(fields[1]).map { $0 * Int(getpagesize()) } : nil
  }
}
