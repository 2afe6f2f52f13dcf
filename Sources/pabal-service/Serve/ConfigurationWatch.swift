import Glibc
import PabalCore

/// Tells whether a file changed: written in place, renamed over, or exchanged with a folder that a link names.
struct FileChangeDetector: Sendable {
  /// What tells a file from what it was before.
  private struct FileState: Hashable {
    let device: UInt
    let inode: UInt
    let size: Int
    let times: [Int]

    init?(_ path: String) {
      var facts = stat()
      guard stat(path, &facts) == 0 else { return nil }
      device = UInt(facts.st_dev)
      inode = UInt(facts.st_ino)
      size = Int(facts.st_size)
      times = [facts.st_mtim, facts.st_ctim].flatMap { [$0.tv_sec, $0.tv_nsec] }
    }
  }

  private let path: String
  private var latest: FileState?
  private var handled: FileState??

  /// Watches the file at `path`; the first look finds it changed.
  init(_ path: String) { self.path = path }

  /// Looks at the file; says whether it changed since it was settled.
  mutating func hasChanged() -> Bool {
    let state = FileState(path)
    isStable = state == latest
    latest = state
    return handled != .some(state)
  }

  /// Whether the last two looks found the same: whoever writes it has come to an end.
  private(set) var isStable = false

  /// What the last look found is done with.
  mutating func markHandled() { handled = .some(latest) }
}
