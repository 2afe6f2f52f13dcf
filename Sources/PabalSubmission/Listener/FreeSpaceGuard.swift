internal import Glibc
internal import PabalFormats
internal import Synchronization

/// Whether the file system of the database has room for more mail, found out at most once a second.
package final class FreeSpaceGuard: Sendable {
  private struct Known {
    var at: Int
    var free: Int?
  }

  private let free: @Sendable () -> Int?
  private let now: @Sendable () -> Int
  private let known = Mutex<Known?>(nil)

  /// Creates a guard; `free` returns how many bytes this user may still write, or `nil` if that is unknown.
  package init(
    now: @escaping @Sendable () -> Int = MonotonicClock.milliseconds, free: @escaping @Sendable () -> Int?
  ) {
    self.free = free
    self.now = now
  }

  /// Creates a guard of the file system that has `path`, which need not exist yet; `nil`: there is always room.
  package convenience init(ofFile path: String?) {
    guard let path else {
      self.init { nil }
      return
    }
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    self.init { FreeSpaceGuard.freeBytes(directory.isEmpty ? "/" : directory) }
  }

  /// Whether at least `bytes` are free.
  package func hasRoom(_ bytes: Int) -> Bool {
    guard bytes > 0 else { return true }
    let now = now()
    let known = known.withLock { known in
      if let known, now - known.at < 1_000 { return known }
      let found = Known(at: now, free: free())
      known = found
      return found
    }
    return known.free.map { $0 >= bytes } ?? true
  }

  /// The reply to mail while there isn't.
  package static let fullReply = SMTPReply(452, "4.3.1", "not enough disk space, try again later")

  private static func freeBytes(_ directory: String) -> Int? {
    var status = statvfs()
    guard statvfs(directory, &status) == 0 else { return nil }
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? .max : Int(clamping: bytes)
  }
}
