internal import CPabalGNU
internal import Glibc

/// Gives memory back to the system after a peak, because the allocator keeps what was freed.
enum MemoryTrimmer {
  private static let interval = Duration.seconds(10)
  /// Growth since the last time that is worth a pass over the heap, which takes milliseconds.
  private static let threshold = 8 << 20

  /// Starts checking the resident memory, until the task is cancelled.
  static func run() -> Task<Void, Never> {
    Task.detached(priority: .background) {
      var trimmed = residentSize() ?? 0
      while (try? await Task.sleep(for: interval)) != nil {
        guard let size = residentSize(), size > trimmed + threshold else { continue }
        malloc_trim(0)
        trimmed = residentSize() ?? size
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
