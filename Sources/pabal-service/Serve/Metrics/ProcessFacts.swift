import Glibc
import PabalCore

/// What the system says of this process.
struct ProcessStatistics {
  /// Octets of memory in use.
  let resident: Double?
  /// Octets of address space.
  let virtual: Double?
  /// Seconds of processor time.
  let processor: Double
  /// How many descriptors are open, and may be.
  let descriptors: Double?
  let descriptorLimit: Double?

  init() {
    let page = Double(sysconf(Int32(_SC_PAGESIZE)))
    let pages = (try? readFile("/proc/self/statm", atMost: 4_096)).map {
      String(decoding: $0, as: UTF8.self).split(separator: " ").compactMap { Double($0) }
    }
    virtual = pages?.first.map { $0 * page }
    resident = pages?.dropFirst().first.map { $0 * page }
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    processor = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
    }
    descriptors = ProcessStatistics.entries("/proc/self/fd").map { Double($0) }
    var limit = rlimit()
    let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    descriptorLimit = isKnown ? Double(limit.rlim_cur) : nil
  }

  /// How many entries a folder has, without the descriptor that counts them.
  private static func entries(_ path: String) -> Int? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var count = -1
    while let entry = readdir(folder) {
      if entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { count += 1 }
    }
    return count
  }
}
